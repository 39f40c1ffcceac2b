"""What may leave a user's wallets in 24 hours: exact, in plain words, and the same however many ask at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy.orm
import time_machine
from sqlalchemy import select, update

from tests.support.money import balances, credit
from tests.support.people import (
    RESULT_HASH,
    Person,
    make_escrow,
    make_key,
    make_pair,
    make_person,
    manager,
    signature,
)
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import FrozenWalletError
from webapp.domain.money import Amount
from webapp.models import ChainTransaction, Payout, Wallet
from webapp.services.container import Services
from webapp.services.custody import limits
from webapp.services.custody.limits import WithdrawalLimitError
from webapp.services.database import Session
from webapp.services.payouts.queue import return_to_wallet
from webapp.services.payouts.transactions import SignedTransaction, store
from webapp.services.signing_keys import actor_of
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_ownership import set_payout_address

ADDRESS = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"
OTHER_ADDRESS = "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"

limited = pytest.mark.settings(custody={"daily_withdrawal_limit": "100"})
THREADS = 12


def rich(session: sqlalchemy.orm.Session, services: Services, amount: str = "1000") -> Person:
    person = make_person(session, services)
    credit(session, person.wallet_id, amount)
    return person


def second_wallet(session: sqlalchemy.orm.Session, person: Person, amount: str = "1000") -> int:
    with unit_of_work(session):
        wallet = Wallet(user_id=person.user.id, name="Second")
        session.add(wallet)
    credit(session, wallet.id, amount)
    return wallet.id


def withdraw(session: sqlalchemy.orm.Session, services: Services, wallet_id: int, amount: str) -> Payout:
    return services.wallets(session).payouts.withdraw(wallet_id, ADDRESS, Amount.parse(amount))


def left(session: sqlalchemy.orm.Session, services: Services, person: Person) -> str:
    found = limits.remaining(session, services.settings, person.user.id)
    session.rollback()
    return str(found)


def sign(session: sqlalchemy.orm.Session, payout: Payout) -> None:
    """As settlement does it: the payout is in a stored transaction from now on."""
    signed = SignedTransaction("ab" * 32, "00", Amount(1), 1, None, (), "00" * 32)
    with unit_of_work(session):
        transaction: ChainTransaction = store(session, signed, "payouts")
        values = {"status": "broadcast", "transaction_id": transaction.id}
        session.execute(update(Payout).where(Payout.id == payout.id).values(**values))


@limited
def test_all_wallets_of_a_user_share_the_limit_and_the_refusal_says_what_is_left_and_when_there_is_more(
    session: sqlalchemy.orm.Session, services: Services
) -> None:
    person, other = rich(session, services), rich(session, services)
    second = second_wallet(session, person)
    assert left(session, services, person) == "100.00000000"
    sign(session, withdraw(session, services, person.wallet_id, "70"))
    withdraw(session, services, second, "20")
    assert left(session, services, person) == "10.00000000"
    withdraw(session, services, other.wallet_id, "100")

    with pytest.raises(WithdrawalLimitError) as refused:
        withdraw(session, services, second, "10.00000001")
    free_at = (utcnow() + timedelta(days=1, minutes=1)).strftime("%Y-%m-%d %H:%M")
    assert refused.value.fields["amount"].startswith(
        "is more than may leave now: 10.00000000 FLOP is left of 100.00000000 FLOP in 24 hours; "
        "this much is possible from "
    )
    assert free_at[:-3] in refused.value.fields["amount"] or free_at.endswith("00")
    with pytest.raises(WithdrawalLimitError, match="24 hours after your waiting payouts have left"):
        withdraw(session, services, second, "90")
    with pytest.raises(WithdrawalLimitError, match=r"more than 100\.00000000 FLOP can never leave"):
        withdraw(session, services, second, "100.00000001")
    withdraw(session, services, second, "10")
    assert left(session, services, person) == "0.00000000"
    assert balances(session, second) == ("970.00000000", "0.00000000")


@limited
def test_a_day_later_what_has_left_is_free_again_and_what_still_waits_is_not(
    session: sqlalchemy.orm.Session, services: Services
) -> None:
    person = rich(session, services)
    sent = withdraw(session, services, person.wallet_id, "60")
    sign(session, sent)
    withdraw(session, services, person.wallet_id, "15")
    with time_machine.travel(utcnow() + timedelta(hours=23, minutes=59), tick=False):
        assert left(session, services, person) == "25.00000000"
    with time_machine.travel(utcnow() + timedelta(hours=24, seconds=1), tick=False):
        assert left(session, services, person) == "85.00000000"
        # Payouts that were stopped for days must not all leave on the day on which they are let go.
        with pytest.raises(WithdrawalLimitError):
            withdraw(session, services, person.wallet_id, "85.1")
    with unit_of_work(session):
        session.execute(update(Payout).values(status="claimed", transaction_id=None))


@limited
def test_what_failed_or_was_taken_back_does_not_count(
    session: sqlalchemy.orm.Session, services: Services
) -> None:
    person = rich(session, services)
    failed, cancelled = (withdraw(session, services, person.wallet_id, "50") for _ in range(2))
    with unit_of_work(session):
        return_to_wallet(session, session.get_one(Payout, failed.id), "the daemon refuses the address")
    services.wallets(session).payouts.cancel(cancelled.id, person.actor.wallet_ids)
    assert left(session, services, person) == "100.00000000"
    assert balances(session, person.wallet_id) == ("1000.00000000", "0.00000000")


def at_once(services: Services, attempts: list[Callable[[sqlalchemy.orm.Session], object]]) -> Counter[str]:
    """Every attempt in a thread and a session of its own, all let go together; how they ended, counted."""
    gate = threading.Barrier(len(attempts))

    def run(attempt: Callable[[sqlalchemy.orm.Session], object]) -> str:
        with Session(services.settings) as own:
            gate.wait()
            try:
                attempt(own)
            except WithdrawalLimitError:
                return "refused"
        return "done"

    with ThreadPoolExecutor(len(attempts)) as threads:
        return Counter(threads.map(run, attempts))


@limited
def test_the_limit_holds_when_many_ask_at_once_from_two_wallets_while_earnings_arrive(
    session: sqlalchemy.orm.Session, services: Services
) -> None:
    pair = make_pair(session, services)
    credit(session, pair.payer.wallet_id, "1000")
    person = pair.provider
    wallets = (person.wallet_id, second_wallet(session, person))
    credit(session, person.wallet_id, "1000")
    set_payout_address(session, services.daemon, person.actor, person.wallet_id, OTHER_ADDRESS)
    escrows = [make_escrow(session, services, pair, "20") for _ in range(4)]
    signed = [signature(pair, escrow) for escrow in escrows]
    withdrawals = [
        lambda own, wallet=wallets[number % 2]: withdraw(own, services, wallet, "15")
        for number in range(THREADS)
    ]
    releases = [
        lambda own, each=escrow, hand=hand: manager(own, services, pair.payer).release_escrow(
            each.id, RESULT_HASH, hand
        )
        for escrow, hand in zip(escrows, signed, strict=True)
    ]
    outcomes = at_once(services, [*withdrawals, *releases])

    session.rollback()
    asked = [payout.gross.base_units for payout in session.scalars(select(Payout))]
    session.rollback()
    assert 81 * 10**8 < sum(asked) <= 100 * 10**8, "as much as fits, and nothing beyond it"
    assert outcomes["done"] >= 4, "no release is refused for it: the earnings stay in the balance"
    assert left(session, services, person) == str(Amount(100 * 10**8 - sum(asked)))


@limited
def test_of_many_wallets_of_one_user_one_gets_the_last_that_is_left(
    session: sqlalchemy.orm.Session, services: Services
) -> None:
    person = rich(session, services)
    wallets = [second_wallet(session, person) for _ in range(6)]
    for _ in range(3):
        outcomes = at_once(
            services, [lambda own, each=each: withdraw(own, services, each, "60") for each in wallets]
        )
        assert outcomes == {"done": 1, "refused": 5}
        session.rollback()
        payout = session.scalars(select(Payout).where(Payout.status == "queued")).one()
        session.rollback()
        services.wallets(session).payouts.cancel(payout.id, frozenset(wallets))


@limited
def test_programs_withdraw_from_their_owners_limit_and_earnings_beyond_it_stay_in_the_balance(
    session: sqlalchemy.orm.Session, services: Services
) -> None:
    pair = make_pair(session, services)
    credit(session, pair.payer.wallet_id, "1000")
    provider = pair.provider
    set_payout_address(session, services.daemon, provider.actor, provider.wallet_id, OTHER_ADDRESS)

    def release(amount: str) -> None:
        escrow = make_escrow(session, services, pair, amount)
        manager(session, services, pair.payer).release_escrow(escrow.id, RESULT_HASH, signature(pair, escrow))

    release("100")
    assert left(session, services, provider) == "5.00000000"
    release("10")
    assert balances(session, provider.wallet_id) == ("9.50000000", "0.00000000")
    found = services.signing_keys(session).find_usable(make_key(session, services, provider).key_id)
    assert found is not None
    queue = services.wallets(session).payouts
    with pytest.raises(WithdrawalLimitError):
        queue.withdraw(provider.wallet_id, ADDRESS, Amount.parse("5.1"), actor_of(found[0]))
    by_program = queue.withdraw(provider.wallet_id, ADDRESS, Amount.parse("5"), actor_of(found[0]))
    assert by_program.requested_by == f"key:{found[0].id}"
    earned = session.scalars(select(Payout).where(Payout.escrow_id.is_not(None))).one()
    assert (earned.requested_by, str(earned.gross)) == ("worker", "95.00000000")


@pytest.mark.settings(custody={"daily_withdrawal_limit": "100"})
def test_a_frozen_wallet_and_a_wallet_that_is_not_there_use_up_nothing(
    session: sqlalchemy.orm.Session, services: Services
) -> None:
    person = rich(session, services)
    with unit_of_work(session):
        session.execute(update(Wallet).where(Wallet.id == person.wallet_id).values(is_frozen=True))
    with pytest.raises(FrozenWalletError):
        withdraw(session, services, person.wallet_id, "10")
    assert left(session, services, person) == "100.00000000"


def test_without_a_limit_nothing_is_counted(session: sqlalchemy.orm.Session, services: Services) -> None:
    person = rich(session, services)
    assert limits.remaining(session, services.settings, person.user.id) is None
    assert withdraw(session, services, person.wallet_id, "999").status == "queued"
