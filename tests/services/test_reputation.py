"""Reputation and settled work: counted from the journal day by day, and the same number from the journal itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from flask.testing import FlaskCliRunner
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.arrivals import credit_payment, see_payment, stock_addresses
from tests.support.money import credit
from tests.support.people import (
    RESULT_HASH,
    Pair,
    Person,
    make_escrow,
    make_node,
    make_pair,
    make_person,
    manager,
)
from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.canonical import sign_result
from webapp.domain.money import ZERO, Amount
from webapp.domain.reputation import DayTally
from webapp.domain.roles import WORKER
from webapp.domain.terms.presets import auto_refund
from webapp.ledger.journal import Move, post
from webapp.models import Escrow, NodeDay, Wallet
from webapp.services.container import Services
from webapp.services.database import Session as OpenSession
from webapp.services.escrow_clock import EscrowClock
from webapp.services.node_registry import RegisteredNode
from webapp.services.nodes import reputation
from webapp.services.nodes.reputation import Work, of_nodes, recount, settled_work
from webapp.services.nodes.tallies import Tallies, is_behind, tally_day, tally_since
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_ownership import actor_of_person

START = datetime(2030, 1, 1, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as travelling:
        yield travelling


@dataclass
class Yard:
    """A payer, a provider and one node of the provider's, and the ways in which work can end."""

    session: Session
    services: Services
    pair: Pair
    node: RegisteredNode

    @property
    def node_id(self) -> str:
        return self.node.node.id

    def task(self, amount: str = "10", **terms: object) -> Escrow:
        terms = {"provider_node_id": self.node_id, **terms}
        return make_escrow(self.session, self.services, self.pair, amount, **terms)

    def acts(self, person: Person):  # type: ignore[no-untyped-def]
        return manager(self.session, self.services, person)

    def result(self, escrow: Escrow) -> tuple[str, str]:
        secret = self.node.key.secret if escrow.provider_node_id else self.pair.key.secret
        return RESULT_HASH, sign_result(secret, escrow.id, escrow.amount, RESULT_HASH)

    def release(self, amount: str = "10", **terms: object) -> None:
        escrow = self.task(amount, **terms)
        self.acts(self.pair.payer).release_escrow(escrow.id, *self.result(escrow))

    def give_back(self, escrow: Escrow | None = None) -> None:
        self.acts(self.pair.provider).refund_escrow((escrow or self.task()).id, "cannot do it")

    def deliver(self, escrow: Escrow) -> None:
        self.acts(self.pair.provider).deliver_escrow(escrow.id, *self.result(escrow))

    def dispute(self, escrow: Escrow) -> None:
        self.acts(self.pair.payer).dispute_escrow(escrow.id, "not what was asked for")

    def pass_time(self) -> None:
        EscrowClock(
            self.session, self.services.escrow_manager(self.session, WORKER), self.services.settings
        ).run()

    def tallies(self) -> Tallies:
        return Tallies(self.session, self.services.settings)

    def days(self, node_id: str | None = None) -> list[DayTally]:
        self.session.rollback()
        rows = self.session.scalars(
            select(NodeDay).where(NodeDay.node_id == (node_id or self.node_id)).order_by(NodeDay.day)
        )
        return [
            DayTally(row.day, row.released, row.released_amount, row.refunded, row.late, row.disputes_lost)
            for row in rows
        ]

    def agreed_score(self) -> int:
        """What all ways of counting come to."""
        settings = self.services.settings
        tallied = of_nodes(self.session, settings, [self.node_id])
        assert of_nodes(self.session, settings, None).items() >= tallied.items()
        assert recount(self.session, settings, self.node_id) == tallied[self.node_id]
        self.session.rollback()
        return tallied[self.node_id]


@pytest.fixture
def yard(session: Session, services: Services, clock: time_machine.Traveller) -> Yard:
    pair = make_pair(session, services)
    credit(session, pair.payer.wallet_id, "10000")
    return Yard(session, services, pair, make_node(session, services, pair.provider))


def days_after(days: int) -> date:
    return START.date() + timedelta(days=days)


def test_every_end_of_an_escrow_counts_as_what_it_was(yard: Yard, clock: time_machine.Traveller) -> None:
    session, services = yard.session, yard.services
    stock_addresses(session, 2)

    yard.release("10")
    yard.give_back()
    late = yard.task(expires_at=START + HOUR)
    unpunctual_refund = yard.task(expires_at=START + HOUR)
    lost, won, divided = (yard.task("7", expires_at=START + HOUR) for _ in range(3))
    for escrow in (lost, won):
        yard.deliver(escrow)
    for escrow in (lost, won, divided):
        yard.dispute(escrow)
    delivered = yard.task("4", expires_at=START + HOUR)
    yard.deliver(delivered)
    paid = yard.task("5", funding="deposit")
    credit_payment(session, services.settings, see_payment(session, paid, "5"))
    # What does not count: paid for in part, no node, another's node, too small, and both sides of it one user's.
    unpaid = yard.task("5", funding="deposit")
    credit_payment(session, services.settings, see_payment(session, unpaid, "4"))
    yard.give_back(unpaid)
    yard.release("20", provider_node_id=None)
    yard.release("0.99999999")
    yard.release("1")
    release_to_oneself(yard)

    clock.move_to(START + 2 * HOUR)
    yard.give_back(unpunctual_refund)
    yard.pass_time()
    for escrow in (delivered, paid, lost):
        yard.give_back(escrow)
    yard.acts(yard.pair.payer).release_escrow(won.id)
    divide(session, divided)

    # One payer did all that, and can speak against the node in each way once a day. Another one is heard as well.
    somebody = make_person(session, services)
    credit(session, somebody.wallet_id, "10")
    other = Yard(session, services, Pair(somebody, yard.pair.provider, yard.pair.key), yard.node)
    other.give_back()

    assert tally_day(session, services.settings, START.date()) == 1
    assert session.get_one(Escrow, late.id).status == "refunded"
    assert yard.days() == [
        DayTally(START.date(), 3, Amount.parse(18), refunded=2, late=1, disputes_lost=1),
    ]
    assert yard.agreed_score() == 1000 * (3 + 5) // (3 + 2 + 2 * 1 + 4 + 10)
    assert settled_work(session, 30) == {yard.node_id: Work(3, Amount.parse(18))}


def test_what_terms_of_their_own_give_back_does_not_count_against_a_node(
    yard: Yard, clock: time_machine.Traveller
) -> None:
    unapproved, given_up, approved = (yard.task(terms=auto_refund(START + HOUR)) for _ in range(3))
    for escrow in (unapproved, approved):
        yard.deliver(escrow)
    yard.acts(yard.pair.payer).terms.approve(approved.id)
    yard.give_back(given_up)
    clock.move_to(START + HOUR)
    assert yard.acts(yard.pair.payer).terms.settle_due(unapproved.id)
    yard.tallies().run()
    (day,) = yard.days()
    assert (day.released, day.refunded, day.late) == (1, 0, 0)


def release_to_oneself(yard: Yard) -> None:
    session, payer = yard.session, yard.pair.payer
    with unit_of_work(session):
        second = Wallet(user_id=payer.user.id, name="Second")
        session.add(second)
    myself = Person(payer.user, second.id, actor_of_person(session, payer.user))
    own = Yard(
        session, yard.services, Pair(payer, myself, yard.pair.key), make_node(session, yard.services, myself)
    )
    own.acts(myself).create_escrow(payer.wallet_id, second.id, "500", "s", "t", provider_node_id=own.node_id)
    escrow = session.scalars(select(Escrow).where(Escrow.provider_wallet_id == second.id)).one()
    own.acts(myself).release_escrow(escrow.id, *own.result(escrow))


def divide(session: Session, escrow: Escrow) -> None:
    """What a ruling that gives a part to each side leaves in the journal."""
    held = accounts.held(escrow.payer_wallet_id)
    with unit_of_work(session):
        moves = [
            Move(held, accounts.available(escrow.payer_wallet_id), Amount.parse(3)),
            Move(held, accounts.available(escrow.provider_wallet_id), Amount.parse(4)),
        ]
        post(session, f"escrow:{escrow.id}:resolve", "escrow_resolve", moves, escrow_id=escrow.id)
        divided = session.get_one(Escrow, escrow.id)
        divided.status = "resolved"
        divided.resolved_provider_amount, divided.resolved_community_amount = Amount.parse(4), ZERO


@pytest.mark.settings(nodes={"reputation_half_life_days": 5})
def test_time_fades_it_and_both_counts_fade_alike(yard: Yard, clock: time_machine.Traveller) -> None:
    counter, seen = yard.tallies(), []
    for day in range(4):
        clock.move_to(START + day * DAY)
        yard.release("2")
        if day == 1:
            yard.give_back()
        counter.run()
        seen.append(yard.agreed_score())
    for day in (5, 8, 9, 14, 25, 31, 32, 33, 34):
        clock.move_to(START + day * DAY)
        assert counter.run() == 0, "nothing happened"
        seen.append(yard.agreed_score())
    assert seen[:4] == [545, 534, 566, 591]
    assert seen[-1] == 500
    assert seen[3:] == sorted(seen[3:], reverse=True)
    work = {within: settled_work(yard.session, within, days_after(3)) for within in (1, 2, 30)}
    assert [work[within][yard.node_id].escrows for within in (1, 2, 30)] == [2, 3, 4]
    assert settled_work(yard.session, 30) == {}
    assert of_nodes(yard.session, yard.services.settings, None, days_after(1))[yard.node_id] == 534


def test_days_that_a_worker_missed_are_counted_when_it_is_back(
    yard: Yard, clock: time_machine.Traveller
) -> None:
    for day in (0, 2, 5):
        clock.move_to(START + day * DAY)
        yard.release()
    clock.move_to(START + 9 * DAY)
    settings = yard.services.settings
    assert is_behind(yard.session, settings)
    tally_day(yard.session, settings, START.date())
    assert is_behind(yard.session, settings), "a part of the days is not all of them"
    assert yard.tallies().run() == 2
    assert not is_behind(yard.session, settings)
    yard.release()
    assert yard.tallies().run() == 1
    assert [tally.day for tally in yard.days()] == [days_after(n) for n in (0, 2, 5, 9)]

    # The worker that counts sleeps over midnight, and another one is started after it.
    running = yard.tallies()
    assert running.run() == 0
    midnight = datetime(2030, 1, 11, tzinfo=UTC)
    clock.move_to(midnight - timedelta(seconds=1))
    yard.release()
    clock.move_to(midnight + 3 * HOUR)
    yard.release()
    assert yard.tallies().run() == 2
    assert running.run() == 0
    # An entry from before midnight that is committed after it.
    clock.move_to(midnight + DAY + timedelta(minutes=10))
    yard.release()
    assert running.run() == 1
    clock.move_to(midnight + DAY - timedelta(seconds=1))
    yard.release()
    clock.move_to(midnight + DAY + timedelta(minutes=20))
    assert running.run() == 1
    assert [tally.released for tally in yard.days()] == [1, 1, 1, 2, 2, 1]
    assert yard.agreed_score() > 500


def test_several_may_count_at_once_and_again(yard: Yard, settings: Settings) -> None:
    yard.release()
    yard.give_back()

    def count() -> list[int]:
        with OpenSession(settings) as own:
            return [tally_day(own, settings, START.date()) for _ in range(5)]

    with ThreadPoolExecutor(3) as several:
        changed = [several.submit(count) for _ in range(3)]
    assert sum(sum(each.result()) for each in changed) == 1, "one of them counted it first"
    assert yard.days() == [DayTally(START.date(), 1, Amount.parse(10), refunded=1)]
    # What does not count any more is taken away.
    stricter = settings.nodes.model_copy(update={"counted_from_amount": Amount.parse(11)})
    stricter_settings = settings.model_copy(update={"nodes": stricter})
    assert tally_since(yard.session, stricter_settings, START.date()) == 1
    assert yard.days() == []


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_reputation_of_many_nodes_comes_from_one_query(
    yard: Yard, monkeypatch: pytest.MonkeyPatch, clock: time_machine.Traveller
) -> None:
    yard.release()
    yard.tallies().run()
    fresh = make_node(yard.session, yard.services, yard.pair.provider).node.id
    settings, wanted = yard.services.settings, [yard.node_id, fresh, "node-none"]
    expected = {yard.node_id: 545, fresh: 500}
    assert of_nodes(yard.session, settings, None) == expected
    assert of_nodes(yard.session, settings, wanted) == expected
    assert of_nodes(yard.session, settings, [fresh]) == {fresh: 500}
    assert of_nodes(yard.session, settings, []) == {}
    monkeypatch.setattr(reputation, "FEW", 0)
    assert of_nodes(yard.session, settings, []) == {}
    assert of_nodes(yard.session, settings, wanted) == expected


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
@pytest.mark.settings(nodes={"reputation_half_life_days": 1})
def test_an_operator_reads_and_recounts_at_a_terminal(yard: Yard, runner: FlaskCliRunner) -> None:
    yard.release()

    def said(*words: str) -> dict[str, object]:
        yard.session.rollback()
        result = runner.invoke(args=["reputation", *words, "--json"])
        assert result.exit_code == 0, result.output
        found: dict[str, object] = json.loads(result.output)
        return found

    assert said("show", yard.node_id)["reputation"] == 500, "today was not counted yet"
    assert said("recount") == {"since": "2029-12-26", "changed": 1}
    assert said("recount", "--all") == {"since": "2030-01-01", "changed": 0}
    assert said("show", yard.node_id) == {
        "node_id": yard.node_id,
        "reputation": 545,
        "from_the_journal": 545,
        "released": 1,
        "released_amount": "10.00000000",
        "refunded": 0,
        "late": 0,
        "disputes_lost": 0,
    }
    assert runner.invoke(args=["reputation", "show", "node-none"]).exit_code == 1
