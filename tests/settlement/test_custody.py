"""The custodian's rules on a real chain: a second pair of eyes, cold storage, and the brake. Books exact throughout."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from tests.settlement.test_payouts import make_due, transactions
from tests.support.chain import Chain
from tests.support.market import Market
from tests.support.people import Person, make_person
from webapp.config import Settings
from webapp.domain import accounts, failpoints
from webapp.domain.exceptions import (
    PayoutStateError,
    PermissionDeniedError,
    RpcUnknownOutcomeError,
)
from webapp.domain.money import Amount, format_signed
from webapp.domain.roles import Actor
from webapp.ledger import pooled
from webapp.models import Alert, ChainTransaction, OperatorAction, PayoutHalt
from webapp.services.chain_watcher import ChainWatcher
from webapp.services.custody import approvals, cold_storage, freezes, overview
from webapp.services.custody.hot_wallet import HotWallet
from webapp.services.custody.sweep import OwnAddressError, Sweeper, SweepRefusedError
from webapp.services.database import Session
from webapp.services.payouts import halts as payout_halts
from webapp.services.payouts.own_transactions import OwnTransactions, UpkeepRefusedError
from webapp.services.settlement import Settlement

# A key that only these tests know, and its address on regtest: the miner keeps it for the operator.
COLD_KEY = "cNDq67Mw5iLdnEDGUAn6gNYAEvEMdwnXJoG2BUHBNVXqBcjhgMu2"
COLD_ADDRESS = "mxN4RD7TojQjoQWopomYrcF52JuznX6sup"


def operator(market: Market) -> Person:
    return make_person(market.session, market.services, "operator")


def actions(market: Market) -> list[tuple[str, str]]:
    """(who, what) of everything that operators did, in order."""
    market.session.rollback()
    rows = market.session.execute(
        select(OperatorAction.actor, OperatorAction.action).order_by(OperatorAction.id)
    )
    found = [(row.actor, row.action) for row in rows]
    market.session.rollback()
    return found


def own_units(market: Market, account: str) -> int:
    market.session.rollback()
    found = pooled.balance(market.session, account)
    market.session.rollback()
    return found


def received_cold(chain: Chain) -> str:
    return chain.received(COLD_ADDRESS)


@pytest.fixture
def cold(chain: Chain) -> Chain:
    """The chain, whose miner also holds the cold key; what that got before belongs to other tests."""
    chain.miner.rpc("importprivkey", COLD_KEY, "", False)
    return chain


def settlement(market: Market) -> Settlement:
    """A worker's settlement alone, without the other tasks."""
    market.session.rollback()
    return Settlement(market.session, market.services.settings, market.services.daemon)


def read_chain(market: Market) -> None:
    """A worker's look at the chain alone."""
    market.session.rollback()
    ChainWatcher(market.session, market.services.settings, market.services.daemon).run()
    settlement(market).follow()


def look_at_hot_wallet(market: Market) -> None:
    """A worker's look at the hot wallet alone."""
    market.session.rollback()
    HotWallet(market.session, market.services.settings, market.services.daemon).run()


@pytest.mark.settings(custody={"approval_above": "50"})
def test_a_large_payout_leaves_only_to_where_another_operator_has_agreed(market: Market) -> None:
    first, second = operator(market), operator(market)
    before, thiefs = market.chain.new_outside_address(), market.chain.new_outside_address()
    market.chain.deposit(market.address_of(market.payer), "200", confirmations=2)
    read_chain(market)
    small = market.withdraw(market.payer, before, "50")
    rest = market.withdraw(market.payer, before, "0.1")  # the next slice of the same cake
    large = market.withdraw(market.payer, before, "60")
    settlement(market).run()
    assert [payout.status for payout in market.payouts()] == ["broadcast"] + ["awaiting_approval"] * 2
    assert small.requested_by == "program"

    for outsider in (market.payer, market.provider, make_person(market.session, market.services, "arbiter")):
        with pytest.raises(PermissionDeniedError):
            approvals.approve(market.session, outsider.actor, large.id, before)
    queue = market.services.wallets(market.session).payouts
    queue.redirect(large.id, market.payer.actor.wallet_ids, thiefs)
    with pytest.raises(PayoutStateError, match="its destination has changed"):
        approvals.approve(market.session, first.actor, large.id, before)
    approvals.approve(market.session, first.actor, large.id, thiefs)
    with pytest.raises(PayoutStateError, match="does not wait for an approval: it is queued"):
        approvals.approve(market.session, second.actor, large.id, thiefs)
    queue.redirect(large.id, market.payer.actor.wallet_ids, thiefs)
    assert large.approved_by == first.actor.name, "the same destination again changes nothing"
    queue.redirect(large.id, market.payer.actor.wallet_ids, before)
    settlement(market).run()
    assert (large.status, large.approved_by) == ("awaiting_approval", None), (
        "the approval was another address's"
    )

    approvals.approve(market.session, second.actor, large.id, before)
    approvals.refuse(market.session, first.actor, rest.id, "ask on Monday")
    settlement(market).run()
    market.chain.mine(2)
    read_chain(market)
    assert [(payout.status, payout.approved_by) for payout in market.payouts()] == [
        ("confirmed", None),
        ("failed", None),
        ("confirmed", second.actor.name),
    ]
    assert market.payouts()[1].reason == "an operator has refused it: ask on Monday"
    assert market.chain.received(thiefs) == "0.00000000"
    paid = [payout.net for payout in market.payouts() if payout.net is not None]
    assert market.chain.received(before) == str(paid[0] + paid[1])
    assert market.balances(market.payer) == ("90.00000000", "0.00000000")
    assert actions(market) == [
        (first.actor.name, "approve_payout"),
        (second.actor.name, "approve_payout"),
        (first.actor.name, "refuse_payout"),
    ]


def fund(market: Market) -> None:
    """Give the community fund 0.5 FLOP: it bears the fees of sweeps. The provider has 9.5 then."""
    market.chain.deposit(market.address_of(market.payer), "10", confirmations=2)
    read_chain(market)
    market.release(market.escrow("10"))


def sweeps(market: Market) -> list[ChainTransaction]:
    return [row for row in transactions(market) if row.kind == "sweep"]


@pytest.mark.settings(
    custody={
        "hot_wallet_ceiling": "100",
        "hot_wallet_target": "60",
        "cold_address": COLD_ADDRESS,
        "approval_above": "25",
    },
    wallet={"max_fee_rate_per_kb": "0.01"},
)
def test_what_is_above_the_ceiling_goes_to_the_cold_and_comes_back_to_pay(
    market: Market, cold: Chain
) -> None:
    before = Amount.parse(received_cold(cold), allow_zero=True)
    cold.send(market.address_of(market.payer), "40")
    fund(market)
    waiting = market.withdraw(market.payer, cold.new_outside_address(), "30")
    for _ in range(4):
        cold.send(market.address_of(market.payer), "40")
    cold.mine(2)
    market.work()
    # 210 are there, of which 30 are asked for and 60 shall stay.
    (sweep,) = sweeps(market)
    assert (str(sweep.amount), sweep.status, len(sweep.inputs)) == ("120.00000000", "broadcast", 4)
    assert market.report().gaps == []
    assert Amount.parse(received_cold(cold)) - before == Amount.parse("120")
    cold.mine(2)
    read_chain(market)
    seen = overview.look(market.session, market.services.settings)
    market.session.rollback()
    assert (format_signed(seen.cold), str(seen.needed), seen.sweep) == ("120.00000000", "30.00000000", None)
    assert market.services.daemon.balance() == Amount.parse("90") - sweep.fee
    assert own_units(market, accounts.FUND) == 50_000_000 - sweep.fee.base_units

    # 170 belong to the payer, and 90 are left: the rest has to come back first.
    judge = operator(market)
    approvals.refuse(market.session, judge.actor, waiting.id, "all of it at once, please")
    payout = market.withdraw(market.payer, cold.new_outside_address(), "190")
    approvals.approve(market.session, judge.actor, payout.id, payout.address)
    settlement(market).run()
    look_at_hot_wallet(market)
    assert market.payouts()[1].status == "queued"
    assert market.alerts() == ["hot_wallet_short"]
    assert "at least 100.0" in market.session.scalars(select(Alert.detail)).one()
    address = cold_storage.take_refill_address(market.session, market.services.daemon, judge.actor)
    cold.deposit(address, "110", confirmations=2)
    read_chain(market)
    assert format_signed(cold_storage.balance(market.session)) == "10.00000000"
    assert cold_storage.refill_address(market.session) == address
    make_due(market)
    settlement(market).run()
    look_at_hot_wallet(market)
    cold.mine(2)
    read_chain(market)
    assert market.payouts()[1].status == "confirmed"
    assert market.balances(market.payer) == ("10.00000000", "0.00000000")
    assert len(sweeps(market)) == 1


def with_custody(settings: Settings, **changes: object) -> Settings:
    return settings.model_copy(update={"custody": settings.custody.model_copy(update=changes)})


@pytest.mark.settings(custody={"hot_wallet_ceiling": "50", "cold_address": COLD_ADDRESS})
def test_a_sweep_never_goes_to_our_own_address_nor_without_its_fee_nor_twice_at_once(
    market: Market, cold: Chain
) -> None:
    settings, daemon = market.services.settings, market.services.daemon
    for _ in range(4):
        cold.send(market.address_of(market.payer), "30")
    cold.mine(2)
    look_at_hot_wallet(market)
    assert sweeps(market) == []
    assert market.alerts() == ["sweep_waits"], "the fund is empty"
    fund(market)
    for _ in range(2):
        look_at_hot_wallet(market)
        assert len(sweeps(market)) == 1, "what stood in its way is gone, and one at a time"
    cold.mine(2)
    read_chain(market)

    own = daemon.new_address()
    given_away = market.address_of(market.provider)
    for ours in (own, given_away):
        hot = with_custody(settings, cold_address=ours, hot_wallet_ceiling=Amount.parse("20"))
        assert Sweeper(market.session, hot, daemon).run() is None
        with pytest.raises(OwnAddressError):
            Sweeper(market.session, hot, daemon).sweep_now(operator(market).actor)
    assert market.alerts() == ["sweep_waits", "cold_address_refused"]
    chief = operator(market).actor

    def sweep_down_to(keep: int) -> ChainTransaction:
        with Session(settings) as own_session:
            return Sweeper(own_session, settings, daemon).sweep_now(chief, Amount(keep * 10**8))

    # Two see that no sweep is on its way, and choose different coins: the daemon hides those of the first.
    at("own.store:before", lambda: sweep_down_to(0))
    with pytest.raises(SweepRefusedError, match="on its way already"):
        sweep_down_to(30)
    assert cold.custody.rpc("listlockunspent") == []
    assert actions(market) == [(chief.name, "sweep")]
    cold.mine(2)
    read_chain(market)
    assert [row.status for row in sweeps(market)] == ["confirmed"] * 2
    with pytest.raises(SweepRefusedError, match="No more is there"):
        Sweeper(market.session, settings, daemon).sweep_now(chief)


def at(point: str, act: Callable[[], object]) -> None:
    """Do this the first time a worker comes to the point."""

    def hook(name: str) -> None:
        if name == point:
            failpoints.arm(None)
            act()

    failpoints.arm(hook)


@pytest.fixture
def disarmed():  # type: ignore[no-untyped-def]
    yield
    failpoints.arm(None)


def pull_the_brake(market: Market, actor: Actor) -> None:
    """As an operator does it on a page, while a worker works."""
    with Session(market.services.settings) as own_session:
        assert payout_halts.halt_by_operator(own_session, actor, "something is wrong")


@pytest.mark.usefixtures("disarmed")
@pytest.mark.settings(wallet={"max_payouts_per_transaction": 1})
def test_the_brake_stops_what_was_never_sent_at_any_moment_and_nothing_else(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    chief = operator(market).actor
    for _ in range(3):
        market.chain.send(market.address_of(market.payer), "30")
    market.chain.deposit(market.address_of(market.provider), "30", confirmations=2)
    read_chain(market)
    payouts = [market.withdraw(market.payer, market.chain.new_outside_address(), "5") for _ in range(3)]

    # The first is on the network, the second is signed, the third is not built.
    count = iter(range(2))

    def hook(name: str) -> None:
        if name == "payouts.store:after" and next(count) == 1:
            failpoints.arm(None)
            pull_the_brake(market, chief)

    failpoints.arm(hook)
    for _ in range(2):
        settlement(market).run()
    sent, kept = transactions(market)
    assert [payout.status for payout in market.payouts()] == ["broadcast", "signed", "queued"]
    assert (kept.status, kept.broadcast_at) == ("signed", None)
    market.chain.sync()
    assert market.chain.miner.rpc("getrawmempool") == [sent.txid]

    # An answer that was lost tells nothing: whether the daemon has it is looked up, and it is not sent to find out.
    with Session(market.services.settings) as own_session:
        assert payout_halts.resume(own_session, chief, seen=[]) == []
        halt_id = own_session.scalars(select(PayoutHalt.id)).one()
        assert payout_halts.resume(own_session, chief, seen=[halt_id]) == ["operator"]

    def lose(_: str) -> None:
        raise RpcUnknownOutcomeError("the answer was lost")

    with monkeypatch.context() as patch:
        patch.setattr(market.services.daemon, "send_raw", lose)
        at("transaction.mark:after", lambda: pull_the_brake(market, chief))
        settlement(market).run()
    settlement(market).run()
    assert [payout.status for payout in market.payouts()] == ["broadcast", "unknown", "queued"]
    market.chain.sync()
    assert market.chain.miner.rpc("getrawmempool") == [sent.txid]

    # Everything else goes on: coins arrive, escrows move, and what the network has becomes final.
    market.deposit(market.provider, "7")
    market.release(market.escrow("10"))
    assert market.balances(market.provider) == ("46.50000000", "0.00000000")
    assert [payout.status for payout in market.payouts()] == ["confirmed", "unknown", "queued"]
    own = OwnTransactions(market.session, market.services.settings, market.services.daemon)
    with pytest.raises(UpkeepRefusedError, match="halted"):
        own.send("merge", market.services.daemon.list_coins(), Amount.parse("0.01"))
    assert len(transactions(market)) == 2

    with Session(market.services.settings) as own_session:
        assert payout_halts.resume(own_session, chief) == ["operator"]
        assert payout_halts.resume(own_session, chief) == []
    settlement(market).run()
    market.chain.mine(2)
    read_chain(market)
    assert [payout.status for payout in market.payouts()] == ["confirmed"] * 3
    assert transactions(market)[1].txid == kept.txid, "the very same bytes"
    for payout in payouts:
        assert market.chain.received(payout.address) == str(payout.net)
    assert [action for _, action in actions(market)] == ["halt_payouts", "resume_payouts"] * 2


@pytest.mark.usefixtures("disarmed")
def test_a_wallet_that_is_frozen_while_its_payout_is_built_keeps_it(market: Market) -> None:
    for person in (market.payer, market.provider):
        market.chain.send(market.address_of(person), "10")
    market.chain.mine(2)
    read_chain(market)
    outsides = [market.chain.new_outside_address() for _ in range(2)]
    market.withdraw(market.payer, outsides[0], "9")
    market.withdraw(market.provider, outsides[1], "9")

    def freeze() -> None:
        with Session(market.services.settings) as own_session:
            freezes.freeze(own_session, operator(market).actor, market.payer.wallet_id, "stolen, it seems")

    at("payouts.sign:after", freeze)
    settlement(market).run()
    assert transactions(market) == [], "what was built with it is thrown away"
    make_due(market)
    settlement(market).run()
    assert [payout.status for payout in market.payouts()] == ["queued", "broadcast"]
    assert market.chain.received(outsides[0]) == "0.00000000"
