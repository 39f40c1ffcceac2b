"""Transactions under other ids, and coins that went elsewhere: adopted, waited for, or made anew, and paid once."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from embit import base58
from sqlalchemy import select

from tests.support.databases import Databases, in_turn
from tests.support.malleation import malleated
from tests.support.market import Market
from tests.support.people import Person, make_person
from webapp.domain import accounts
from webapp.domain.money import Amount
from webapp.domain.roles import AT_TERMINAL
from webapp.ledger import pooled
from webapp.models import ChainTransaction, Payout
from webapp.services import alerts
from webapp.services.daemon.answers import Coin, DecodedTransaction, OutPoint, TxOutput
from webapp.services.daemon.chain import DaemonChain
from webapp.services.payouts.own_transactions import OwnTransactions
from webapp.services.payouts.payments import find_payments
from webapp.services.settlement import Settlement
from webapp.services.unit_of_work import unit_of_work


@pytest.fixture
def databases(request: pytest.FixtureRequest) -> Databases:
    """One kind of database for each story, the kinds in turn; `make faults` tells such stories on both."""
    return in_turn(request)


FEE = Amount.parse("0.01")


def deposit(market: Market, person: Person, amount: str, confirmations: int = 2) -> None:
    market.chain.deposit(market.address_of(person), amount, confirmations)
    market.move_coins()


def settle(market: Market) -> None:
    market.move_coins()
    market.chain.mine(2)
    market.move_coins()


def transactions(market: Market) -> list[ChainTransaction]:
    statement = select(ChainTransaction).order_by(ChainTransaction.id)
    rows = list(market.session.scalars(statement.execution_options(populate_existing=True)))
    market.session.commit()
    return rows


def pooled_balance(market: Market, account: str) -> int:
    market.session.rollback()
    found = pooled.balance(market.session, account)
    market.session.rollback()
    return found


def mine(market: Market, *blocks: list[str]) -> None:
    """Blocks with these transactions (hex) and no others."""
    for block in blocks:
        market.chain.miner.rpc("generateblock", market.chain.new_outside_address(), block)
    market.chain.sync()


def txid_of(market: Market, transaction_hex: str) -> str:
    found: str = market.chain.miner.rpc("decoderawtransaction", transaction_hex)["txid"]
    return found


def coins_of(market: Market, transaction: ChainTransaction) -> list[Coin]:
    """What it leaves in the wallet, as settlement would spend it."""
    assert transaction.change_index is not None
    value = market.chain.custody.rpc("gettxout", transaction.txid, transaction.change_index)["value"]
    return [Coin(OutPoint(transaction.txid, transaction.change_index), Amount.parse(value), 0, None)]


def send(
    market: Market, kind: str, coins: list[Coin], parent: ChainTransaction | None = None
) -> ChainTransaction:
    """A transaction of the service's own, at the fund's cost."""
    market.session.rollback()
    own = OwnTransactions(market.session, market.services.settings, market.services.daemon)
    return own.send(kind, coins, FEE, parent=parent)


def sign_by_hand(market: Market, points: list[OutPoint], outputs: dict[str, str]) -> str:
    """An operator's own transaction, made with the daemon's console."""
    custody = market.chain.custody
    inputs = [{"txid": point.txid, "vout": point.vout} for point in points]
    signed: str = custody.rpc(
        "signrawtransactionwithwallet", custody.rpc("createrawtransaction", inputs, outputs)
    )["hex"]
    return signed


def put_alerts_away(market: Market) -> None:
    market.session.rollback()
    for alert in alerts.standing(market.session, 100):
        alerts.acknowledge(market.session, AT_TERMINAL, alert.id)


def standing_alerts(market: Market, kind: str) -> list[str]:
    """What the alerts of this kind tell that nobody has put away."""
    found = [alert.detail for alert in alerts.standing(market.session, 100) if alert.kind == kind]
    market.session.rollback()
    return found


def fill_fund(market: Market) -> None:
    """Give the fund 50 FLOP, and the payer what is left of 1050."""
    deposit(market, market.payer, "1050")
    market.release(market.escrow("1000"))


def test_a_batch_under_another_id_is_adopted_with_what_was_built_on_it(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [market.payer, market.provider, make_person(market.session, market.services)]
    for person in people:
        deposit(market, person, "50")
    shared, own = market.chain.new_outside_address(), market.chain.new_outside_address()
    for person, address, amount in (
        (people[0], shared, "1"),
        (people[1], shared, "2"),
        (people[2], own, "40"),
    ):
        market.withdraw(person, address, amount)
    market.move_coins()
    market.chain.sync()
    (batch,) = transactions(market)
    # What is built after the twin spends its change.
    original, twin = batch.signed_hex, malleated(batch.signed_hex)
    mine(market, [twin])
    with (
        monkeypatch.context() as patch
    ):  # what the daemon calls a conflict needs no search through its history
        patch.setattr(DaemonChain, "list_since_block", None)
        market.session.rollback()
        Settlement(market.session, market.services.settings, market.services.daemon).follow()
    market.move_coins()
    (adopted,) = transactions(market)
    assert (adopted.txid, adopted.signed_hex) == (txid_of(market, twin), twin)
    for person, amount in zip(people, ("49", "48", "9"), strict=True):
        market.withdraw(person, market.chain.new_outside_address(), amount)
    market.move_coins()
    child = transactions(market)[-1]
    assert adopted.txid in {point.txid for point in child.inputs}

    # The first id wins after all: the twin's block is undone, and with it everything that spends its change.
    market.chain.reorganise(1, [[original]])
    market.move_coins()
    assert transactions(market)[0].txid == txid_of(market, original)
    for _ in range(4):
        market.chain.mine(2)
        market.move_coins()
    assert [payout.status for payout in market.payouts()] == ["confirmed"] * 6
    assert [row.status for row in transactions(market)] == ["confirmed", "replaced", "confirmed"]
    paid = sum((payout.net.decimal for payout in market.payouts()[:2] if payout.net), start=Decimal())
    assert Decimal(market.chain.received(shared)) == paid
    for payout in market.payouts()[2:]:
        assert market.chain.received(payout.address) == str(payout.net)


def test_a_chain_of_descendants_of_a_malleated_payout_is_made_anew(market: Market) -> None:
    deposit(market, market.payer, "100")
    addresses = [market.chain.new_outside_address() for _ in range(3)]
    for address in addresses:
        market.withdraw(market.payer, address, "10")
        market.move_coins()
    family = transactions(market)
    assert [row.txid in {p.txid for p in child.inputs} for row, child in pairwise(family)] == [True] * 2
    mine(market, [malleated(family[0].signed_hex)])
    market.move_coins()
    # One confirmation is not enough to give them up: the first id may come back.
    assert [row.status for row in transactions(market)[1:]] == ["unknown", "unknown"]
    for _ in range(4):
        market.chain.mine(1)
        market.move_coins()
    assert [row.status for row in transactions(market)[:3]] == ["confirmed", "replaced", "replaced"]
    settle(market)
    for payout in market.payouts():
        assert (payout.status, market.chain.received(payout.address)) == ("confirmed", str(payout.net))


def test_coins_that_went_elsewhere_are_waited_for_until_that_is_final(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    deposit(market, market.payer, "10")
    outside = market.chain.new_outside_address()
    market.withdraw(market.payer, outside, "9.5")
    with monkeypatch.context() as patch:  # it is stored, and never sent
        patch.setattr("webapp.services.payouts.follower.TransactionFollower.broadcast", lambda *_: None)
        market.move_coins()
    (stored,) = transactions(market)
    points = [OutPoint(point.txid, point.vout) for point in stored.inputs]
    elsewhere = market.chain.custody.rpc("getrawchangeaddress", "legacy")
    # Without a fee, so that the books need not know of it; and the wallet's history says nothing of such a move.
    theirs = sign_by_hand(market, points, {elsewhere: "10"})
    mine(market, [theirs])
    market.move_coins()
    assert [(row.status, txid_of(market, theirs) in row.reason) for row in transactions(market)] == [
        ("unknown", True)
    ]
    assert market.chain.received(outside) == "0.00000000"
    # Undone in time, it is as if nothing had been: the stored bytes are the ones that pay.
    market.chain.reorganise(1)
    for daemon in (market.chain.custody, market.chain.miner):
        assert txid_of(market, theirs) in daemon.rpc("getrawmempool")
    mine(market, [stored.signed_hex])
    market.chain.mine(1)
    market.move_coins()
    assert [row.status for row in transactions(market)] == ["confirmed"]
    assert market.chain.received(outside) == str(market.payouts()[0].net)


def test_what_was_given_up_and_confirms_after_all_is_a_loss_and_halts_payouts(market: Market) -> None:
    deposit(market, market.payer, "10", 8)
    deposit(market, market.provider, "60", 8)
    outside = market.chain.new_outside_address()
    market.withdraw(market.payer, outside, "9.5")
    market.move_coins()
    market.chain.sync()
    (stored,) = transactions(market)
    points = [OutPoint(point.txid, point.vout) for point in stored.inputs]
    value = sum(market.chain.custody.rpc("gettransaction", p.txid)["amount"] for p in points)
    elsewhere = market.chain.custody.rpc("getrawchangeaddress", "legacy")
    theirs = sign_by_hand(market, points, {elsewhere: f"{value:.8f}"})
    mine(market, [theirs], [])
    market.move_coins()
    assert [row.status for row in transactions(market)] == ["replaced", "broadcast"]
    market.chain.mine(2)
    market.move_coins()
    first_payment = market.chain.received(outside)
    assert first_payment == str(market.payouts()[0].net)

    market.chain.reorganise(5, [[stored.signed_hex]])
    market.move_coins()
    assert Decimal(market.chain.received(outside)) > Decimal(first_payment)
    assert "transaction_came_back" in market.alerts()
    assert market.halts() == ["reorganisation"]
    assert market.report().gaps == []
    assert pooled_balance(market, accounts.LOSSES) < -9_00000000
    # Whatever the chain says next is what the books say.
    market.chain.reorganise(6, [[theirs]])
    market.move_coins()
    assert pooled_balance(market, accounts.LOSSES) == 0
    assert market.report().gaps == []
    # Under another id it is the same payment, and no less a loss.
    twin = malleated(stored.signed_hex)
    put_alerts_away(market)
    market.chain.reorganise(7, [[twin]])
    market.move_coins()
    (detail,) = standing_alerts(market, "transaction_came_back")
    assert stored.txid in detail and f"as {txid_of(market, twin)}" in detail
    assert pooled_balance(market, accounts.LOSSES) < -9_00000000
    assert market.report().gaps == []
    market.chain.reorganise(8, [[theirs]])
    market.move_coins()
    assert pooled_balance(market, accounts.LOSSES) == 0
    assert market.report().gaps == []
    market.chain.mine(2)
    market.move_coins()


def test_the_services_own_transactions_under_other_ids_and_lost_ones(market: Market) -> None:
    fill_fund(market)
    for _ in range(3):
        deposit(market, market.provider, "2")
    deposit(market, market.payer, "20")
    small = [coin for coin in market.services.daemon.list_coins() if coin.amount == Amount.parse("2")]
    fund = pooled_balance(market, accounts.FUND)

    merge = send(market, "merge", small)
    market.chain.sync()
    twin = malleated(merge.signed_hex)
    mine(market, [twin])
    market.move_coins()
    (adopted,) = transactions(market)
    assert (adopted.txid, adopted.status) == (txid_of(market, twin), "broadcast")

    # A payout whose fee is raised, and then its parent is malleated: the child is void, its fee comes back.
    outside = market.chain.new_outside_address()
    market.withdraw(market.payer, outside, "15")
    market.move_coins()
    parent = transactions(market)[-1]
    bump = send(market, "fee_bump", coins_of(market, parent), parent)
    assert pooled_balance(market, accounts.FUND) == fund - 2 * FEE.base_units
    market.chain.sync()
    mine(market, [malleated(parent.signed_hex)])
    market.move_coins()
    assert transactions(market)[-1].status == "unknown"
    for _ in range(2):
        market.chain.mine(1)
        market.move_coins()
    assert [(row.kind, row.status) for row in transactions(market)] == [
        ("merge", "confirmed"),
        ("payouts", "confirmed"),
        ("fee_bump", "replaced"),
    ]
    assert bump.id == transactions(market)[-1].id
    assert pooled_balance(market, accounts.FUND) == fund - FEE.base_units
    assert market.chain.received(outside) == str(market.payouts()[0].net)


@pytest.mark.parametrize("is_return_requested", [True, False])
def test_a_cancel_that_wins_gives_back_and_one_that_loses_costs_nothing(
    market: Market, monkeypatch: pytest.MonkeyPatch, is_return_requested: bool
) -> None:
    fill_fund(market)
    fund = pooled_balance(market, accounts.FUND)
    outside = market.chain.new_outside_address()
    for _ in range(2):
        payout = market.withdraw(market.payer, outside, "5")
        with monkeypatch.context() as patch:
            patch.setattr("webapp.services.payouts.follower.TransactionFollower.broadcast", lambda *_: None)
            market.move_coins()
        parent = transactions(market)[-1]
        point = OutPoint(parent.inputs[0].txid, parent.inputs[0].vout)
        value = market.chain.custody.rpc("gettxout", point.txid, point.vout)["value"]
        with monkeypatch.context() as patch:
            patch.setattr("webapp.services.payouts.follower.TransactionFollower.broadcast", lambda *_: None)
            cancel = send(market, "cancel", [Coin(point, Amount.parse(value), 1, None)], parent)
        if payout.id == market.payouts()[0].id:
            # The parent got out nevertheless, and wins.
            mine(market, [parent.signed_hex], [])
            market.move_coins()
            assert [row.status for row in transactions(market)] == ["confirmed", "replaced"]
            assert pooled_balance(market, accounts.FUND) == fund
            assert market.payouts()[0].status == "confirmed"
            continue
        with unit_of_work(market.session):
            market.session.get_one(Payout, payout.id).is_return_requested = is_return_requested
        # The cancel wins, under an id of its own: both see it.
        mine(market, [malleated(cancel.signed_hex)], [])
        for _ in range(2):
            market.move_coins()
        rows = transactions(market)
        assert [row.status for row in rows[2:4]] == ["replaced", "confirmed"]
        assert pooled_balance(market, accounts.FUND) == fund - FEE.base_units
        last = market.payouts()[-1]
        assert last.status == ("failed" if is_return_requested else "broadcast")
    settle(market)
    paid = [payout.net for payout in market.payouts() if payout.status == "confirmed"]
    assert len(paid) == (1 if is_return_requested else 2)
    total = sum((net.decimal for net in paid if net), start=Decimal())
    assert Decimal(market.chain.received(outside)) == total


def test_two_spellings_of_one_address_are_due_together() -> None:
    one, other = (base58.encode_check(bytes([version]) + bytes(range(20))) for version in (196, 58))
    payouts = [Payout(address=each, gross=Amount(100), net=Amount(90)) for each in (one, other)]
    half = DecodedTransaction("", (), (TxOutput(0, other, Amount(90)),), 100)
    whole = DecodedTransaction("", (), (TxOutput(0, other, Amount(90)), TxOutput(1, one, Amount(90))), 100)
    assert (find_payments(half, payouts).is_complete, find_payments(half, payouts).is_partial) == (
        False,
        True,
    )
    assert find_payments(whole, payouts).is_complete
