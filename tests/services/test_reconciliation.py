"""Block by block: what is owed, what is in flight and what is held, to the base unit; missing coins halt payouts."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.market import Market
from webapp.domain import accounts, failpoints
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.ledger import pooled
from webapp.ledger.journal import Move, post
from webapp.models import Reconciliation
from webapp.services import housekeeping, reconciliation
from webapp.services.chain_watcher import ChainWatcher
from webapp.services.settlement import Settlement
from webapp.services.solvency import small_change
from webapp.services.solvency.publish import Publisher, StatementNotMadeError
from webapp.services.unit_of_work import unit_of_work


class StopError(Exception):
    """The worker ends here."""


def rows(session: Session) -> list[Reconciliation]:
    """What was reconciled, block by block."""
    statement = select(Reconciliation).order_by(Reconciliation.id).execution_options(populate_existing=True)
    found = list(session.scalars(statement))
    session.commit()
    return found


def figures(market: Market) -> tuple[str, str, str, str, int]:
    """(owed, in flight, expected, held, unexplained) at the last block."""
    row = rows(market.session)[-1]
    amounts = (str(Amount(each)) for each in (row.owed, row.in_flight, row.expected, row.held))
    return (*amounts, row.unexplained)


def test_every_block_is_reconciled_once_and_to_the_unit(market: Market) -> None:
    market.deposit(market.payer, "100")
    assert rows(market.session)[-1].block_hash == market.chain.miner.rpc("getbestblockhash")
    assert figures(market) == ("100.00000000", "0.00000000", "100.00000000", "100.00000000", 0)

    # A deposit that a block holds must be there before anybody owns it.
    market.deposit(market.provider, "7", confirmations=1)
    assert figures(market) == ("100.00000000", "0.00000000", "107.00000000", "107.00000000", 0)

    market.withdraw(market.payer, market.chain.new_outside_address(), "30")
    market.work()
    assert len(rows(market.session)) == 2  # no new block
    market.chain.mine()
    market.work()
    assert figures(market) == ("77.00000000", "30.00000000", "77.00000000", "77.00000000", 0)
    market.chain.mine()
    market.work()
    assert figures(market) == ("77.00000000", "0.00000000", "77.00000000", "77.00000000", 0)

    market.chain.reorganise(1)
    market.work()
    found = rows(market.session)
    assert [row.unexplained for row in found] == [0] * len(found)
    assert len({row.block_hash for row in found}) == len(found)

    # A worker ends between storing a transaction and sending it: the coins are here, and expected here.
    market.withdraw(market.payer, market.chain.new_outside_address(), "20")
    _pay_until(market, "transaction.send:before")
    assert [payout.status for payout in market.payouts()] == ["confirmed", "signed"]
    market.chain.mine()
    ChainWatcher(market.session, market.services.settings, market.services.daemon).run()
    reconciliation.reconcile_block(market.session, market.services.daemon)
    assert figures(market) == ("57.00000000", "20.00000000", "77.00000000", "77.00000000", 0)
    assert (market.halts(), market.alerts()) == ([], [])


def _pay_until(market: Market, point: str) -> None:
    def stop(reached: str) -> None:
        if reached == point:
            raise StopError

    failpoints.arm(stop)
    try:
        with pytest.raises(StopError):
            Settlement(market.session, market.services.settings, market.services.daemon).pay()
    finally:
        failpoints.arm(None)
    market.session.rollback()


def test_coins_that_were_spent_behind_our_back_halt_payouts(market: Market) -> None:
    market.deposit(market.payer, "50")
    market.chain.custody.rpc("sendtoaddress", market.chain.new_outside_address(), "20")
    market.chain.mine()
    reconciliation.reconcile_block(market.session, market.services.daemon)
    assert market.halts() == []  # the books speak of an older block than the coins

    market.work()

    row = rows(market.session)[-1]
    assert row.owed == row.expected == 50 * 10**8
    assert row.unexplained == row.held - row.expected < -20 * 10**8
    assert market.halts() == [reconciliation.HALT_CAUSE]
    assert market.alerts() == ["payouts_halted"]
    market.withdraw(market.payer, market.chain.new_outside_address(), "5")
    market.work()
    assert [payout.status for payout in market.payouts()] == ["queued"]

    # An operator makes it good with coins of their own.
    address = market.chain.custody.rpc("getnewaddress", "", "legacy")
    market.chain.deposit(address, str(Amount(-row.unexplained)), 1)
    market.work()
    assert rows(market.session)[-1].unexplained == 0


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_change_whose_transaction_fell_out_of_the_mempool_is_not_missing(market: Market) -> None:
    market.deposit(market.payer, "50")
    market.withdraw(market.payer, market.chain.new_outside_address(), "20")
    market.work()
    market.stop_daemon()
    (market.chain.custody.datadir / "regtest" / "mempool.dat").unlink(missing_ok=True)
    market.start_daemon("-connect=0", "-persistmempool=0", "-walletbroadcast=0")
    assert market.chain.custody.rpc("getrawmempool") == []
    assert market.chain.custody.rpc("getbalance") == 0

    report = reconciliation.check_and_halt(market.session, market.services.daemon)

    assert (report.gaps, report.coins and report.coins.unexplained) == ([], 0)
    with pytest.raises(StatementNotMadeError, match="in no mempool"):
        Publisher(market.session, market.services.settings, market.services.daemon).publish()
    assert (market.halts(), market.alerts()) == ([], [])
    market.stop_daemon()
    market.start_daemon()
    market.settle()


def test_blocks_of_a_month_ago_are_forgotten_and_the_newest_never(session: Session) -> None:
    nothing = dict.fromkeys(("owed", "in_flight", "cold", "expected", "held", "unexplained"), 0)
    with unit_of_work(session):
        for days, name in ((40, "a"), (31, "b"), (29, "c")):
            made = {"block_height": 1, "block_hash": name, "checked_at": utcnow() - timedelta(days=days)}
            session.add(Reconciliation(**nothing, **made))
            session.flush()
    housekeeping.purge(session)
    assert [row.block_hash for row in rows(session)] == ["c"]

    with unit_of_work(session):
        rows(session)[0].checked_at = utcnow() - timedelta(days=300)
    housekeeping.purge(session)
    assert [row.block_hash for row in rows(session)] == ["c"]


def test_the_fund_bears_what_miners_got_beyond_every_share(session: Session) -> None:
    def move(source: str, destination: str, amount: int) -> None:
        with unit_of_work(session):
            post(session, f"test:{uuid.uuid4()}", "test", [Move(source, destination, Amount(amount))])

    def charged() -> tuple[int, int]:
        small_change.charge_to_fund(session)
        found = pooled.balance(session, accounts.FUND), pooled.balance(session, accounts.LOSSES)
        session.rollback()
        return found

    move(accounts.LOSSES, accounts.NETWORK_FEES, 70)
    move(
        accounts.LOSSES, accounts.CHAIN, 1000
    )  # a deposit that was spent and undone is no matter of the fund
    assert charged() == (0, -1070)
    move(accounts.CHAIN, accounts.FUND, 50)
    assert charged() == charged() == (0, -1020)
    move(accounts.CHAIN, accounts.FUND, 50)
    assert charged() == charged() == (30, -1000)
    move(accounts.NETWORK_FEES, accounts.LOSSES, 10)
    move(accounts.LOSSES, accounts.NETWORK_FEES, 15)
    assert charged() == (25, -1000)
