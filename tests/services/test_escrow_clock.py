"""What time does to escrows: nothing a moment too early, everything at the moment, once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.arrivals import chain_was_read, credit_payment, see_payment, stock_addresses
from tests.support.money import balances, credit, fund_balance
from tests.support.people import RESULT_HASH, Pair, make_escrow, make_pair, manager, signature
from webapp.domain.exceptions import EscrowStateError, PermissionDeniedError
from webapp.domain.roles import WORKER
from webapp.models import Escrow
from webapp.services import audit_trail
from webapp.services.container import Services
from webapp.services.escrow_clock import EscrowClock
from webapp.services.escrow_funding import PATIENCE
from webapp.services.unit_of_work import unit_of_work

START = datetime(2030, 1, 1, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
DEADLINE, WINDOW = timedelta(hours=168), timedelta(hours=72)


@pytest.fixture
def time() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(START, tick=False) as clock:
        yield clock


@pytest.fixture
def pair(session: Session, services: Services, time: time_machine.Traveller) -> Pair:
    made = make_pair(session, services)
    credit(session, made.payer.wallet_id, "1000")
    return made


@pytest.fixture
def clock(session: Session, services: Services) -> EscrowClock:
    return EscrowClock(session, services.escrow_manager(session, WORKER), services.settings)


def deliver(session: Session, services: Services, pair: Pair, escrow: Escrow) -> None:
    manager(session, services, pair.provider).deliver_escrow(escrow.id, RESULT_HASH, signature(pair, escrow))


def test_an_escrow_is_refunded_when_its_deadline_comes_and_not_before(
    session: Session, services: Services, pair: Pair, clock: EscrowClock, time: time_machine.Traveller
) -> None:
    escrow = make_escrow(session, services, pair, "100")
    assert escrow.expires_at == START + DEADLINE
    time.move_to(START + DEADLINE - INSTANT)
    assert clock.run() == 0
    with pytest.raises(PermissionDeniedError):
        manager(session, services, pair.payer).refund_escrow(escrow.id, "too early")
    time.move_to(START + DEADLINE)
    with pytest.raises(PermissionDeniedError):
        deliver(session, services, pair, escrow)
    assert clock.run() == 1
    assert clock.run() == 0
    assert balances(session, pair.payer.wallet_id) == ("1000.00000000", "0.00000000")
    last = audit_trail.entries(session, escrow.id)[-1]
    assert (last.kind, last.actor) == ("refunded", "worker")


def test_the_payer_need_not_wait_for_the_worker(
    session: Session, services: Services, pair: Pair, clock: EscrowClock, time: time_machine.Traveller
) -> None:
    escrow = make_escrow(session, services, pair, "100")
    time.move_to(START + DEADLINE)
    manager(session, services, pair.payer).refund_escrow(escrow.id, "nothing came")
    assert clock.run() == 0


def test_a_delivery_in_the_last_moment_counts_and_silence_accepts_it(
    session: Session, services: Services, pair: Pair, clock: EscrowClock, time: time_machine.Traveller
) -> None:
    escrow = make_escrow(session, services, pair, "100")
    time.move_to(START + DEADLINE - INSTANT)
    deliver(session, services, pair, escrow)
    end_of_window = START + DEADLINE - INSTANT + WINDOW
    time.move_to(end_of_window - INSTANT)
    assert clock.run() == 0, "the deadline has passed, but a delivery came before it"
    with pytest.raises(PermissionDeniedError):
        manager(session, services, pair.payer).refund_escrow(escrow.id, "I do not like it")
    time.move_to(end_of_window)
    assert clock.run() == 1
    assert balances(session, pair.provider.wallet_id) == ("95.00000000", "0.00000000")
    assert fund_balance(session) == "5.00000000"
    with pytest.raises(EscrowStateError):
        manager(session, services, pair.payer).release_escrow(escrow.id)


def test_an_accepted_delivery_pays_even_if_the_key_that_signed_it_has_ended(
    session: Session, services: Services, pair: Pair, clock: EscrowClock, time: time_machine.Traveller
) -> None:
    escrow = make_escrow(session, services, pair, "100")
    deliver(session, services, pair, escrow)
    services.signing_keys(session).revoke(pair.key.key_id, pair.provider.actor.wallet_ids)
    time.move_to(START + WINDOW)
    assert clock.run() == 1
    assert balances(session, pair.provider.wallet_id) == ("95.00000000", "0.00000000")


def test_an_unpaid_escrow_ends_when_its_time_is_over_and_the_chain_was_read_since(
    session: Session, services: Services, pair: Pair, clock: EscrowClock, time: time_machine.Traveller
) -> None:
    stock_addresses(session, 3)
    empty, part, coming = (make_escrow(session, services, pair, "10", funding="deposit") for _ in range(3))
    fund_by = START + timedelta(hours=24)
    assert empty.fund_by == fund_by
    credit_payment(session, services.settings, see_payment(session, part, "4"))
    see_payment(session, part, "5.99999999")
    on_its_way = see_payment(session, coming, "10", seen_at=fund_by)
    time.move_to(fund_by + timedelta(days=1))
    for read_at in (None, fund_by, fund_by + PATIENCE - INSTANT):
        if read_at:
            chain_was_read(session, read_at)
        assert clock.run() == 0
    chain_was_read(session, fund_by + PATIENCE)
    assert clock.run() == 2
    assert balances(session, pair.payer.wallet_id) == ("1004.00000000", "0.00000000")
    assert [entry.kind for entry in audit_trail.entries(session, empty.id)] == ["created", "refunded"]
    # What was seen in time is waited for until the result is due; if another transaction takes its place, no longer.
    time.move_to(START + DEADLINE - INSTANT)
    assert clock.run() == 0
    with unit_of_work(session):
        on_its_way.confirmations = -1
    assert clock.run() == 1


def test_many_due_escrows_are_all_done_and_an_end_of_their_own_is_kept(
    session: Session, services: Services, pair: Pair, clock: EscrowClock, time: time_machine.Traveller
) -> None:
    early = [
        make_escrow(session, services, pair, "1", expires_at=START + timedelta(hours=1)) for _ in range(5)
    ]
    late = make_escrow(session, services, pair, "1", expires_at=START + timedelta(hours=2))
    time.move_to(START + timedelta(hours=1))
    assert clock.run() == 5
    found = session.execute(select(Escrow.id, Escrow.status)).all()
    assert {row.id: row.status for row in found} == {
        **{each.id: "refunded" for each in early},
        late.id: "active",
    }


def test_the_worker_cannot_do_more_than_the_clock_allows(
    session: Session, services: Services, pair: Pair
) -> None:
    escrow = make_escrow(session, services, pair, "100")
    as_worker = services.escrow_manager(session, WORKER)
    with pytest.raises(PermissionDeniedError):
        as_worker.refund_escrow(escrow.id, "no")
    with pytest.raises(PermissionDeniedError):
        as_worker.release_escrow(escrow.id, RESULT_HASH, signature(pair, escrow))
