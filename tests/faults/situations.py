"""What must have happened so that a worker's next round comes to a certain step, and the worker that dies at it.

Every situation can be brought about in a market that has a past, as long as that market is at rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from flask import Flask
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from tests.support.airdrops import let_time_pass, make_nodes
from tests.support.instances import Sections
from tests.support.killed_worker import SIGKILLED, Action, nursery, work
from tests.support.malleation import malleated
from tests.support.market import Market
from tests.support.processes import wait_until
from webapp.domain.money import Amount
from webapp.domain.roles import AT_TERMINAL
from webapp.extensions import db
from webapp.models import ChainTransaction, DaemonFigures, Payout
from webapp.services.container import Services
from webapp.services.daemon.wallet import UNLOCK_SECONDS
from webapp.services.deposits.addresses import fill_stock
from webapp.services.deposits.sightings import CHUNK
from webapp.services.payouts.operations import PayoutOperations

PASSPHRASE = "correct horse"
_REFUSED = "mzBc4XEFSdzCDcTxAgf6EZXgsZZZZZZZZZ"  # Its checksum is wrong.


@dataclass(frozen=True)
class Situation:
    """`prepare` brings it about. `action` is what the worker does then; `settings` are the doomed worker's alone,
    `everybodys` those of the whole market.
    """

    prepare: Callable[[Market], None]
    action: Action = work
    settings: Sections = field(default_factory=dict)
    everybodys: Sections = field(default_factory=dict)


def payouts_wait(market: Market) -> None:
    """A withdrawal and an earning, whose escrow has a timeline, are queued."""
    market.pay_to(market.provider, market.chain.new_outside_address())
    _withdraw(market)
    market.release(market.escrow("10"))


def payouts_wait_for_key(market: Market) -> None:
    """The same, in a daemon whose wallet is locked."""
    if not _is_encrypted(market):
        market.chain.custody.rpc("encryptwallet", PASSPHRASE)
    market.chain.custody.rpc("walletlock")
    payouts_wait(market)


def payouts_abandoned(market: Market) -> None:
    """A worker died when it had claimed them."""
    payouts_wait(market)
    die(market, "payouts.claim:after")


def payout_refused(market: Market) -> None:
    """One payout has an address that the daemon refuses: its money goes back to the wallet."""
    payout = _withdraw(market)
    market.session.execute(update(Payout).where(Payout.id == payout.id).values(address=_REFUSED))
    market.session.commit()


def payouts_sent(market: Market) -> None:
    """They are on the network."""
    payouts_wait(market)
    market.work()
    market.chain.sync()


def payouts_mined(market: Market) -> None:
    """They have one confirmation, of two."""
    payouts_sent(market)
    market.chain.mine(1)


def payouts_fallen_back(market: Market) -> None:
    """They had one confirmation, and their block is gone: they wait in the mempool again."""
    payouts_mined(market)
    market.work()
    market.chain.reorganise(1)


def payouts_deep(market: Market) -> None:
    """They have every confirmation they need."""
    payouts_sent(market)
    market.chain.mine(2)


def payouts_undone(market: Market) -> None:
    """They were final, and their blocks are gone."""
    payouts_deep(market)
    market.work()
    market.chain.reorganise(2)


def twin_mined(market: Market) -> None:
    """A worker died before it sent them, and a miner has mined them under another id."""
    payouts_wait(market)
    die(market, "payouts.store:after")
    mine_alone(market, malleated(_last_transaction(market).signed_hex))


def coins_taken(market: Market) -> None:
    """A worker died before it sent them, and one of the coins went elsewhere in the wallet, deep enough."""
    _take_a_coin(market, "getnewaddress", "")


def coins_taken_as_change(market: Market) -> None:
    """The same, to an address for change: the daemon's history is silent about such a transaction."""
    _take_a_coin(market, "getrawchangeaddress")


def _take_a_coin(market: Market, *address_call: str) -> None:
    _have_money(market)
    market.deposit(market.payer, "50")
    everything = Amount.parse(market.balances(market.payer)[0]) - Amount.parse("1")
    market.withdraw(market.payer, market.chain.new_outside_address(), str(everything))
    die(market, "payouts.store:after")
    point = _last_transaction(market).inputs[0]
    custody = market.chain.custody
    value = custody.rpc("gettxout", point.txid, point.vout)["value"]
    # All of it, without a fee: so the books need not know of it.
    outputs = {custody.rpc(*address_call, "legacy"): value}
    raw = custody.rpc("createrawtransaction", [{"txid": point.txid, "vout": point.vout}], outputs)
    mine_alone(market, custody.rpc("signrawtransactionwithwallet", raw)["hex"])
    market.chain.mine(2)


def small_coins(market: Market) -> None:
    """The fund has money for fees, and there are coins to merge or to sweep, which nobody has counted yet."""
    _have_money(market)
    market.release(market.escrow("100"))
    for _ in range(3):
        market.chain.send(market.address_of(market.payer), "2")
    market.chain.mine(2)
    market.work()
    market.session.execute(delete(DaemonFigures))
    market.session.commit()


def payout_unsent(market: Market) -> None:
    """A worker died before it sent a payout's transaction, and the fund has money for fees."""
    small_coins(market)
    _withdraw(market)
    die(market, "payouts.store:after")


def payout_dawdles(market: Market) -> None:
    """A payout is on the network and in no block, and the fund has money for fees."""
    small_coins(market)
    _withdraw(market)
    market.work()
    market.chain.sync()


def payouts_with_a_refused_one(market: Market) -> None:
    """The daemon refuses one of five: it is found by halves, and the others are paid in smaller transactions."""
    for _ in range(2):
        _withdraw(market)
    payout_refused(market)
    for _ in range(2):
        _withdraw(market)


def many_deposits(market: Market) -> None:
    """More than a worker records at a time."""
    address = market.address_of(market.payer)
    for _ in range(CHUNK + 5):
        market.chain.miner.rpc("sendtoaddress", address, "0.1")
    market.chain.mine(2)


def deposits_mined(market: Market) -> None:
    """Two wallets were paid, one of them twice in one transaction's block."""
    for person, amount in ((market.payer, "3"), (market.payer, "4"), (market.provider, "5")):
        market.chain.send(market.address_of(person), amount)
    market.chain.mine(2)


def airdrop_due(market: Market) -> None:
    """The fund has enough, and two nodes may take part: one wants its share on the chain, the other in its balance."""
    _have_money(market)
    market.release(market.escrow("100"))
    let_time_pass(market.session, hours=24)
    make_nodes(
        market.session,
        [market.provider.wallet_id],
        work="",
        airdrop_to="chain",
        airdrop_address=market.chain.new_outside_address(),
    )
    make_nodes(market.session, [market.payer.wallet_id], work="")


def airdrop_mined(market: Market) -> None:
    """What was to go to the chain has every confirmation that it needs."""
    airdrop_due(market)
    market.work()
    market.chain.mine(2)


def raise_fee(app: Flask) -> None:
    """An operator raises the fee of the last payout's transaction."""
    _operations(app).raise_fee(_last_payout(db.session()).id)


def cancel(app: Flask) -> None:
    """An operator takes the last payout back, whose transaction the network does not have."""
    _operations(app).return_to_balance(_last_payout(db.session()).id, "the payee asked for it")


def escrow_overpaid(market: Market) -> None:
    """More than an escrow asks for came to its own address: it becomes active, and the surplus goes home."""
    home = market.chain.new_outside_address()
    market.chain.deposit(own_address(market, "10", refund_address=home), "12", confirmations=2)


def escrow_payment_undone(market: Market) -> None:
    """A part of what an escrow asks for was credited, and its block is gone."""
    market.chain.deposit(own_address(market, "10"), "4", confirmations=2)
    market.work()
    market.chain.reorganise(2)


def deposits_undone(market: Market) -> None:
    """Deposits were credited, and their blocks are gone; what was in them waits in the mempool."""
    deposits_mined(market)
    market.work()
    market.chain.reorganise(2)


def die(market: Market, point: str, situation: Situation | None = None, visit: int = 1) -> None:
    """Have a worker process die at `point`; AssertionError, with its log, if it lived or ended otherwise."""
    market.session.rollback()
    doomed = situation or Situation(payouts_wait)
    worker = nursery().start(market, point, visit, doomed.action, _config(market, doomed.settings))
    status = worker.wait()
    assert status == SIGKILLED, f"{point}: {status}\n{worker.log.read_text()[-3000:]}"


def own_address(market: Market, amount: str, **terms: str) -> str:
    """The address of a new escrow that is to be paid by coins sent there."""
    fill_stock(market.session, market.services.daemon, 1)
    escrow = market.escrow(amount, funding="deposit", **terms)
    assert escrow.deposit_address is not None
    return escrow.deposit_address


def leave_open(market: Market) -> None:
    """Let the coins of a wallet that was locked go back to the miner. Open it stays for seconds if a worker died."""
    if _is_encrypted(market):
        open_until = market.chain.custody.rpc("getwalletinfo")["unlocked_until"]
        assert open_until <= time.time() + UNLOCK_SECONDS, open_until
        market.chain.custody.rpc("walletpassphrase", PASSPHRASE, 600)


def mine_alone(market: Market, transaction_hex: str) -> None:
    """Put one transaction into a block of its own, whatever the mempools hold."""
    miner = market.chain.miner
    miner.rpc("generateblock", market.chain.new_outside_address(), [transaction_hex])
    tip = miner.rpc("getbestblockhash")
    wait_until(lambda: market.chain.custody.rpc("getbestblockhash") == tip, "the block")
    market.chain.custody.rpc("syncwithvalidationinterfacequeue")


def _config(market: Market, changes: Sections) -> Path:
    """The market's settings with these changes, in a file beside the others' one."""
    usual = market.services.settings.instance_path / "config.yaml"
    if not changes:
        return usual
    sections: Sections = yaml.safe_load(usual.read_text())
    for section, values in changes.items():
        sections[section] = {**sections.get(section, {}), **values}
    other = usual.with_name("doomed.yaml")
    other.write_text(yaml.safe_dump(sections))
    return other


def _is_encrypted(market: Market) -> bool:
    return "unlocked_until" in market.chain.custody.rpc("getwalletinfo")


def _withdraw(market: Market) -> Payout:
    _have_money(market)
    return market.withdraw(market.payer, market.chain.new_outside_address(), "5")


def _have_money(market: Market) -> None:
    if Amount.parse(market.balances(market.payer)[0], allow_zero=True) < Amount.parse("120"):
        market.deposit(market.payer, "150")


def _operations(app: Flask) -> PayoutOperations:
    services: Services = app.extensions["duxos"]
    return PayoutOperations(db.session(), services.settings, services.daemon, AT_TERMINAL)


def _last_payout(session: Session) -> Payout:
    payout = session.scalars(select(Payout).order_by(Payout.id.desc()).limit(1)).one()
    session.commit()
    return payout


def _last_transaction(market: Market) -> ChainTransaction:
    statement = select(ChainTransaction).order_by(ChainTransaction.id.desc()).limit(1)
    found = market.session.scalars(statement.execution_options(populate_existing=True)).one()
    market.session.commit()
    return found
