"""A dispute on the pages: each side's buttons, an arbiter's, and what nobody else is shown; with and without script."""

from __future__ import annotations

import re
import uuid

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from tests.pages.conftest import logged_in
from tests.support.browsing import Browser
from tests.support.disputes import Court
from tests.support.people import Person, make_person
from webapp.domain.disputes.rungs import Rung
from webapp.models import Escrow
from webapp.services.container import Services

both_ways = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])


class Visitors:
    """The people of a court with their browsers."""

    def __init__(self, app: Flask, court: Court, htmx: bool = False) -> None:
        self.app, self.court, self.htmx = app, court, htmx
        self._browsers: dict[int, Browser] = {}

    def of(self, person: Person) -> Browser:
        """The browser of a person, who is logged in."""
        if person.user.id not in self._browsers:
            self._browsers[person.user.id] = logged_in(self.app, person)
        return self._browsers[person.user.id]

    def sees(self, person: Person, escrow: Escrow) -> str:
        """The page of an escrow as this person sees it."""
        response = self.of(person).get(f"/escrows/{escrow.id}")
        assert response.status_code == 200
        return response.text

    def does(self, person: Person, escrow: Escrow, deed: str, seen: str = "", **fields: str) -> str:
        """Press a button that works; what is shown then."""
        data = {"idempotency_key": uuid.uuid4().hex, "seen": seen or self.court.rung(escrow), **fields}
        response = self.of(person).post(f"/escrows/{escrow.id}/dispute/{deed}", data, htmx=self.htmx)
        assert response.status_code == (200 if self.htmx else 303), response.text
        return self.sees(person, escrow)

    def refused(self, person: Person, escrow: Escrow, deed: str, seen: str = "", **fields: str) -> int:
        """Press one that does not; the status."""
        data = {"idempotency_key": uuid.uuid4().hex, "seen": seen or self.court.rung(escrow), **fields}
        return self.of(person).post(f"/escrows/{escrow.id}/dispute/{deed}", data, htmx=self.htmx).status_code


@pytest.fixture
def court(session: Session, services: Services) -> Court:
    return Court(session, services)


@both_ways
def test_up_the_whole_ladder(app: Flask, court: Court, htmx: bool) -> None:
    visitors, escrow = Visitors(app, court, htmx), court.escrow()
    payer, provider = court.payer, court.provider
    data = {"idempotency_key": "open", "seen": "delivered", "reason": "It is noise."}
    opened = visitors.of(payer).post(f"/escrows/{escrow.id}/dispute", data, htmx=htmx)
    assert opened.status_code == (200 if htmx else 303)
    page = visitors.sees(payer, escrow)
    assert "The provider is to answer." in page and "Ask a mediator" not in page
    assert "the money then goes back to the payer" in page
    assert "It is your turn" in visitors.sees(provider, escrow)
    assert visitors.refused(payer, escrow, "escalate") == 409

    assert "Both have spoken" in visitors.does(provider, escrow, "statements", text="It is <b>art</b>.")
    assert "It is &lt;b&gt;art&lt;/b&gt;." in visitors.sees(payer, escrow)
    visitors.does(payer, escrow, "escalate")
    (mediator,) = court.seated(escrow)
    assert "You are the mediator" in visitors.of(mediator).get("/").text
    assert "You are the mediator" in visitors.of(mediator).get("/disputes").text
    assert "It is &lt;b&gt;art" in visitors.sees(mediator, escrow)
    other = next(each for each in court.arbiters if each is not mediator)
    assert "It is &lt;b&gt;art" not in visitors.sees(other, escrow)
    proposal = {"outcome": "divide", "percent": "33.3333", "reason": "A third."}
    assert visitors.refused(mediator, escrow, "decide", **proposal) == 422
    visitors.does(mediator, escrow, "decide", **(proposal | {"percent": "33,33"}))
    assert "33.33" in visitors.does(payer, escrow, "accept") and "The payer has accepted it" in visitors.sees(
        provider, escrow
    )

    visitors.does(provider, escrow, "escalate")
    (arbiter,) = court.seated(escrow)
    visitors.does(arbiter, escrow, "decide", outcome="payer", percent="", reason="It is noise indeed.")
    assert visitors.refused(payer, escrow, "escalate", seen="arbitration") == 409
    page = visitors.sees(provider, escrow)
    assert (
        "It is noise indeed." in page
        and "Accept the ruling" in page
        and "Then the ruling is executed" in page
    )
    visitors.does(provider, escrow, "appeal", reason="Art was ordered.")

    panel = court.seated(escrow)
    for number, member in enumerate(panel):
        assert f"{number} vote" in visitors.sees(provider, escrow)
        shown = visitors.does(member, escrow, "decide", outcome="provider", reason=f"Opinion {number}.")
        assert ("Opinion 0." in shown) == (number == 2)
        assert "Nobody sees your vote" not in shown
    page = visitors.sees(payer, escrow)
    assert "The panel has decided." in page and "Votes opened" in page and court.status(escrow) == "released"


def test_open_pages_look_again_and_bring_the_buttons_when_these_have_changed(
    app: Flask, court: Court
) -> None:
    visitors, escrow = Visitors(app, court, htmx=True), court.escrow()
    court.open(escrow)
    page = visitors.sees(court.payer, escrow)
    (url,) = re.findall(r'hx-get="(/escrows/[^"]+/dispute\?[^"]+)"', page)
    url = url.replace("&amp;", "&")
    same = visitors.of(court.payer).get(url, htmx=True)
    assert (
        same.text.lstrip().startswith('<div id="escrow-dispute-state"') and "HX-Retarget" not in same.headers
    )
    assert visitors.of(court.payer).get(url).status_code == 303
    court.of(court.provider).speak(escrow.id, "No.")
    changed = visitors.of(court.payer).get(url, htmx=True)
    assert changed.headers["HX-Retarget"] == "#escrow-status" and "Ask a mediator" in changed.text


def test_who_is_assigned_may_step_down_and_others_may_not_decide(app: Flask, court: Court) -> None:
    visitors, escrow = Visitors(app, court), court.escrow()
    court.bring_to(Rung.ARBITRATION, escrow)
    (arbiter,) = court.seated(escrow)
    other = next(each for each in court.arbiters if each is not arbiter)
    ruling = {"outcome": "payer", "reason": "Because."}
    for person in (other, court.payer, make_person(court.session, court.services, "operator")):
        assert visitors.refused(person, escrow, "decide", **ruling) == 403
        assert visitors.refused(person, escrow, "step-down", reason="No.") == 403
    stranger = make_person(court.session, court.services, "payer")
    assert visitors.refused(stranger, escrow, "statements", text="Hello") == 404
    visitors.does(arbiter, escrow, "step-down", reason="I know them.")
    assert court.seated(escrow) != [arbiter]
    assert visitors.refused(arbiter, escrow, "decide", **ruling) == 403


def test_lists_and_figures(app: Flask, court: Court) -> None:
    visitors = Visitors(app, court)
    operator = make_person(court.session, court.services, "operator")
    assert "No dispute is open" in visitors.of(operator).get("/disputes").text
    decided = court.escrow()
    court.bring_to(Rung.PANEL, decided)
    for member in court.seated(decided):
        court.judge(member).vote(decided.id, 5000, "So.")
    escrow = court.escrow("1")
    court.bring_to(Rung.ARBITRATION, escrow)
    assert str(escrow.id) in visitors.of(operator).get("/disputes").text
    (arbiter,) = court.seated(escrow)
    assert str(escrow.id) in visitors.of(arbiter).get("/disputes").text
    assert visitors.of(court.payer).get("/disputes").status_code == 403
    figures = visitors.of(court.payer).get("/disputes/statistics").text
    assert "Upheld on appeal" in figures and "1 of 1" in figures
    for person in court.arbiters:
        assert person.user.email not in figures
