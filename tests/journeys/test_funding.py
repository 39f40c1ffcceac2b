"""Payments to escrows' addresses in any order, undone and repeated: no coin counts twice, and none stays behind."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy.orm
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, func, select, type_coerce

from tests.support.arrivals import (
    chain_was_read,
    credit_payment,
    see_payment,
    stock_addresses,
    take_payment_back,
)
from tests.support.databases import SqliteDatabases
from tests.support.instances import write_config
from tests.support.people import RESULT_HASH, make_escrow, make_pair, manager, signature
from webapp.config import load_config
from webapp.domain import accounts
from webapp.domain.exceptions import DuxosError, EscrowStateError
from webapp.domain.money import ZERO, Amount
from webapp.domain.roles import WORKER
from webapp.ledger import pooled
from webapp.ledger.integrity import check_books
from webapp.models import Deposit, Escrow, Payout
from webapp.services import audit_trail
from webapp.services.container import Services
from webapp.services.database import Session
from webapp.services.escrow_clock import EscrowClock

START = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HOME = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"

escrow_numbers, positions = st.integers(0, 1), st.integers(0, 7)
steps = st.one_of(
    st.tuples(st.just("see"), escrow_numbers, st.sampled_from(["0.05", "4", "6", "10", "13"])),
    st.tuples(st.just("credit"), positions),
    st.tuples(st.just("credit"), positions),
    st.tuples(st.just("undo"), positions),
    st.tuples(st.sampled_from(["cancel", "release"]), escrow_numbers),
    st.tuples(st.just("withdraw")),
    st.tuples(st.just("a day passes")),
)


class Story:
    """Two escrows of 10 FLOP with addresses of their own, of which one names a way home."""

    def __init__(self, url: str, folder: Path, clock: time_machine.Traveller) -> None:
        self.services = Services.of(load_config(write_config(folder, {"database": {"url": url}})))
        self.session = Session(self.services.settings)
        self.clock = clock
        self.now = START
        self.pair = make_pair(self.session, self.services)
        stock_addresses(self.session, 2)
        self.escrows = [
            make_escrow(self.session, self.services, self.pair, "10", funding="deposit", refund_address=home)
            for home in (None, HOME)
        ]
        self.deposits: list[Deposit] = []

    def take(self, step: tuple[object, ...]) -> None:
        """One step; what cannot be done now is left."""
        match step:
            case ("see", int(number), str(amount)):
                self.deposits.append(see_payment(self.session, self.escrows[number], amount))
            case ("credit", int(position)) if position < len(self.deposits):
                if self.deposits[position].status != "credited":
                    credit_payment(self.session, self.services.settings, self.deposits[position])
            case ("undo", int(position)) if position < len(self.deposits):
                if self.deposits[position].status == "credited":
                    take_payment_back(self.session, self.deposits[position])
            case ("cancel" | "release" as deed, int(number)):
                self.attempt(str(deed), self.escrows[number])
            case ("withdraw",):
                self.withdraw()
            case ("a day passes",):
                self.pass_time(DAY)

    def attempt(self, deed: str, escrow: Escrow) -> None:
        escrows = manager(self.session, self.services, self.pair.payer)
        try:
            if deed == "cancel":
                escrows.refund_escrow(escrow.id, "no")
            else:
                escrows.release_escrow(escrow.id, RESULT_HASH, signature(self.pair, escrow))
        except DuxosError:
            self.session.rollback()

    def withdraw(self) -> None:
        wallet = self.services.wallets(self.session).wallet(self.pair.payer.wallet_id)
        if wallet.available >= self.services.settings.wallet.min_payout and not wallet.is_frozen:
            self.services.wallets(self.session).payouts.withdraw(wallet.id, HOME, wallet.available)

    def pass_time(self, how_long: timedelta) -> None:
        self.now += how_long
        self.clock.move_to(self.now)
        chain_was_read(self.session, self.now)
        escrows = self.services.escrow_manager(self.session, WORKER)
        EscrowClock(self.session, escrows, self.services.settings).run()

    def check(self) -> None:
        """The books are right, and what they say came in is what is credited, each once."""
        self.session.rollback()
        assert check_books(self.session) == []
        assert -pooled.balance(self.session, accounts.CHAIN) == self.total(
            Deposit.amount, Deposit.status == "credited"
        )
        assert -pooled.balance(self.session, accounts.LOSSES) == self.total(Deposit.shortfall)

    def total(self, column, *conditions) -> int:
        units = func.coalesce(func.sum(type_coerce(column, BigInteger)), 0)
        return self.session.execute(select(units).where(*conditions)).scalar_one()

    def end(self) -> None:
        """Everything confirms at last, time runs out: no escrow holds anything that is not the provider's to earn."""
        self.pass_time(30 * DAY)
        for deposit in self.deposits:
            if deposit.status != "credited":
                credit_payment(self.session, self.services.settings, deposit)
        self.check()
        released = sum(each.status == "released" for each in self.escrows)
        assert {each.status for each in self.escrows} <= {"released", "refunded"}
        wallet = self.services.wallets(self.session).wallet(self.pair.payer.wallet_id)
        assert (wallet.held, self.total(Deposit.shortfall)) == (ZERO, 0)
        back = wallet.available.base_units + self.total(Payout.gross)
        assert back == self.total(Deposit.amount) - released * self.escrows[0].amount.base_units
        assert list(audit_trail.broken_links(self.session)) == []


@pytest.mark.timeout(600)  # a failure is worth the minutes that it takes to find its shortest story
@given(st.lists(steps, min_size=4, max_size=16))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_happens_every_coin_ends_with_the_provider_or_comes_home(
    sqlite_databases: SqliteDatabases, tmp_path: Path, story: list[tuple[object, ...]]
) -> None:
    url = sqlite_databases.create()
    with time_machine.travel(START, tick=False) as clock:
        told = Story(url, tmp_path / "instance", clock)
        for step in story:
            told.take(step)
            told.check()
        told.end()
        told.session.close()
        told.session.get_bind().engine.dispose()
    sqlite_databases.drop(url)


def test_a_payment_and_a_cancellation_at_once_leave_one_truth(
    session: sqlalchemy.orm.Session, services: Services
) -> None:
    pair = make_pair(session, services)
    stock_addresses(session, 8)
    escrows = [make_escrow(session, services, pair, "10", funding="deposit") for _ in range(8)]
    deposits = [see_payment(session, escrow, "10").id for escrow in escrows]
    session.rollback()
    gate = threading.Barrier(16)

    def credit(deposit_id: int) -> None:
        with Session(services.settings) as own:
            gate.wait()
            credit_payment(own, services.settings, own.get_one(Deposit, deposit_id))

    def cancel(escrow: Escrow) -> None:
        with Session(services.settings) as own:
            gate.wait()
            try:
                manager(own, services, pair.provider).refund_escrow(escrow.id, "no time")
            except EscrowStateError:
                own.rollback()

    with ThreadPoolExecutor(16) as threads:
        done = [threads.submit(credit, each) for each in deposits]
        done += [threads.submit(cancel, each) for each in escrows]
        for each in done:
            each.result()
    session.rollback()
    assert check_books(session) == []
    # Whoever cancels an escrow that is paid for in the same moment is told so; nothing is in between.
    states = [session.get_one(Escrow, each.id, populate_existing=True).status for each in escrows]
    refunded, active = states.count("refunded"), states.count("active")
    assert refunded + active == 8
    wallet = services.wallets(session).wallet(pair.payer.wallet_id)
    assert wallet.available == Amount.parse(10 * refunded, allow_zero=True)
    assert wallet.held == Amount.parse(10 * active, allow_zero=True)
