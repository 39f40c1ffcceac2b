"""Every state of an escrow and rung of its dispute, every actor, every action: what may be done, and what it posts.

Each is tried on the same escrow and undone again. What the table does not allow is refused with 403, 404 or 409.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.arrivals import stock_addresses
from tests.support.disputes import Court
from tests.support.people import RESULT_HASH, make_key, make_node, make_person
from webapp.domain.canonical import sign_result
from webapp.domain.clock import utcnow
from webapp.domain.disputes.rungs import Rung
from webapp.domain.escrow_states import TERMINAL
from webapp.domain.exceptions import DuxosError
from webapp.domain.money import Amount
from webapp.domain.roles import WORKER, Actor
from webapp.ledger.integrity import check_books
from webapp.models import Escrow, JournalEntry, SettlementOffer
from webapp.services.container import Services
from webapp.services.disputes.records import seats_of
from webapp.services.escrow_clock import EscrowClock
from webapp.services.signing_keys import actor_of
from webapp.services.unit_of_work import unit_of_work

PAYER, PROVIDER, VERIFIER, NODE, CLOCK = "payer", "provider", "verifier", "node", "clock"
MEDIATOR, ARBITER, PANEL, IDLE = "mediator", "arbiter", "panel", "idle arbiter"
ACTORS = (PAYER, PROVIDER, VERIFIER, NODE, MEDIATOR, ARBITER, PANEL, IDLE, "operator", "stranger", CLOCK)
SIDES = frozenset({PAYER, PROVIDER})
ARGUED = ("talk", "answered", "mediation", "proposed", "arbitration")
DISPUTED = (*ARGUED, "appeal", "appealed")
HELD = ("active", "overdue", "delivered", "unopposed", *DISPUTED)
STATES = ("pending", *HELD, "released", "refunded", "resolved")

# action -> state -> who may
ALLOWED: dict[str, dict[str, frozenset[str]]] = {
    "deliver": {"active": frozenset({PROVIDER, NODE})},
    "release": {
        **dict.fromkeys(("active", "overdue", "delivered"), frozenset({PAYER, VERIFIER})),
        "unopposed": frozenset({PAYER, VERIFIER, CLOCK}),
        **dict.fromkeys(DISPUTED, frozenset({PAYER})),
    },
    "refund": {
        "pending": frozenset({PAYER, PROVIDER, NODE}),
        **dict.fromkeys(("active", "delivered", "unopposed"), frozenset({PROVIDER, VERIFIER, NODE})),
        "overdue": frozenset({PAYER, PROVIDER, VERIFIER, NODE, CLOCK}),
        **dict.fromkeys(DISPUTED, frozenset({PROVIDER, NODE})),
    },
    "dispute": dict.fromkeys(("active", "overdue", "delivered"), SIDES),
    "offer": dict.fromkeys(HELD, SIDES),
    "accept offer": dict.fromkeys(HELD, frozenset({PROVIDER})),
    "speak": dict.fromkeys(ARGUED, SIDES),
    "escalate": dict.fromkeys(("answered", "mediation", "proposed"), SIDES),
    "propose": {"mediation": frozenset({MEDIATOR})},
    "accept": dict.fromkeys(("proposed", "appeal"), SIDES),
    "rule": {"arbitration": frozenset({ARBITER})},
    "appeal": {"appeal": SIDES},
    "vote": {"appealed": frozenset({PANEL})},
    "step down": {
        "mediation": frozenset({MEDIATOR}),
        "arbitration": frozenset({ARBITER}),
        "appealed": frozenset({PANEL}),
    },
}
POSTS = {"release": ["escrow_release"], "refund": ["escrow_refund"], "accept offer": ["escrow_resolve"]}
_RUNGS = {
    "talk": Rung.TALK, "answered": Rung.TALK, "mediation": Rung.MEDIATION, "proposed": Rung.MEDIATION,
    "arbitration": Rung.ARBITRATION, "appeal": Rung.APPEAL, "appealed": Rung.PANEL,
}  # fmt: skip


class _Undone(Exception):
    """The end of what is only tried."""


class Stage:
    """One escrow in one state, and everybody who could do something to it."""

    def __init__(self, court: Court, state: str, clock: time_machine.Traveller) -> None:
        self.court, self.state, self.session = court, state, court.session
        verifier = make_person(court.session, court.services)
        key = make_key(court.session, court.services, verifier)
        pending = {"funding": "deposit"} if state == "pending" else {}
        if pending:
            stock_addresses(court.session, 1)
        is_delivered = state not in ("pending", "active", "overdue")
        escrow = court.escrow("10", is_delivered=is_delivered, verifier_key_id=key.key_id, **pending)
        self.id = escrow.id
        self.work = sign_result(court.pair.key.secret, escrow.id, escrow.amount, RESULT_HASH)
        self._bring(escrow)
        self.offer_id = self._offer(escrow) if state in HELD else 1
        self.actors = self._actors(escrow, key.key_id)
        newest = select(JournalEntry.id).order_by(JournalEntry.id.desc()).limit(1)
        self.last_entry = self.session.scalars(newest).one()
        if state in ("overdue", "unopposed"):
            clock.shift(timedelta(days=8))

    def _bring(self, escrow: Escrow) -> None:
        court = self.court
        acts = {
            each: court.services.escrow_manager(self.session, getattr(court, each).actor) for each in SIDES
        }
        if self.state in _RUNGS:
            court.bring_to(_RUNGS[self.state], escrow)
        if self.state == "answered":
            court.of(court.provider).speak(escrow.id, "No.")
        if self.state == "proposed":
            court.judge(court.seated(escrow)[0]).propose(escrow.id, 5000, "Half.")
        if self.state == "released":
            acts[PAYER].release_escrow(escrow.id)
        if self.state == "refunded":
            acts[PROVIDER].refund_escrow(escrow.id, "No.")
        if self.state == "resolved":
            offer_id = self._offer(escrow)
            court.services.offers(self.session, court.provider.actor).accept(
                escrow.id, offer_id, Amount.parse("4")
            )

    def _offer(self, escrow: Escrow) -> int:
        payer = self.court.services.offers(self.session, self.court.payer.actor)
        made: SettlementOffer = payer.offer(escrow.id, "4")
        return made.id

    def _actors(self, escrow: Escrow, verifier_key: str) -> dict[str, Actor]:
        court, keys = self.court, self.court.services.signing_keys(self.session)
        node = make_node(self.session, court.services, court.provider)
        seated = [each.actor for each in court.seated(escrow)] if self.state in DISPUTED else []
        assigned = self._assigned(escrow)
        idle = next(each.actor for each in court.arbiters if each.user.id not in assigned)
        by_rung = {"mediation": MEDIATOR, "proposed": MEDIATOR, "arbitration": ARBITER, "appealed": PANEL}
        judges = dict.fromkeys((MEDIATOR, ARBITER, PANEL, IDLE), idle)
        if self.state in by_rung:
            judges[by_rung[self.state]] = seated[0]
        return {
            PAYER: court.payer.actor,
            PROVIDER: court.provider.actor,
            VERIFIER: actor_of(keys.find_usable(verifier_key)[0]),
            NODE: actor_of(keys.find_usable(node.key.key_id)[0]),
            **judges,
            "operator": make_person(self.session, court.services, "operator").actor,
            "stranger": make_person(self.session, court.services).actor,
            CLOCK: WORKER,
        }

    def _assigned(self, escrow: Escrow) -> set[int]:
        if self.state not in DISPUTED:
            return set()
        return {each.user_id for each in seats_of(self.session, self.court.dispute(escrow))}

    def action(self, name: str, actor: Actor) -> Callable[[], Any]:
        """The action as this actor does it, with everything that it needs to work."""
        services, session, id = self.court.services, self.session, self.id
        escrows, ladder, judging, offers = (
            partial(each, session, actor)
            for each in (services.escrow_manager, services.disputes, services.judging, services.offers)
        )
        return {
            "deliver": lambda: escrows().deliver_escrow(id, RESULT_HASH, self.work),
            "release": lambda: escrows().release_escrow(id, RESULT_HASH, self.work),
            "refund": lambda: escrows().refund_escrow(id, "why"),
            "dispute": lambda: escrows().dispute_escrow(id, "why"),
            "offer": lambda: offers().offer(id, "3"),
            "accept offer": lambda: offers().accept(id, self.offer_id, Amount.parse("4")),
            "speak": lambda: ladder().speak(id, "words"),
            "escalate": lambda: ladder().escalate(id),
            "propose": lambda: judging().propose(id, 4000, "why"),
            "accept": lambda: ladder().accept(id),
            "rule": lambda: judging().rule(id, 4000, "why"),
            "appeal": lambda: ladder().appeal(id, "why"),
            "vote": lambda: judging().vote(id, 4000, "why"),
            "step down": lambda: judging().step_down(id, "why"),
        }[name]

    def attempt(self, name: str, who: str) -> list[str] | int:
        """Do it and undo it: the kinds of the entries that it posted, or the status of the refusal."""
        try:
            with unit_of_work(self.session):
                self.action(name, self.actors[who])()
                posted = list(
                    self.session.scalars(select(JournalEntry.kind).where(JournalEntry.id > self.last_entry))
                )
                if posted:
                    assert check_books(self.session) == []
                raise _Undone
        except _Undone:
            return posted
        except DuxosError as error:
            return error.status


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_who_may_do_what_in_which_state(session: Session, services: Services) -> None:
    surprises: list[tuple[str, str, str, object]] = []
    with time_machine.travel(utcnow(), tick=False) as clock:
        court = Court(session, services, arbiters=7)
        for state in STATES:
            beginning = utcnow()
            stage = Stage(court, state, clock)
            for name, table in ALLOWED.items():
                for who in ACTORS:
                    outcome = stage.attempt(name, who)
                    if who in table.get(state, ()):
                        # One that waits for its payment holds nothing that could move.
                        expected = [] if state == "pending" else POSTS.get(name, [])
                        is_right = outcome == expected
                    else:
                        is_right = outcome == 404 if who == "stranger" else outcome in (403, 404, 409)
                    if not is_right:
                        surprises.append((state, who, name, outcome))
            clock.move_to(beginning)
    assert surprises == []


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_no_state_that_holds_money_is_without_an_exit_by_time_alone(
    session: Session, services: Services
) -> None:
    with time_machine.travel(utcnow(), tick=False) as clock:
        court = Court(session, services, arbiters=9)
        ids: dict[str, uuid.UUID] = {}
        for state in HELD:
            beginning = utcnow()
            ids[state] = Stage(court, state, clock).id
            clock.move_to(beginning)
        for _ in range(8):
            clock.shift(timedelta(days=9))
            court.tick()
            EscrowClock(session, services.escrow_manager(session, WORKER), services.settings).run()
        ended = {
            state: session.get_one(Escrow, each, populate_existing=True).status for state, each in ids.items()
        }
        assert {state: status for state, status in ended.items() if status not in TERMINAL} == {}
    assert check_books(session) == []
