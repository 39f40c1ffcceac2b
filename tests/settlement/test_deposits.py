"""Coins that arrive: credited once, at the right depth, and taken back when the chain takes them back."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from tests.support.market import Market
from tests.support.people import make_person
from webapp.domain import accounts
from webapp.domain.exceptions import FrozenWalletError, InsufficientFundsError
from webapp.ledger import pooled
from webapp.models import Deposit, Wallet
from webapp.services.deposits import addresses as deposit_addresses

NOTHING = ("0.00000000", "0.00000000")


def deposits(market: Market) -> list[Deposit]:
    statement = select(Deposit).order_by(Deposit.id).execution_options(populate_existing=True)
    rows = list(market.session.scalars(statement))
    market.session.commit()
    return rows


def is_frozen(market: Market, wallet_id: int) -> bool:
    frozen = market.session.get_one(Wallet, wallet_id, populate_existing=True).is_frozen
    market.session.commit()
    return frozen


def losses(market: Market) -> int:
    found = pooled.balance(market.session, accounts.LOSSES)
    market.session.commit()
    return found


@pytest.mark.settings(wallet={"confirmations_required": 3})
def test_a_deposit_is_credited_at_the_third_confirmation_and_not_before(market: Market) -> None:
    market.chain.send(market.address_of(market.payer), "12.5")
    for depth in range(3):
        market.work()
        assert market.balances(market.payer) == NOTHING
        assert [(row.status, row.confirmations) for row in deposits(market)] == [("seen", depth)]
        market.chain.mine()
    market.work()
    assert market.balances(market.payer) == ("12.50000000", "0.00000000")
    market.chain.mine(5)
    market.work()
    market.work()
    assert market.balances(market.payer) == ("12.50000000", "0.00000000")


def test_one_transaction_with_several_deposits_credits_each_of_them(market: Market) -> None:
    to_payer, to_provider = market.address_of(market.payer), market.address_of(market.provider)
    market.chain.miner.rpc("sendmany", "", {to_payer: "1.00000001", to_provider: "2"})
    market.chain.send(to_payer, "0.5")
    market.chain.mine(2)
    market.work()
    assert market.balances(market.payer) == ("1.50000001", "0.00000000")
    assert market.balances(market.provider) == ("2.00000000", "0.00000000")
    assert len({(row.txid, row.vout) for row in deposits(market)}) == 3


def test_blocks_that_came_while_no_worker_ran_are_read_later(market: Market) -> None:
    market.deposit(market.payer, "1")
    for _ in range(3):
        market.chain.deposit(market.address_of(market.payer), "1", confirmations=15)
    market.work()
    assert market.balances(market.payer) == ("4.00000000", "0.00000000")


def test_a_reorganisation_takes_the_credit_back_and_the_next_block_gives_it_again(market: Market) -> None:
    market.deposit(market.payer, "100")
    market.chain.reorganise(2)
    market.work()
    assert market.balances(market.payer) == NOTHING
    assert not is_frozen(market, market.payer.wallet_id)
    assert [row.status for row in deposits(market)] == ["reversed"]
    market.close()

    market.chain.mine(2)
    market.work()
    assert market.balances(market.payer) == ("100.00000000", "0.00000000")
    assert [(row.status, row.credit_round) for row in deposits(market)] == [("credited", 2)]
    assert (losses(market), market.alerts()) == (0, [])


def test_a_shallow_reorganisation_that_keeps_the_deposit_changes_nothing(market: Market) -> None:
    market.deposit(market.payer, "100", confirmations=4)
    market.chain.reorganise(2)
    market.work()
    assert market.balances(market.payer) == ("100.00000000", "0.00000000")
    assert [(row.status, row.credit_round) for row in deposits(market)] == [("credited", 1)]


def test_a_deposit_that_was_spent_when_the_chain_undid_it_freezes_the_wallet_and_alerts(
    market: Market,
) -> None:
    market.deposit(market.payer, "100")
    market.release(market.escrow("60"))
    market.chain.reorganise(2)
    market.work()
    # 40 were still there; 60 are lost for the moment: 57 of them are the provider's, 3 the fund's.
    assert market.balances(market.payer) == NOTHING
    assert market.balances(market.provider) == ("57.00000000", "0.00000000")
    assert losses(market) == -60_00000000
    assert is_frozen(market, market.payer.wallet_id)
    assert market.alerts() == ["deposit_lost"]

    market.chain.mine(2)
    market.work()
    assert market.balances(market.payer) == ("40.00000000", "0.00000000")
    assert losses(market) == 0
    with pytest.raises(FrozenWalletError):
        market.escrow("1")
    assert is_frozen(market, market.payer.wallet_id), "only an operator lifts it"


def test_what_a_frozen_wallet_asked_to_be_paid_does_not_leave(market: Market) -> None:
    other = make_person(market.session, market.services)
    market.deposit(other, "200")
    outside = market.chain.new_outside_address()
    market.deposit(market.payer, "100")
    market.withdraw(market.payer, outside, "100")
    market.chain.reorganise(2)
    market.work()
    assert is_frozen(market, market.payer.wallet_id)
    market.chain.mine(1)
    market.work()
    assert market.chain.received(outside) == "0.00000000"
    assert market.balances(other) == ("200.00000000", "0.00000000")


def test_a_deposit_that_was_double_spent_never_counts(market: Market) -> None:
    txid = market.deposit(market.payer, "100")
    miner = market.chain.miner
    original = miner.rpc("decoderawtransaction", miner.rpc("gettransaction", txid)["hex"])
    inputs = [{"txid": point["txid"], "vout": point["vout"]} for point in original["vin"]]
    first_undone = miner.rpc("getblockhash", miner.rpc("getblockcount") - 1)
    for daemon in (market.chain.custody, miner):
        daemon.rpc("invalidateblock", first_undone)
    # The same coins, all to the miner itself; what is not said goes to whoever finds the block.
    twin = miner.rpc("createrawtransaction", inputs, {market.chain.new_outside_address(): "100"})
    signed = miner.rpc("signrawtransactionwithwallet", twin)["hex"]
    address = market.chain.new_outside_address()
    miner.rpc("generateblock", address, [signed])
    for _ in range(3):
        miner.rpc("generateblock", address, [])
    market.chain.sync()
    market.work()
    assert market.balances(market.payer) == NOTHING
    assert [(row.status, row.confirmations < 0) for row in deposits(market)] == [("reversed", True)]


def test_a_miner_who_mines_to_a_deposit_address_waits_for_maturity_and_alarms_nobody(market: Market) -> None:
    market.deposit(market.payer, "10")
    address = market.address_of(market.provider)
    market.chain.miner.rpc("generatetoaddress", 1, address)
    market.chain.mine(3)
    market.work()
    assert market.balances(market.provider) == NOTHING
    assert market.report().gaps == []
    assert market.halts() == []
    market.chain.mine(100)
    market.work()
    assert market.balances(market.provider) != NOTHING


def test_a_withdrawal_to_another_users_deposit_address_comes_in_again(market: Market) -> None:
    market.deposit(market.payer, "50")
    market.withdraw(market.payer, market.address_of(market.provider), "20")
    for _ in range(2):
        market.work()
        assert market.report().gaps == []
        market.chain.mine(1)
    market.work()
    market.work()
    (payout,) = market.payouts()
    assert payout.status == "confirmed"
    assert market.balances(market.payer) == ("30.00000000", "0.00000000")
    assert market.balances(market.provider) == (str(payout.net), "0.00000000")


def test_a_deposit_does_not_unlock_more_than_it_brought(market: Market) -> None:
    market.deposit(market.payer, "1")
    with pytest.raises(InsufficientFundsError):
        market.withdraw(market.payer, market.chain.new_outside_address(), "1.00000001")
    assert market.balances(market.payer) == ("1.00000000", "0.00000000")


def test_a_second_address_of_a_wallet_leaves_the_first_one_good(market: Market) -> None:
    first = market.address_of(market.payer)
    market.work()  # fills the stock
    assert deposit_addresses.take(market.session, "wallet", market.payer.wallet_id) is not None
    second = market.address_of(market.payer)
    assert second != first
    market.chain.deposit(first, "1", confirmations=2)
    market.chain.deposit(second, "2", confirmations=2)
    market.work()
    assert market.balances(market.payer) == ("3.00000000", "0.00000000")
