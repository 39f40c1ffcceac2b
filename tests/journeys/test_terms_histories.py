"""Random terms and random histories, lived through with the real services: what the rules foresee is what is done.

The escrow is one of a real database, the clock is moved, outages come and go, the worker looks now and then, and
everybody does what the history says at its moment. In the end the money has gone where `outcome` says, at the moment
that it says, exact to the last unit, and nothing is left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete
from sqlalchemy.orm import Session

from tests.support.money import balances, credit
from tests.support.people import make_escrow, make_key, make_node, make_pair, make_person, manager, signature
from tests.support.terms import NODES, START, histories, hour, outages, sound_terms
from webapp.domain.canonical import sign_result
from webapp.domain.clock import to_rfc3339
from webapp.domain.exceptions import (
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    TransactionError,
    ValidationError,
)
from webapp.domain.fair_time import Pause
from webapp.domain.money import Amount
from webapp.domain.roles import WORKER
from webapp.domain.terms.facts import Facts
from webapp.domain.terms.language import Terms
from webapp.domain.terms.outcome import END_OF_TIME, Decision, outcome
from webapp.domain.terms.writing import as_document
from webapp.ledger.integrity import check_books
from webapp.models import ChainCursor, Escrow, Outage, Pulse
from webapp.services import audit_trail
from webapp.services.container import Services
from webapp.services.escrow_clock import EscrowClock
from webapp.services.fair_clocks import FairClocks
from webapp.services.signing_keys import actor_of
from webapp.services.terms.clock import TermsClock
from webapp.services.terms.in_force import TermsInForce
from webapp.services.terms.outlook import try_out
from webapp.services.unit_of_work import unit_of_work

SECRET = b"open sesame"
SHA256 = hashlib.sha256(SECRET).hexdigest()
TICK = timedelta.resolution
AMOUNT = "1.00000019"  # of which the fund's part is rounded

Deed = Callable[[], object]


class Town:
    """Everybody around one escrow after the other."""

    def __init__(self, session: Session, services: Services) -> None:
        self.session, self.services = session, services
        self.pair = make_pair(session, services)
        credit(session, self.pair.payer.wallet_id, "1000")
        owner = make_person(session, services)
        self.verifier, self.witness = (make_key(session, services, owner) for _ in range(2))
        self.nodes = {name: make_node(session, services, owner) for name in NODES}

    def terms(self, key: Any) -> TermsInForce:
        found = self.services.signing_keys(self.session).find_usable(key.key_id)
        assert found is not None
        return self.services.escrow_manager(self.session, actor_of(found[0])).terms

    def document(self, part: Any) -> Any:
        """A document with the names that there are here in place of those that were made up."""
        if isinstance(part, list):
            return [self.document(each) for each in part]
        if not isinstance(part, dict):
            return part
        if "preimage_of" in part:
            return {"preimage_of": SHA256}
        if "attested_by" in part:
            return {"attested_by": part["attested_by"] | {"key_id": self.witness.key_id}}
        if "agreeing_results" in part:
            inner = part["agreeing_results"]
            return {"agreeing_results": inner | {"of": [self.nodes[each].node.id for each in inner["of"]]}}
        return {name: self.document(value) for name, value in part.items()}

    def create(self, terms: Terms) -> Escrow:
        with unit_of_work(self.session):
            for table in (Outage, Pulse, ChainCursor):
                self.session.execute(delete(table))
            self.session.add(ChainCursor(id=1, since_block="", tip_hash="aa", tip_height=1))
        document = self.document(as_document(terms))
        return make_escrow(
            self.session,
            self.services,
            self.pair,
            AMOUNT,
            terms=document,
            verifier_key_id=self.verifier.key_id,
        )

    def tick(self) -> None:
        """What the worker does about escrows."""
        FairClocks(self.session).run()
        worker = self.services.escrow_manager(self.session, WORKER)
        EscrowClock(self.session, worker, self.services.settings).run()
        TermsClock(self.session, self.services.settings, self.services.wallets(self.session)).run()

    def reach(self, height: int) -> None:
        with unit_of_work(self.session):
            self.session.get_one(ChainCursor, 1).tip_height = height
        self.tick()

    def begin_outage(self, pause: Pause) -> None:
        with unit_of_work(self.session):
            self.session.add(Pulse(part="service", last_good_at=pause.start))

    def end_outage(self, pause: Pause) -> None:
        with unit_of_work(self.session):
            self.session.execute(delete(Pulse))
            self.session.add(Outage(parts="worker", started_at=pause.start, ended_at=pause.end))

    def deliver(self, escrow: Escrow, result_hash: str) -> None:
        provider = manager(self.session, self.services, self.pair.provider)
        provider.deliver_escrow(escrow.id, result_hash, signature(self.pair, escrow, result_hash))

    def report(self, escrow: Escrow, name: str, result_hash: str) -> None:
        made = self.nodes[name]
        signed = sign_result(made.key.secret, escrow.id, escrow.amount, result_hash)
        self.terms(made.key).report_result(escrow.id, made.node.id, result_hash, signed)

    def deeds(self, escrow: Escrow, facts: Facts) -> Iterator[tuple[datetime, Deed]]:
        """What everybody does and when; in the order in which it counts where it is the same moment."""
        for height, at in sorted(facts.heights.items()):
            yield at, lambda height=height: self.reach(height)  # type: ignore[misc]
        if facts.delivery is not None:
            result_hash = facts.delivery.result_hash
            yield facts.delivery.at, lambda: self.deliver(escrow, result_hash)
        payer = manager(self.session, self.services, self.pair.payer).terms
        if facts.payer_approved_at is not None:
            yield facts.payer_approved_at, lambda: payer.approve(escrow.id)
        if facts.verifier_approved_at is not None:
            yield facts.verifier_approved_at, lambda: self.terms(self.verifier).approve(escrow.id)
        for at in facts.revealed.values():
            yield at, lambda: payer.reveal(escrow.id, SECRET.hex())
        for said in facts.attestations:
            yield said.at, lambda said=said: self.terms(self.witness).attest(escrow.id, said.statement)  # type: ignore[misc]
        for got in facts.node_results:
            yield got.at, lambda got=got: self.report(escrow, got.node_id, got.result_hash)  # type: ignore[misc]


def apart(facts: Facts) -> Facts:
    """The same, but no two of the facts at one and the same moment; they may still meet times and outages."""
    taken: set[datetime] = set()

    def free(at: Any) -> Any:
        while at in taken:
            at += TICK
        if at is not None:
            taken.add(at)
        return at

    delivery = facts.delivery
    return Facts(
        heights={height: free(at) for height, at in sorted(facts.heights.items())},
        delivery=delivery and replace(delivery, at=free(delivery.at)),
        payer_approved_at=free(facts.payer_approved_at),
        verifier_approved_at=free(facts.verifier_approved_at),
        revealed={key: free(at) for key, at in facts.revealed.items()},
        attestations=tuple(replace(each, at=free(each.at)) for each in facts.attestations),
        node_results=tuple(replace(each, at=free(each.at)) for each in facts.node_results),
    )


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_what_the_rules_foresee_is_what_is_done(session: Session, services: Services) -> None:
    with time_machine.travel(START, tick=False) as clock:
        town = Town(session, services)

        @settings(
            max_examples=20,
            # To shrink an example is to live through hundreds of others.
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(sound_terms(), histories(), outages(), st.sets(st.integers(0, 120), max_size=6))
        def live(terms: Terms, facts: Facts, pauses: list[Pause], looks: set[int]) -> None:
            _live_through(town, clock, terms, apart(facts), pauses, looks)

        live()
        session.rollback()
        assert check_books(session) == []
        assert list(audit_trail.broken_links(session)) == []


def _live_through(
    town: Town,
    clock: time_machine.Traveller,
    terms: Terms,
    facts: Facts,
    pauses: list[Pause],
    looks: set[int],
) -> None:
    clock.move_to(START)
    before = balances(town.session, town.pair.payer.wallet_id), _earned(town)
    escrow = town.create(terms)
    expected = outcome(terms, facts, END_OF_TIME, 0, pauses)
    foreseen = try_out(town.session, town.services.settings, town.document(as_document(terms))).predictions
    town.session.rollback()
    if facts == Facts() and not pauses:
        assert (foreseen[0].decision, foreseen[0].at) == (expected.decision, expected.at)

    steps: list[tuple[datetime, int, Deed]] = []
    for pause in (each for each in pauses if each.end > START):
        steps.append((max(START, pause.start), 1, lambda pause=pause: town.begin_outage(pause)))  # type: ignore[misc]
        steps.append((pause.end, 0, lambda pause=pause: town.end_outage(pause)))  # type: ignore[misc]
    steps += [(hour(look / 2), 2, town.tick) for look in looks]
    steps += [(at, 3, deed) for at, deed in town.deeds(escrow, facts)]
    for at, _, deed in sorted(steps, key=lambda step: step[:2]):
        clock.move_to(at)
        with suppress(ConflictError, NotFoundError, PermissionDeniedError, TransactionError, ValidationError):
            deed()
        town.session.rollback()
    for late in (1000, 1001):
        clock.move_to(hour(late))
        town.tick()

    town.session.rollback()
    ended = town.session.get_one(Escrow, escrow.id, populate_existing=True)
    last = next(
        each
        for each in reversed(audit_trail.entries(town.session, escrow.id))
        if each.kind in ("released", "refunded")
    )
    is_released = expected.decision is Decision.RELEASE
    assert ended.status == ("released" if is_released else "refunded")
    assert last.detail["decided_at"] == to_rfc3339(expected.at)
    assert balances(town.session, town.pair.payer.wallet_id)[1] == before[0][1], "nothing is left in it"
    paid = Amount.parse(AMOUNT) if is_released else Amount(0)
    assert Amount.parse(before[0][0]) - paid == Amount.parse(
        balances(town.session, town.pair.payer.wallet_id)[0]
    )
    assert (_earned(town) - before[1]) == (escrow.provider_amount if is_released else Amount(0))


def _earned(town: Town) -> Amount:
    return Amount.parse(balances(town.session, town.pair.provider.wallet_id)[0], allow_zero=True)
