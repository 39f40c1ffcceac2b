"""A market whose worker reaches the daemon through a proxy that makes trouble, and what it lives through there.

The wallet is encrypted, so that signing also needs the passphrase. People and miners have lines of their own to the
daemons: what they do, and what is counted, is never spoiled.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from sqlalchemy import update

from tests.faults.journeys import Journey
from tests.support.fault_proxy import FaultProxy, Trouble
from tests.support.instances import Sections
from tests.support.market import Market, worker_app
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import TransactionError, WalletIntegrationError
from webapp.domain.money import Amount
from webapp.extensions import db
from webapp.models import ChainTransaction, Payout
from webapp.services.container import Services
from webapp.services.daemon.answers import Coin, OutPoint, read_amount
from webapp.services.daemon.circuit_breaker import CircuitBreaker
from webapp.services.daemon.shared import daemon_for
from webapp.services.payouts.own_transactions import OwnTransactions, estimate_size, fee_of
from webapp.worker import Worker

PASSPHRASE = "correct horse"
SETTINGS: Sections = {"wallet": {"passphrase": PASSPHRASE}}
TIMEOUT_SECONDS = 0.8
LATE_SECONDS = 1.0
COOLDOWN_SECONDS = 0.05
ROUNDS_TO_REST = 8
WITHDRAWN, DEPOSITED = "1", "1.5"
# Tasks that come every ten minutes or less often, and others that never speak to the daemon.
SELDOM = {
    "airdrop_watch",
    "airdrops",
    "audit_trails",
    "checkpoints",
    "escrow_clock",
    "evidence_orphans",
    "fair_clocks",
    "fund_figures",
    "hot_wallet",
    "housekeeping",
    "integrity",
    "payout_deadlines",
    "reputation",
    "sessions",
    "solvency",
}
# After a time-out nothing is asked for a moment, not even to lock the wallet: it does so by itself in a while.
_LEAVE_WALLET_OPEN = (Trouble.REQUEST_LATE, Trouble.ANSWER_LATE)


@dataclass(frozen=True)
class Blow:
    """Trouble for `times` calls of the method, for all of them if None, after `skip` healthy ones."""

    method: str
    trouble: Trouble
    times: int | None = 1
    skip: int = 0

    @property
    def may_leave_wallet_open(self) -> bool:
        """Whether the call that locks the wallet may never get through."""
        return self.trouble in _LEAVE_WALLET_OPEN or self.method == "walletlock"

    def __str__(self) -> str:
        return f"{self.method} {self.trouble.name} ({self.times or 'all'} after {self.skip})"


class TroubledMarket:
    """Use `troubled`. `proxy` makes the trouble; `market` is the market, healthy."""

    def __init__(self, market: Market, proxy: FaultProxy) -> None:
        self.market = market
        self.chain = market.chain
        self.proxy = proxy
        settings = market.services.settings
        line = {"port": proxy.port, "timeout": TIMEOUT_SECONDS, "retry_attempts": 1}
        self.settings = settings.model_copy(update={"rpc": settings.rpc.model_copy(update=line)})
        self.daemon = daemon_for(self.settings)
        self.daemon.rpc._circuit = CircuitBreaker(cooldown_seconds=COOLDOWN_SECONDS)
        self.app = worker_app(Services.of(self.settings))
        self.payouts: list[Payout] = []

    def stock_up(self) -> None:
        """Coins for many payouts, and a fund that can bear fees."""
        self.chain.custody.rpc("encryptwallet", PASSPHRASE)
        for amount in ("60", "60", "60"):
            self.chain.send(self.market.address_of(self.market.payer), amount)
        self.chain.mine(2)
        self.market.work()
        self.market.release(self.market.escrow("100"))

    def live(self, journey: Journey) -> list[str]:
        """Go through a journey without trouble; the methods that it called, as often as it did."""
        self._begin(journey)
        seen = len(self.proxy.seen)
        journey.live(self)
        called = self.proxy.seen[seen:]
        self.rest()
        return called

    def suffer(self, journey: Journey, *blows: Blow, is_certain: bool = True) -> None:
        """Go through a journey in trouble, and be well again after it. AssertionError, with the case, if not.

        Each blow has to fall, unless it is uncertain because another one may come before it.
        """
        self._begin(journey)
        struck = len(self.proxy.struck)
        for blow in blows:
            self.proxy.strike(blow.method, blow.trouble, times=blow.times, skip=blow.skip)
        try:
            journey.live(self)
            fallen = set(self.proxy.struck[struck:])
            assert not is_certain or fallen == {(blow.method, blow.trouble) for blow in blows}, fallen
            self.proxy.heal()
            self.proxy.wait_until_quiet()
            time.sleep(COOLDOWN_SECONDS)
            self.rest()
            if not any(blow.may_leave_wallet_open for blow in blows):
                assert self.chain.custody.rpc("getwalletinfo")["unlocked_until"] == 0, (
                    "the wallet stayed open"
                )
        except AssertionError as error:
            raise AssertionError(f"{journey.name}, {', '.join(map(str, blows))}: {error}") from error

    def _begin(self, journey: Journey) -> None:
        """What was learnt of the daemon is forgotten, so that every case asks for all of it."""
        self.daemon.rpc._pool.lost()
        self.chain.custody.rpc("walletlock")
        journey.prepare(self)

    def round(self, but: Collection[str] = SELDOM) -> None:
        """One look of the worker at everything `but` some tasks. Nobody is paid more than once by it."""
        self.market.session.rollback()
        for task in self.worker._tasks:
            if task.name not in but:
                self.worker._attempt(task)
        self.chain.sync()
        for payout in self.payouts:
            assert self.received(payout) <= payout.gross.decimal, f"{payout.id} was paid twice"

    def withdraw(self) -> Payout:
        """Somebody asks for coins."""
        payout = self.market.withdraw(self.market.payer, self.chain.new_outside_address(), WITHDRAWN)
        self.payouts.append(payout)
        return payout

    def deposit(self) -> None:
        """Somebody sends coins, which are not in a block yet."""
        self.chain.send(self.market.address_of(self.market.payer), DEPOSITED)

    def merge(self) -> bool:
        """Merge two coins, if there is no trouble; whether that went as far as a stored transaction."""
        try:
            coins = self.daemon.list_coins(1)[:2]
            self._own().send("merge", coins, self._fee(len(coins)))
        except (TransactionError, WalletIntegrationError):
            self.market.session.rollback()
            return False
        return True

    def cancel(self, parent: ChainTransaction) -> bool:
        """Take the coins of a transaction that the network does not have; whether that was stored."""
        points = [OutPoint(point.txid, point.vout) for point in parent.inputs]
        self.market.session.commit()
        coins = [coin for point in points if (coin := self._coin(point))]
        if len(coins) < len(points):
            return True  # It was sent again meanwhile: there is nothing to cancel any more.
        try:
            self._own().send("cancel", coins, self._fee(len(coins)), parent=parent)
        except (TransactionError, WalletIntegrationError):
            self.market.session.rollback()
            return False
        return True

    def rest(self) -> None:
        """The trouble is over: without a human everything comes to its end, exactly."""
        for _ in range(ROUNDS_TO_REST):
            self._make_due()
            self.round()
            self.chain.mine(2)
            self.round()
            waiting = self._waiting()
            if not waiting:
                break
        assert not waiting, waiting
        for payout in self.payouts:
            assert payout.net is not None and self.received(payout) == payout.net.decimal, "paid otherwise"
        report = self.market.report()
        assert report.gaps == []
        assert report.coins is not None and report.coins.unexplained == 0, report.lines()
        assert self.market.halts() == []
        assert set(self.market.alerts()) <= {"payout_replaced"}, "a false alarm"
        assert self.chain.custody.rpc("listlockunspent") == [], "coins stayed locked"
        assert not self.daemon.rpc._circuit.is_open, "the circuit stayed open"
        self.payouts.clear()

    def received(self, payout: Payout) -> Decimal:
        """What has arrived at the payout's address, the mempool included."""
        return Decimal(self.chain.received(payout.address))

    def _waiting(self) -> list[tuple[str, str]]:
        session = self.market.session
        session.rollback()
        for payout in self.payouts:
            session.refresh(payout)
        found = [(payout.status, payout.reason) for payout in self.payouts if payout.status != "confirmed"]
        unsettled = ChainTransaction.status.in_(("signed", "unknown", "broadcast"))
        found += [(row.status, row.reason) for row in session.query(ChainTransaction).where(unsettled)]
        session.rollback()
        return found

    def _make_due(self) -> None:
        """The pause of what was put back is over."""
        session = self.market.session
        session.rollback()
        session.execute(update(Payout).where(Payout.status == "queued").values(next_attempt_at=utcnow()))
        session.commit()

    def _own(self) -> OwnTransactions:
        return OwnTransactions(self.market.session, self.settings, self.daemon)

    def _fee(self, inputs: int) -> Amount:
        return fee_of(estimate_size(inputs, 1), self.settings.wallet.fee_rate_per_kb)

    def _coin(self, point: OutPoint) -> Coin | None:
        found = self.chain.custody.rpc("gettxout", point.txid, point.vout)
        return found and Coin(point, read_amount(found["value"]), found["confirmations"], None)

    @cached_property
    def worker(self) -> Worker:
        """One for as long as the market lives: what it remembers of the trouble is part of the matter."""
        return Worker(self.app)


@contextmanager
def troubled(market: Market) -> Iterator[TroubledMarket]:
    """The market with a proxy in its line to the daemon, coins, and an encrypted wallet that can be emptied later."""
    with FaultProxy(market.chain.custody.rpc_port, late_seconds=LATE_SECONDS) as proxy:
        made = TroubledMarket(market, proxy)
        with made.app.app_context():
            made.stock_up()
            try:
                yield made
            finally:
                db.session.remove()
                db.engine.dispose()
                made.daemon.rpc.close()
                market.chain.custody.rpc("walletpassphrase", PASSPHRASE, 10_000)
