"""Fifty at once: of those who want the same, exactly one gets it, and every balance is exact afterwards."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
import sqlalchemy.orm

from tests.support.money import balances, credit, fund_balance
from tests.support.people import (
    RESULT_HASH,
    Pair,
    make_escrow,
    make_key,
    make_pair,
    manager,
    signature,
)
from webapp.domain.exceptions import EscrowStateError, InsufficientFundsError, SpendLimitError
from webapp.domain.money import Amount
from webapp.domain.roles import PROGRAM
from webapp.services import audit_trail
from webapp.services.container import Services
from webapp.services.database import Session
from webapp.services.signing_keys import actor_of

THREADS = 50


@pytest.fixture
def pair(session: sqlalchemy.orm.Session, services: Services) -> Pair:
    """Payer and provider; the payer has 1000."""
    made = make_pair(session, services)
    credit(session, made.payer.wallet_id, "1000")
    return made


def at_once(services: Services, attempts: list[Callable[[sqlalchemy.orm.Session], object]]) -> Counter[str]:
    """Run every attempt in a thread and a session of its own, all let go together; how they ended, counted."""
    gate = threading.Barrier(len(attempts))

    def run(attempt: Callable[[sqlalchemy.orm.Session], object]) -> str:
        with Session(services.settings) as session:
            gate.wait()
            try:
                attempt(session)
            except (EscrowStateError, InsufficientFundsError, SpendLimitError) as error:
                return type(error).__name__
        return "done"

    with ThreadPoolExecutor(len(attempts)) as threads:
        return Counter(threads.map(run, attempts))


def test_fifty_threads_release_one_escrow_and_exactly_one_succeeds(
    session: sqlalchemy.orm.Session, services: Services, pair: Pair
) -> None:
    escrow = make_escrow(session, services, pair, "100")
    signed = signature(pair, escrow)
    outcomes = at_once(
        services,
        [lambda own: manager(own, services, pair.payer).release_escrow(escrow.id, RESULT_HASH, signed)]
        * THREADS,
    )
    assert outcomes == {"done": 1, "EscrowStateError": THREADS - 1}
    assert balances(session, pair.payer.wallet_id) == ("900.00000000", "0.00000000")
    assert balances(session, pair.provider.wallet_id) == ("95.00000000", "0.00000000")
    assert fund_balance(session) == "5.00000000"
    assert [entry.kind for entry in audit_trail.entries(session, escrow.id)] == ["created", "released"]


def test_fifty_threads_deliver_one_escrow_and_exactly_one_succeeds(
    session: sqlalchemy.orm.Session, services: Services, pair: Pair
) -> None:
    escrow = make_escrow(session, services, pair, "100")
    signed = signature(pair, escrow)
    outcomes = at_once(
        services,
        [lambda own: manager(own, services, pair.provider).deliver_escrow(escrow.id, RESULT_HASH, signed)]
        * THREADS,
    )
    assert outcomes == {"done": 1, "EscrowStateError": THREADS - 1}


def test_fifty_threads_drain_one_wallet_and_nothing_is_overdrawn(
    session: sqlalchemy.orm.Session, services: Services, pair: Pair
) -> None:
    outcomes = at_once(services, [lambda own: make_escrow(own, services, pair, "30")] * THREADS)
    assert outcomes == {"done": 33, "InsufficientFundsError": 17}
    assert balances(session, pair.payer.wallet_id) == ("10.00000000", "990.00000000")


def test_releases_and_refunds_of_the_same_escrows_race_and_each_escrow_ends_once(
    session: sqlalchemy.orm.Session, services: Services, pair: Pair
) -> None:
    escrows = [make_escrow(session, services, pair, "10") for _ in range(10)]
    attempts: list[Callable[[sqlalchemy.orm.Session], object]] = []
    for escrow in escrows:
        signed = signature(pair, escrow)
        attempts += [
            lambda own, each=escrow, by=signed: manager(own, services, pair.payer).release_escrow(
                each.id, RESULT_HASH, by
            ),
            lambda own, each=escrow: manager(own, services, pair.provider).refund_escrow(each.id, "failed"),
        ] * 2
    assert at_once(services, attempts) == {"done": 10, "EscrowStateError": 30}
    available, held = balances(session, pair.payer.wallet_id)
    refunded = (Decimal(available) - 900) / 10
    assert held == "0.00000000"
    assert Decimal(balances(session, pair.provider.wallet_id)[0]) == Decimal("9.5") * (10 - refunded)
    assert Decimal(fund_balance(session)) == Decimal("0.5") * (10 - refunded)


def test_escrows_in_both_directions_at_once_do_not_wait_for_each_other_for_ever(
    session: sqlalchemy.orm.Session, services: Services, pair: Pair
) -> None:
    credit(session, pair.provider.wallet_id, "1000")
    back = Pair(pair.provider, pair.payer, make_key(session, services, pair.payer))

    def there(own: sqlalchemy.orm.Session, between: Pair) -> None:
        escrow = make_escrow(own, services, between, "10")
        manager(own, services, between.payer).release_escrow(
            escrow.id, RESULT_HASH, signature(between, escrow)
        )

    attempts = [lambda own: there(own, pair), lambda own: there(own, back)] * 20
    assert at_once(services, attempts) == {"done": 40}
    # Each gave 20 x 10 and got 20 x 9.5.
    for person in (pair.payer, pair.provider):
        assert balances(session, person.wallet_id) == ("990.00000000", "0.00000000")
    assert fund_balance(session) == "20.00000000"


def test_a_spend_limit_holds_however_many_spend_at_once(
    session: sqlalchemy.orm.Session, services: Services, pair: Pair
) -> None:
    issued = make_key(session, services, pair.payer, ("escrow:create",), spend_limit=Amount.parse("100"))
    found = services.signing_keys(session).find_usable(issued.key_id)
    session.rollback()
    assert found is not None
    actor = actor_of(found[0])

    def spend(own: sqlalchemy.orm.Session) -> None:
        services.escrow_manager(own, actor).create_escrow(
            pair.payer.wallet_id, pair.provider.wallet_id, "30", "service", "task"
        )

    assert at_once(services, [spend] * 20) == {"done": 3, "SpendLimitError": 17}
    assert balances(session, pair.payer.wallet_id) == ("910.00000000", "90.00000000")


def test_withdrawals_and_escrows_race_for_the_same_balance(
    session: sqlalchemy.orm.Session, services: Services, pair: Pair
) -> None:
    address = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"
    attempts: list[Callable[[sqlalchemy.orm.Session], object]] = [
        lambda own: services.wallets(own).payouts.withdraw(pair.payer.wallet_id, address, Amount.parse("60")),
        lambda own: services.escrow_manager(own, PROGRAM).create_escrow(
            pair.payer.wallet_id, pair.provider.wallet_id, "60", "service", "task"
        ),
    ] * 15
    assert at_once(services, attempts) == {"done": 16, "InsufficientFundsError": 14}
    assert balances(session, pair.payer.wallet_id)[0] == "40.00000000"
