"""Random legal and illegal steps against the real services and a real database, with a model beside them.

The model is plain Python: balances in base units, and escrows and payouts with their state. After every step the
services and the model must agree on what was allowed, the balances must be those of the model, and the books right.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.databases import Databases
from tests.support.instances import write_config
from tests.support.people import Person, make_key, make_person
from webapp.config import load_config
from webapp.domain import accounts
from webapp.domain.canonical import sign_result
from webapp.domain.exceptions import (
    DuxosError,
    EscrowStateError,
    FrozenWalletError,
    InsufficientFundsError,
    NotFoundError,
    PermissionDeniedError,
    ResultValidationError,
)
from webapp.domain.money import Amount
from webapp.domain.roles import WORKER
from webapp.ledger import pooled
from webapp.ledger.integrity import check_books
from webapp.models import Deposit, DepositAddress, Escrow, Payout, Wallet
from webapp.services import audit_trail, database
from webapp.services.container import Services
from webapp.services.deposits import credits as deposit_credits
from webapp.services.escrow_clock import EscrowClock
from webapp.services.payouts.claims import claim_due
from webapp.services.payouts.queue import return_to_wallet
from webapp.services.pooled_accounts import CheckpointFolder
from webapp.services.signing_keys import IssuedKey
from webapp.services.unit_of_work import unit_of_work

ADDRESS = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"
RESULT, OTHER_RESULT = "ab" * 32, "cd" * 32
MIN_PAYOUT = 6_000_000
DEADLINE, WINDOW = timedelta(hours=168), timedelta(hours=72)
START = datetime(2030, 1, 1, tzinfo=UTC)
PEOPLE = 3

amounts = st.one_of(
    st.integers(1, 200_00000000), st.sampled_from([1, 19, 20, 21, MIN_PAYOUT - 1, MIN_PAYOUT, 100_00000000])
)
people = st.integers(0, PEOPLE - 1)


@dataclass
class ModelWallet:
    available: int = 0
    held: int = 0
    is_frozen: bool = False
    is_paid_out: bool = False


@dataclass
class ModelEscrow:
    id: uuid.UUID
    payer: int
    provider: int
    amount: int
    expires_at: datetime
    status: str = "active"
    accept_by: datetime | None = None

    @property
    def community(self) -> int:
        return self.amount * 5 // 100


@dataclass
class ModelDeposit:
    id: int
    owner: int
    amount: int
    status: str = "seen"
    shortfall: int = 0


@dataclass
class Ground:
    """What every example of one test shares: where databases come from, and a folder with settings."""

    databases: Databases
    folder: Any


class Escrows(RuleBasedStateMachine):
    """See the module. `ground` is set by the test."""

    ground: Ground
    escrows = Bundle("escrows")
    deposits = Bundle("deposits")

    def __init__(self) -> None:
        super().__init__()
        self.url = self.ground.databases.create()
        config = write_config(self.ground.folder, {"database": {"url": self.url}})
        self.services = Services.of(load_config(config))
        self.session: Session = database.Session(self.services.settings)
        self.traveller = time_machine.travel(START, tick=False)
        self.clock = self.traveller.start()
        self.now = START
        self.people: list[Person] = [make_person(self.session, self.services) for _ in range(PEOPLE)]
        self.keys: list[IssuedKey] = [make_key(self.session, self.services, each) for each in self.people]
        self.wallets = [ModelWallet() for _ in range(PEOPLE)]
        self.model_escrows: dict[uuid.UUID, ModelEscrow] = {}
        self.queued: dict[uuid.UUID, tuple[int, int]] = {}
        self.fund = self.losses = self.chain = 0
        with unit_of_work(self.session):
            for person in self.people:
                self.session.add(
                    DepositAddress(
                        address=f"address {person.wallet_id}", purpose="wallet", wallet_id=person.wallet_id
                    )
                )

    def teardown(self) -> None:
        self.traveller.stop()
        assert list(audit_trail.broken_links(self.session)) == []
        self.session.close()
        self.session.get_bind().engine.dispose()
        self.ground.databases.drop(self.url)

    def attempt(self, expected: type[DuxosError] | None, action: Any) -> Any:
        """Do it; what comes of it must be what the model expects."""
        if expected is None:
            return action()
        with pytest.raises(expected):
            action()
        return None

    def manager(self, person: int) -> Any:
        return self.services.escrow_manager(self.session, self.people[person].actor)

    # Deposits

    @initialize(target=deposits)
    def first_deposit(self) -> Any:
        return self.see_and_credit(0, 500_00000000)

    @rule(target=deposits, owner=people, amount=amounts)
    def deposit(self, owner: int, amount: int) -> Any:
        return self.see_and_credit(owner, amount)

    def see_and_credit(self, owner: int, amount: int) -> ModelDeposit:
        with unit_of_work(self.session):
            wallet_id = self.people[owner].wallet_id
            row = Deposit(
                wallet_id=wallet_id,
                address=f"address {wallet_id}",
                txid=uuid.uuid4().hex * 2,
                vout=0,
                amount=Amount(amount),
            )
            self.session.add(row)
            self.session.flush()
        made = ModelDeposit(row.id, owner, amount)
        self.credit(made)
        return made

    @rule(deposit=deposits)
    def credit_again_after_a_reversal(self, deposit: ModelDeposit) -> None:
        if deposit.status == "reversed":
            self.credit(deposit)

    def credit(self, deposit: ModelDeposit) -> None:
        with unit_of_work(self.session):
            row = self.session.get_one(Deposit, deposit.id)
            deposit_credits.credit(self.session, row, self.services.settings)
        self.wallets[deposit.owner].available += deposit.amount - deposit.shortfall
        self.losses += deposit.shortfall
        self.chain -= deposit.amount
        deposit.status, deposit.shortfall = "credited", 0

    @rule(deposit=deposits)
    def the_chain_takes_it_back(self, deposit: ModelDeposit) -> None:
        if deposit.status != "credited":
            return
        with unit_of_work(self.session):
            deposit_credits.take_back(self.session, self.session.get_one(Deposit, deposit.id))
        wallet = self.wallets[deposit.owner]
        there = min(wallet.available, deposit.amount)
        wallet.available -= there
        deposit.status, deposit.shortfall = "reversed", deposit.amount - there
        self.losses -= deposit.shortfall
        self.chain += deposit.amount
        wallet.is_frozen |= deposit.shortfall > 0

    @rule(person=people)
    def an_operator_lifts_the_freeze(self, person: int) -> None:
        with unit_of_work(self.session):
            self.session.get_one(Wallet, self.people[person].wallet_id).is_frozen = False
        self.wallets[person].is_frozen = False

    # Escrows

    @rule(target=escrows, payer=people, provider=people, amount=amounts)
    def create(self, payer: int, provider: int, amount: int) -> Any:
        wallet = self.wallets[payer]
        expected: type[DuxosError] | None = None
        if payer == provider:
            expected = DuxosError
        elif wallet.is_frozen:
            expected = FrozenWalletError
        elif wallet.available < amount:
            expected = InsufficientFundsError
        made = self.attempt(
            expected,
            lambda: self.manager(payer).create_escrow(
                self.people[payer].wallet_id,
                self.people[provider].wallet_id,
                str(Amount(amount)),
                "service",
                "task",
            ),
        )
        if made is None:
            return multiple()
        wallet.available -= amount
        wallet.held += amount
        model = ModelEscrow(made.id, payer, provider, amount, self.now + DEADLINE)
        self.model_escrows[made.id] = model
        return model

    def signed(self, escrow: ModelEscrow, result: str, by: int | None = None) -> str:
        secret = self.keys[escrow.provider if by is None else by].secret
        return sign_result(secret, escrow.id, Amount(escrow.amount), result)

    @rule(escrow=escrows, who=people, is_well_signed=st.booleans())
    def deliver(self, escrow: ModelEscrow, who: int, is_well_signed: bool) -> None:
        expected: type[DuxosError] | None = None
        if who not in (escrow.payer, escrow.provider):
            expected = NotFoundError
        elif escrow.status != "active":
            expected = EscrowStateError
        elif who != escrow.provider or self.now >= escrow.expires_at:
            expected = PermissionDeniedError
        elif not is_well_signed:
            expected = ResultValidationError
        by = escrow.provider if is_well_signed else escrow.payer
        self.attempt(
            expected,
            lambda: self.manager(who).deliver_escrow(escrow.id, RESULT, self.signed(escrow, RESULT, by)),
        )
        if expected is None:
            escrow.status, escrow.accept_by = "delivered", self.now + WINDOW

    @rule(escrow=escrows, who=people, result=st.sampled_from([None, RESULT, OTHER_RESULT]), by=people)
    def release(self, escrow: ModelEscrow, who: int, result: str | None, by: int) -> None:
        is_named = result is not None
        expected: type[DuxosError] | None = None
        if who not in (escrow.payer, escrow.provider):
            expected = NotFoundError
        elif escrow.status not in ("active", "delivered"):
            expected = EscrowStateError
        elif who != escrow.payer:
            expected = PermissionDeniedError
        elif (
            (escrow.status == "active" and not is_named)
            or (is_named and by != escrow.provider)
            or (escrow.status == "delivered" and result == OTHER_RESULT)
        ):
            expected = ResultValidationError
        signature = self.signed(escrow, result, by) if result else None
        self.attempt(expected, lambda: self.manager(who).release_escrow(escrow.id, result, signature))
        if expected is None:
            self.pay(escrow)

    def pay(self, escrow: ModelEscrow) -> None:
        escrow.status = "released"
        provider = self.wallets[escrow.provider]
        self.wallets[escrow.payer].held -= escrow.amount
        earned = escrow.amount - escrow.community
        self.fund += escrow.community
        if provider.is_paid_out and not provider.is_frozen and earned >= MIN_PAYOUT:
            statement = select(Payout.id).where(Payout.escrow_id == escrow.id)
            self.queued[self.session.scalars(statement).one()] = (escrow.provider, earned)
        else:
            provider.available += earned

    @rule(escrow=escrows, who=people)
    def refund(self, escrow: ModelEscrow, who: int) -> None:
        expected: type[DuxosError] | None = None
        if who not in (escrow.payer, escrow.provider):
            expected = NotFoundError
        elif escrow.status not in ("active", "delivered"):
            expected = EscrowStateError
        elif who == escrow.payer and (escrow.status == "delivered" or self.now < escrow.expires_at):
            expected = PermissionDeniedError
        self.attempt(expected, lambda: self.manager(who).refund_escrow(escrow.id, "a reason"))
        if expected is None:
            self.give_back(escrow)

    def give_back(self, escrow: ModelEscrow) -> None:
        escrow.status = "refunded"
        self.wallets[escrow.payer].held -= escrow.amount
        self.wallets[escrow.payer].available += escrow.amount

    @rule(hours=st.sampled_from([1, 71, 72, 96, 168, 400]), is_exact=st.booleans())
    def time_passes_and_the_clock_runs(self, hours: int, is_exact: bool) -> None:
        self.now += timedelta(hours=hours, microseconds=0 if is_exact else 1)
        self.clock.move_to(self.now)
        changed = EscrowClock(
            self.session, self.services.escrow_manager(self.session, WORKER), self.services.settings
        ).run()
        due = 0
        for escrow in self.model_escrows.values():
            if escrow.status == "active" and self.now >= escrow.expires_at:
                self.give_back(escrow)
                due += 1
            elif escrow.status == "delivered" and escrow.accept_by and self.now >= escrow.accept_by:
                self.pay(escrow)
                due += 1
        assert changed == due

    # Payouts

    @rule(person=people, is_wanted=st.booleans())
    def choose_to_be_paid_out(self, person: int, is_wanted: bool) -> None:
        with unit_of_work(self.session):
            wallet = self.session.get_one(Wallet, self.people[person].wallet_id)
            wallet.payout_address = ADDRESS if is_wanted else None
        self.wallets[person].is_paid_out = is_wanted

    @rule(person=people, amount=amounts)
    def withdraw(self, person: int, amount: int) -> None:
        wallet = self.wallets[person]
        expected: type[DuxosError] | None = None
        if amount < MIN_PAYOUT:
            expected = DuxosError
        elif wallet.is_frozen:
            expected = FrozenWalletError
        elif wallet.available < amount:
            expected = InsufficientFundsError
        queue = self.services.wallets(self.session).payouts
        payout = self.attempt(
            expected, lambda: queue.withdraw(self.people[person].wallet_id, ADDRESS, Amount(amount))
        )
        if payout is not None:
            wallet.available -= amount
            self.queued[payout.id] = (person, amount)

    @precondition(lambda self: self.queued)
    @rule(data=st.data())
    def a_payout_is_refused_by_the_daemon_and_returned(self, data: st.DataObject) -> None:
        payout_id = data.draw(st.sampled_from(sorted(self.queued)))
        with unit_of_work(self.session):
            return_to_wallet(self.session, self.session.get_one(Payout, payout_id), "refused")
        person, amount = self.queued.pop(payout_id)
        self.wallets[person].available += amount

    @rule()
    def a_worker_claims_what_may_leave_and_dies(self) -> None:
        claim = claim_due(self.session, self.services.settings.wallet)
        may_leave = {key for key, (person, _) in self.queued.items() if not self.wallets[person].is_frozen}
        assert {payout.id for payout in claim.payouts} == may_leave
        with unit_of_work(self.session):
            for payout in claim.payouts:
                self.session.get_one(Payout, payout.id).status = "queued"

    @rule()
    def checkpoints_are_folded(self) -> None:
        assert CheckpointFolder(self.session).run()

    # After every step

    @invariant()
    def the_books_are_right(self) -> None:
        self.session.rollback()
        assert check_books(self.session) == []

    @invariant()
    def balances_are_those_of_the_model(self) -> None:
        self.session.rollback()
        rows = self.session.execute(
            select(Wallet.available, Wallet.held, Wallet.is_frozen).order_by(Wallet.id)
        )
        found = [(row.available.base_units, row.held.base_units, row.is_frozen) for row in rows]
        assert found == [(each.available, each.held, each.is_frozen) for each in self.wallets]
        in_flight = sum(amount for _, amount in self.queued.values())
        for account, expected in (
            (accounts.FUND, self.fund),
            (accounts.PAYOUTS_IN_FLIGHT, in_flight),
            (accounts.LOSSES, self.losses),
            (accounts.CHAIN, self.chain),
        ):
            assert pooled.balance(self.session, account) == expected, account
        self.session.rollback()

    @invariant()
    def escrows_are_where_the_model_has_them(self) -> None:
        self.session.rollback()
        found = {row.id: row.status for row in self.session.execute(select(Escrow.id, Escrow.status))}
        assert found == {each.id: each.status for each in self.model_escrows.values()}
        self.session.rollback()


@pytest.fixture
def ground(databases: Databases, tmp_path: Any) -> Iterator[Ground]:
    yield Ground(databases, tmp_path / "instance")


@pytest.mark.slow
@pytest.mark.timeout(600)  # a failure is worth the minutes that it takes to find its shortest story
def test_random_steps_never_break_the_books(ground: Ground) -> None:
    Escrows.ground = ground
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Escrows,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=False,
        ),
    )
