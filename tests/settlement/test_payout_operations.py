"""What operators do to single payouts, against a real daemon: one effect however often, and never a coin too many."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.support.market import Market
from tests.support.people import make_person
from webapp.domain.exceptions import (
    DuxosError,
    PayoutStateError,
    RpcUnknownOutcomeError,
)
from webapp.domain.money import Amount
from webapp.domain.roles import Actor
from webapp.models import ChainTransaction, Payout
from webapp.services import operator_actions
from webapp.services.container import Services
from webapp.services.database import Session
from webapp.services.payouts.operations import PayoutOperations, subject_of
from webapp.services.payouts.own_transactions import UpkeepRefusedError
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_rpc import WalletRpc

COIN = 100_000_000

# What is asked of the daemon is the same on both databases.
one_database = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


def operator(market: Market) -> Actor:
    return make_person(market.session, market.services, "operator").actor


def operations(market: Market, actor: Actor) -> PayoutOperations:
    market.session.rollback()
    services = market.services
    return PayoutOperations(market.session, services.settings, services.daemon, actor)


def fill_fund(market: Market) -> None:
    """Five FLOP for the community fund, which bears the fees of the service's own transactions."""
    market.deposit(market.payer, "200")
    market.release(market.escrow("100"))


def transactions(market: Market, kind: str) -> list[ChainTransaction]:
    statement = select(ChainTransaction).where(ChainTransaction.kind == kind).order_by(ChainTransaction.id)
    rows = list(market.session.scalars(statement.execution_options(populate_existing=True)))
    market.session.commit()
    return rows


def statuses(market: Market) -> list[str]:
    return [payout.status for payout in market.payouts()]


def actions(market: Market, payout_id: uuid.UUID) -> list[str]:
    found = [each.action for each in operator_actions.of_subject(market.session, subject_of(payout_id))]
    market.session.commit()
    return found


def broken_network(patch: pytest.MonkeyPatch) -> None:
    """Nothing that is sent arrives, and nobody says so."""
    real: Callable[..., Any] = WalletRpc.change

    def change(self: WalletRpc, name: str, *params: Any) -> Any:
        if name == "sendrawtransaction":
            raise RpcUnknownOutcomeError("the answer was lost")
        return real(self, name, *params)

    patch.setattr(WalletRpc, "change", change)


@contextmanager
def unpopular(market: Market, txid: str):  # type: ignore[no-untyped-def]
    """The miner treats the transaction as if it had paid no fee at all."""
    market.chain.sync()
    fee = int(market.chain.miner.rpc("getmempoolentry", txid)["fees"]["base"] * COIN)
    market.chain.miner.rpc("prioritisetransaction", txid, 0, -fee)
    yield


def mine_alone(market: Market, signed_hex: str) -> None:
    """A block with this transaction and nothing else, whatever the mempools hold, and its news."""
    miner = market.chain.miner
    miner.rpc("generateblock", market.chain.new_outside_address(), [signed_hex])
    market.chain.sync()


def at_once(market: Market, act: Callable[[PayoutOperations], object]) -> list[str]:
    """Two operators do the same at the same moment; what each was told."""
    settings, told = market.services.settings, []
    actors = [operator(market), operator(market)]
    market.session.commit()
    start = threading.Barrier(2)

    def press(actor: Actor) -> None:
        services = Services.of(settings)
        with Session(settings) as session:
            hands = PayoutOperations(session, settings, services.daemon, actor)
            start.wait()
            try:
                act(hands)
            except DuxosError as error:
                told.append(error.detail)
            else:
                told.append("done")

    threads = [threading.Thread(target=press, args=(actor,)) for actor in actors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(told)


def test_a_child_pays_for_a_parent_that_no_miner_wants_and_both_are_mined(market: Market) -> None:
    fill_fund(market)
    outside = market.chain.new_outside_address()
    payout_id = market.withdraw(market.payer, outside, "9").id
    hands = operations(market, operator(market))
    with pytest.raises(PayoutStateError, match="The payout is queued"):
        hands.raise_fee(payout_id)
    market.work()
    (parent,) = transactions(market, "payouts")
    with unpopular(market, parent.txid):
        market.chain.mine(1)
        market.work()
        assert statuses(market) == ["broadcast"]
        assert market.payouts()[0].transaction.confirmations == 0

        with pytest.raises(UpkeepRefusedError, match="max_fee_rate_per_kb"):
            hands.raise_fee(payout_id, Amount.parse("0.2"))
        with pytest.raises(UpkeepRefusedError, match="It pays 0"):
            hands.raise_fee(payout_id, Amount.parse("0.01"))
        fund_before = Amount.parse(market.fund())
        told = at_once(market, lambda each: each.raise_fee(payout_id, Amount.parse("0.02")))
        assert "done" in told, told
        (child,) = transactions(market, "fee_bump")
        entry = market.chain.custody.rpc("getmempoolentry", child.txid)
        assert entry["ancestorcount"] == 2
        assert entry["ancestorfees"] * 1000 >= int(0.02 * COIN) * entry["ancestorsize"]
        assert Amount.parse(market.fund()) + child.fee == fund_before

        # The same wish again is fulfilled already; one without a rate could mean anything.
        hands.raise_fee(payout_id, Amount.parse("0.02"))
        with pytest.raises(PayoutStateError, match="raised already"):
            hands.raise_fee(payout_id)
        assert len(transactions(market, "fee_bump")) == 1
        hands.raise_fee(payout_id, Amount.parse("0.03"))
        second = transactions(market, "fee_bump")[1]
        assert [point.txid for point in second.inputs] == [child.txid]
        assert market.report().gaps == []
        market.chain.mine(2)
    market.work()
    with pytest.raises(PayoutStateError, match="it has arrived and is final"):
        hands.raise_fee(payout_id)
    assert statuses(market) == ["confirmed"]
    assert {row.status for row in transactions(market, "fee_bump")} == {"confirmed"}
    assert market.chain.received(outside) == str(market.payouts()[0].net)


@one_database
def test_a_fee_that_cannot_be_raised_is_refused_with_the_reason(market: Market) -> None:
    market.deposit(market.payer, "9")
    without_change = market.withdraw(market.payer, market.chain.new_outside_address(), "9")
    market.work()
    hands = operations(market, operator(market))
    with pytest.raises(UpkeepRefusedError, match="no change"):
        hands.raise_fee(without_change.id)
    market.deposit(market.payer, "20")
    with_change = market.withdraw(market.payer, market.chain.new_outside_address(), "9")
    market.work()
    with pytest.raises(UpkeepRefusedError, match="community fund cannot bear"):
        hands.raise_fee(with_change.id)
    assert actions(market, with_change.id) == []
    market.chain.mine(1)
    market.work()
    with pytest.raises(PayoutStateError, match="in a block already"):
        hands.raise_fee(with_change.id)
    with pytest.raises(PayoutStateError, match="The payout is broadcast"):
        hands.return_to_balance(with_change.id, "too late")
    # A miner's block holds it: sending it again changes nothing.
    assert hands.rebroadcast(with_change.id).status == "broadcast"
    market.chain.mine(1)
    market.work()
    assert statuses(market) == ["confirmed", "confirmed"]


def lost_batch(market: Market, monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[uuid.UUID]:
    """Payouts of 9 FLOP in one transaction that never reached the network."""
    ids = [market.withdraw(market.payer, address, "9").id for address in addresses]
    with monkeypatch.context() as patch:
        broken_network(patch)
        market.work()
    assert {row.status for row in market.payouts() if row.id in ids} == {"unknown"}
    return ids


def test_a_payout_is_taken_back_once_its_transaction_can_never_confirm_and_its_mates_are_paid(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_fund(market)
    addresses = [market.chain.new_outside_address() for _ in range(3)]
    first, second, mate = lost_batch(market, monkeypatch, *addresses)
    hands = operations(market, operator(market))
    told = at_once(market, lambda each: each.return_to_balance(first, "a stolen key"))
    assert told == ["done", "done"]
    hands.return_to_balance(second, "this one, too")
    hands.return_to_balance(second, "this one, too")
    (cancel,) = transactions(market, "cancel")
    assert cancel.status == "broadcast"
    with pytest.raises(PayoutStateError, match="being taken back"):
        hands.rebroadcast(mate)

    market.work()
    assert statuses(market) == ["unknown"] * 3, "nothing is given back before it is certain"
    assert market.balances(market.payer) == ("73.00000000", "0.00000000")
    market.chain.mine(2)
    market.work()
    found = {payout.id: payout.status for payout in market.payouts()}
    assert (found[first], found[second]) == ("failed", "failed")
    assert market.balances(market.payer) == ("91.00000000", "0.00000000")
    assert transactions(market, "payouts")[0].status == "replaced"
    market.settle()
    assert market.session.get_one(Payout, mate, populate_existing=True).status == "confirmed"
    assert [market.chain.received(address) == "0.00000000" for address in addresses] == [True, True, False]
    assert Amount.parse(market.fund()) + cancel.fee == Amount.parse("5")


@one_database
def test_a_payout_that_arrives_before_it_can_be_taken_back_counts_as_paid(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_fund(market)
    outside = market.chain.new_outside_address()
    (payout_id,) = lost_batch(market, monkeypatch, outside)
    (lost,) = transactions(market, "payouts")
    operations(market, operator(market)).return_to_balance(payout_id, "asked by its owner")
    mine_alone(market, lost.signed_hex)
    market.work()
    with pytest.raises(PayoutStateError, match="The payout is broadcast: the network has its transaction"):
        operations(market, operator(market)).return_to_balance(payout_id, "asked by its owner")
    market.chain.mine(1)
    market.work()

    payout = market.session.get_one(Payout, payout_id, populate_existing=True)
    assert (payout.status, payout.is_return_requested) == ("confirmed", True)
    assert [row.status for row in transactions(market, "cancel")] == ["replaced"]
    assert market.chain.received(outside) == str(payout.net)
    assert market.balances(market.payer) == ("91.00000000", "0.00000000")
    assert market.fund() == "5.00000000", "the fee of a cancel that lost comes back"


@one_database
def test_what_the_network_has_is_not_taken_back_and_what_it_lost_is_sent_again(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_fund(market)
    outside = market.chain.new_outside_address()
    (payout_id,) = lost_batch(market, monkeypatch, outside)
    hands = operations(market, operator(market))
    assert hands.rebroadcast(payout_id).status == "broadcast"
    with unit_of_work(market.session):  # as the books see it until the next look
        market.session.execute(update(Payout).where(Payout.id == payout_id).values(status="unknown"))
    with pytest.raises(PayoutStateError, match="it cannot be taken back"):
        hands.return_to_balance(payout_id, "too late")
    assert transactions(market, "cancel") == []
    assert actions(market, payout_id) == ["rebroadcast_payout"]
    market.settle()
    assert statuses(market) == ["confirmed"]


@one_database
@pytest.mark.settings(wallet={"fee_paid_by": "fund"})
def test_a_mate_that_another_transaction_left_out_is_given_back_and_the_paid_ones_are_adopted(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_fund(market)
    paid, unpaid = market.chain.new_outside_address(), market.chain.new_outside_address()
    first, second = lost_batch(market, monkeypatch, paid, unpaid)
    (lost,) = transactions(market, "payouts")
    custody = market.chain.custody
    decoded = custody.rpc("decoderawtransaction", lost.signed_hex)
    amounts = {out["scriptPubKey"]["addresses"][0]: out["value"] for out in decoded["vout"]}
    (change,) = amounts.keys() - {paid, unpaid}
    outputs = {paid: f"{amounts[paid]:.8f}", change: f"{amounts[change] + amounts[unpaid]:.8f}"}
    inputs = [{"txid": point["txid"], "vout": point["vout"]} for point in decoded["vin"]]
    raw = custody.rpc("createrawtransaction", inputs, outputs)
    mine_alone(market, custody.rpc("signrawtransactionwithwallet", raw)["hex"])
    market.chain.mine(1)
    market.work()
    assert statuses(market) == ["unknown", "unknown"]
    hands = operations(market, operator(market))
    with pytest.raises(PayoutStateError, match="say first whether"):
        hands.return_to_balance(first, "is it paid?")

    hands.return_to_balance(second, "it was left out")
    market.work()
    market.work()
    found = {payout.id: payout.status for payout in market.payouts()}
    assert found == {first: "confirmed", second: "failed"}
    assert market.balances(market.payer) == ("91.00000000", "0.00000000")
    paid_one = market.session.get_one(Payout, first, populate_existing=True)
    assert Amount.parse(market.fund()) + paid_one.fee == Amount.parse("5"), "one share of the fee each"
