"""What others do to the chain: odd outputs, spellings, payments by hand, a daemon that has lost its blocks."""

from __future__ import annotations

import shutil
from decimal import Decimal

from embit import base58
from sqlalchemy import select

from tests.support.market import Market
from tests.support.processes import wait_until
from webapp.models import ChainTransaction, WorkerTask


def _failures(market: Market) -> dict[str, str]:
    tasks = market.session.scalars(select(WorkerTask).execution_options(populate_existing=True))
    failures = {task.name: task.last_error for task in tasks if task.last_error}
    market.session.commit()
    return failures


def _mine_alone(market: Market, transaction_hex: str) -> None:
    """Put one transaction into a block of its own, whatever the mempools hold."""
    miner = market.chain.miner
    miner.rpc("generateblock", market.chain.new_outside_address(), [transaction_hex])
    tip = miner.rpc("getbestblockhash")
    wait_until(lambda: market.chain.custody.rpc("getbestblockhash") == tip, "the block")
    market.chain.custody.rpc("syncwithvalidationinterfacequeue")


def test_an_output_of_nothing_is_no_deposit_and_stops_nobody_elses(market: Market) -> None:
    miner = market.chain.miner
    coin = next(coin for coin in miner.rpc("listunspent") if coin["amount"] > 2)
    outputs = [
        {market.address_of(market.payer): "0.00000000"},
        {market.chain.new_outside_address(): f"{coin['amount'] - 1:.8f}"},
    ]
    raw = miner.rpc("createrawtransaction", [{"txid": coin["txid"], "vout": coin["vout"]}], outputs)
    _mine_alone(market, miner.rpc("signrawtransactionwithwallet", raw)["hex"])

    market.deposit(market.provider, "5")

    assert market.balances(market.payer) == ("0.00000000", "0.00000000")
    assert market.balances(market.provider) == ("5.00000000", "0.00000000")


def test_a_payment_that_an_operator_sent_again_by_hand_is_not_paid_twice(market: Market) -> None:
    market.deposit(market.payer, "10")
    outside = market.chain.new_outside_address()
    market.withdraw(market.payer, outside, "2")
    market.work()
    stored = market.session.scalars(select(ChainTransaction)).one()
    market.session.commit()
    custody = market.chain.custody
    decoded = custody.rpc("decoderawtransaction", stored.signed_hex)
    # The same inputs and the same payment, with a higher fee taken from the change.
    outputs = {}
    for output in decoded["vout"]:
        address, value = output["scriptPubKey"]["addresses"][0], output["value"]
        outputs[address] = f"{value if address == outside else value - Decimal('0.01'):.8f}"
    inputs = [{"txid": point["txid"], "vout": point["vout"]} for point in decoded["vin"]]
    raw = custody.rpc("createrawtransaction", inputs, outputs)
    _mine_alone(market, custody.rpc("signrawtransactionwithwallet", raw)["hex"])

    for _ in range(3):
        market.chain.mine(3)
        market.work()

    (payout,) = market.payouts()
    assert payout.status == "confirmed"
    assert payout.net is not None
    assert market.chain.received(outside) == str(payout.net)
    assert market.halts() == []


def test_a_second_spelling_of_an_address_is_paid_like_any_other(market: Market) -> None:
    market.deposit(market.payer, "10")
    market.deposit(market.provider, "10")
    outside = market.chain.new_outside_address()
    # The daemon writes this one with version 58 when it reads the transaction back.
    market.withdraw(market.payer, base58.encode_check(bytes([196]) + bytes(range(20))), "1")
    market.withdraw(market.provider, outside, "1")

    market.settle()

    assert {payout.status for payout in market.payouts()} == {"confirmed"}
    net = next(payout.net for payout in market.payouts() if payout.address == outside)
    assert market.chain.received(outside) == str(net)


def test_a_daemon_that_has_lost_its_blocks_takes_nothing_back(market: Market) -> None:
    market.deposit(market.payer, "100")
    market.release(market.escrow("60"))
    before = market.balances(market.payer), market.balances(market.provider)
    market.stop_daemon()
    for folder in ("blocks", "chainstate"):
        shutil.rmtree(market.chain.custody.datadir / "regtest" / folder)
    market.start_daemon("-connect=0")

    market.work(is_expected_to_succeed=False)

    assert "was read before" in _failures(market)["deposits"]
    assert (market.balances(market.payer), market.balances(market.provider)) == before
    assert (market.alerts(), market.halts()) == ([], [])

    market.stop_daemon()
    market.start_daemon()
    market.chain.sync()
    market.work()
    assert (market.balances(market.payer), market.balances(market.provider)) == before


def test_blocks_that_were_undone_for_good_take_their_deposits_with_them(market: Market) -> None:
    market.deposit(market.payer, "7")
    undone = market.chain.miner.rpc("getblockhash", market.chain.miner.rpc("getblockcount") - 1)
    for daemon in (market.chain.custody, market.chain.miner):
        daemon.rpc("invalidateblock", undone)

    market.work()

    assert market.balances(market.payer) == ("0.00000000", "0.00000000")
    # To another address than before: the same reward would make the very block that was declared invalid.
    market.chain.miner.rpc("generatetoaddress", 3, market.chain.new_outside_address())
    market.chain.sync()
    market.work()
    assert market.balances(market.payer) == ("7.00000000", "0.00000000")
