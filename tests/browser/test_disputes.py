"""Disputes in the browser: settled by an offer, by a mediator, by an arbiter, on appeal, and by silence of each side.

No daemon is needed for it. The worker's clock is moved by moving the end of a rung: a browser's session would not
outlive the days.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update
from sqlalchemy.orm import Session

from tests.browser.visits import assert_accessible, log_in
from tests.support.disputes import Court
from tests.support.people import Person
from tests.support.serving import serving
from webapp.domain.clock import utcnow
from webapp.domain.disputes.rungs import Rung
from webapp.models import Dispute, Escrow
from webapp.services.container import Services
from webapp.services.unit_of_work import unit_of_work


class Room:
    """One Chromium, and in it a window for each of the people."""

    def __init__(self, url: str, chromium: Browser, court: Court) -> None:
        self.url, self.chromium, self.court = url, chromium, court
        self._windows: dict[int, Page] = {}

    def of(self, person: Person, escrow: Escrow) -> Page:
        """The escrow's page in this person's window."""
        if person.user.id not in self._windows:
            context = self.chromium.new_context(base_url=self.url, reduced_motion="reduce")
            self._windows[person.user.id] = context.new_page()
            log_in(self._windows[person.user.id], person.user.email)
        page = self._windows[person.user.id]
        page.goto(f"/escrows/{escrow.id}")
        return page

    def opened(self, by: Person, *, is_delivered: bool = True) -> tuple[Escrow, Page]:
        """A new escrow that this person objects to."""
        escrow = self.court.escrow("10", is_delivered=is_delivered)
        page = self.of(by, escrow)
        page.get_by_text("Something is wrong").click()
        page.get_by_label("What is wrong?").fill("It is noise.")
        page.get_by_role("button", name="Open a dispute").click()
        expect(page.get_by_role("heading", name="Dispute", exact=True)).to_be_visible()
        return escrow, page

    def let_time_pass(self, escrow: Escrow) -> None:
        """The time of the present rung is over, and the worker comes by."""
        with unit_of_work(self.court.session):
            self.court.session.execute(
                update(Dispute)
                .where(Dispute.escrow_id == escrow.id)
                .values(rung_ends_at=utcnow() - timedelta(seconds=1))
            )
        assert self.court.tick() == 1

    def close(self) -> None:
        """Close every window."""
        for page in self._windows.values():
            page.context.close()


@pytest.fixture
def room(app: Flask, chromium: Browser, session: Session, services: Services) -> Iterator[Room]:
    with serving(app) as url:
        made = Room(url, chromium, Court(session, services))
        yield made
        made.close()


def test_a_dispute_is_settled_in_each_way(room: Room) -> None:
    _by_an_offer(room)
    _by_a_mediator(room)
    _by_an_arbiter(room)
    _on_appeal(room)
    _by_silence(room)


def _by_an_offer(room: Room) -> None:
    escrow, payer = room.opened(room.court.payer)
    expect(payer.get_by_text("The provider is to answer.")).to_be_visible()
    provider = room.of(room.court.provider, escrow)
    expect(provider.get_by_text("It is your turn")).to_be_visible()
    provider.get_by_text("Make an offer").click()
    provider.get_by_label("For the provider’s side").fill("4")
    provider.get_by_role("button", name="Make this offer").click()
    # An offer is an answer.
    expect(provider.get_by_text("Both have spoken")).to_be_visible()
    payer = room.of(room.court.payer, escrow)
    payer.get_by_role("button", name="Accept").click()
    expect(payer.get_by_text("Both sides agreed, or one of them gave in.")).to_be_visible()
    assert room.court.status(escrow) == "resolved"


def _by_a_mediator(room: Room) -> None:
    court = room.court
    escrow, payer = room.opened(court.payer)
    provider = room.of(court.provider, escrow)
    provider.get_by_label("Your statement").fill("It is what was ordered.")
    provider.get_by_role("button", name="Say it").click()
    expect(provider.get_by_role("button", name="Ask a mediator")).to_be_visible()
    # The other one's page learns of it by itself, buttons and all.
    payer.get_by_role("button", name="Ask a mediator").click()
    expect(payer.get_by_text("A mediator reads what both say")).to_be_visible()
    mediator = room.of(court.seated(escrow)[0], escrow)
    expect(mediator.get_by_text("It is what was ordered.")).to_be_visible()
    mediator.get_by_label("It is divided").check()
    mediator.get_by_label("The provider’s side gets", exact=True).fill("33.33")
    mediator.get_by_label("Your reason").fill("A third of it works.")
    mediator.get_by_role("button", name="Propose it").click()
    expect(mediator.get_by_text("A third of it works.").first).to_be_visible()
    for person in (court.payer, court.provider):
        page = room.of(person, escrow)
        page.get_by_role("button", name="Accept the proposal").click()
        expect(page.get_by_role("button", name="Accept the proposal")).to_have_count(0)
    expect(page.get_by_text("Both sides accepted what the mediator proposed.")).to_be_visible()
    assert court.ended(escrow) == ("proposal", 3333)


def _by_an_arbiter(room: Room) -> None:
    court, escrow = room.court, room.court.escrow("10")
    court.bring_to(Rung.ARBITRATION, escrow)
    arbiter = room.of(court.seated(escrow)[0], escrow)
    assert_accessible(arbiter)
    arbiter.get_by_label("The payer gets all of it back").check()
    arbiter.get_by_role("button", name="State the ruling").click()
    expect(arbiter.get_by_role("link", name="Your reason:")).to_be_visible()
    arbiter.get_by_label("Your reason", exact=True).fill("It is noise indeed.")
    arbiter.get_by_role("button", name="State the ruling").click()
    expect(arbiter.get_by_text("Then the ruling is executed.")).to_be_visible()
    room.let_time_pass(escrow)
    payer = room.of(court.payer, escrow)
    expect(payer.get_by_text("The arbiter’s ruling was executed.")).to_be_visible()
    assert court.ended(escrow) == ("ruling", 0)


def _on_appeal(room: Room) -> None:
    court, escrow = room.court, room.court.escrow("10")
    court.bring_to(Rung.APPEAL, escrow)
    provider = room.of(court.provider, escrow)
    provider.locator("summary", has_text="Appeal").click()
    provider.get_by_label("Why?").fill("All of it was done.")
    provider.get_by_role("button", name="Appeal", exact=True).click()
    expect(provider.get_by_text("Three other arbiters vote: 0 votes are in.")).to_be_visible()
    first, second, third = court.seated(escrow)
    court.judge(first).vote(escrow.id, 10_000, "Secret so far.")
    court.judge(second).vote(escrow.id, 0, "Secret so far.")
    expect(provider.get_by_text("2 votes are in")).to_be_visible()
    member = room.of(third, escrow)
    assert "Secret so far." not in member.content() + provider.content()
    member.get_by_label("The provider’s side gets all of it").check()
    member.get_by_label("Your reason").fill("It is art.")
    member.get_by_role("button", name="Vote", exact=True).click()
    expect(member.get_by_text("The panel has decided.")).to_be_visible()
    assert "Secret so far." in room.of(court.provider, escrow).content()
    assert court.ended(escrow) == ("panel", 10_000)


def _by_silence(room: Room) -> None:
    court = room.court
    for by, share in ((court.payer, 0), (court.provider, 10_000)):
        escrow, page = room.opened(by)
        room.let_time_pass(escrow)
        # An open page tells it without being asked.
        expect(page.get_by_text("The other side did not answer in time.")).to_be_visible()
        assert court.ended(escrow) == ("silence", share)
