"""The worker's loop: tasks in their order, each by its own clock; signals; sleep. Calls services only."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from flask import Flask
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.exceptions import DuxosError
from webapp.domain.roles import WORKER
from webapp.extensions import db
from webapp.services import housekeeping, worker_tasks
from webapp.services.airdrops.run import AirdropRun
from webapp.services.airdrops.watch import AirdropWatch
from webapp.services.chain_watcher import ChainWatcher
from webapp.services.container import Services
from webapp.services.custody.hot_wallet import HotWallet
from webapp.services.custody.locked_wallet import tell_if_locked
from webapp.services.daemon_figures import FigureRecorder
from webapp.services.deposits import addresses as deposit_addresses
from webapp.services.disputes.clock import DisputeClock
from webapp.services.downtime import PulseTaker
from webapp.services.escrow_clock import EscrowClock
from webapp.services.evidence import orphans
from webapp.services.fair_clocks import FairClocks
from webapp.services.mail.run import MailRun
from webapp.services.nodes.tallies import Tallies
from webapp.services.notices.run import NoticeRun, forget
from webapp.services.payouts.deadlines import DeadlineWatch
from webapp.services.payouts.upkeep import CoinUpkeep
from webapp.services.pooled_accounts import CheckpointFolder
from webapp.services.reconciliation import check_and_halt, check_trails_and_halt, reconcile_block
from webapp.services.settlement import Settlement
from webapp.services.solvency.publish import Publisher
from webapp.services.terms.clock import TermsClock
from webapp.web.mail_text import MailComposer

log = structlog.get_logger(__name__)

DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeoutError)


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be done every `interval_seconds`. It raises DuxosError when it could not."""

    name: str
    interval_seconds: float
    run: Callable[[], object]


class Worker:
    """One worker process. Several may run: each task has one holder at a time."""

    def __init__(self, app: Flask) -> None:
        services: Services = app.extensions["duxos"]
        self._session: Session = db.session()
        self._daemon = services.daemon
        self._tick_seconds = services.settings.worker.tick_seconds
        self._pulse = PulseTaker(self._session, services.settings, self._daemon)
        self._tasks = _tasks(self._session, services)
        self._next_pulse = 0.0
        self._next_run = dict.fromkeys((task.name for task in self._tasks), 0.0)
        self._stopping = threading.Event()

    def run_once(self) -> bool:
        """Every task once. False if any failed."""
        self._look_after_pulse(self._pulse.close)
        return all([self._attempt(task) for task in self._tasks])

    def run_until_stopped(self) -> None:
        """Tick until SIGTERM or SIGINT, and finish the task at hand before leaving."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        log.info("worker_started", tasks=len(self._tasks))
        while not self._stopping.is_set():
            self.tick()
            self._stopping.wait(self._tick_seconds)
        log.info("worker_stopped")

    def tick(self) -> None:
        """Run the tasks whose time has come."""
        for task in self._tasks:
            if self._stopping.is_set():
                return
            # Before each: what was done before it may have taken its time.
            self._take_pulse()
            if time.monotonic() >= self._next_run[task.name]:
                self._next_run[task.name] = time.monotonic() + task.interval_seconds
                self._attempt(task)
        # A daemon that is asked to stop waits for every connection, for half a minute if need be.
        self._daemon.rpc.close()

    def _take_pulse(self) -> None:
        """Note that the service is there, at most once in a tick's time."""
        if time.monotonic() >= self._next_pulse:
            self._next_pulse = time.monotonic() + self._tick_seconds
            self._look_after_pulse(self._pulse.take)

    def _look_after_pulse(self, look: Callable[[], None]) -> None:
        """A pulse that cannot be taken must not keep the tasks from their work."""
        try:
            look()
        except Exception:
            log.exception("pulse_not_taken")
            self._session.rollback()

    def _attempt(self, task: Task) -> bool:
        """Run a task; one that fails is recorded and does not keep the others from their work."""
        try:
            if not worker_tasks.take(self._session, task.name):
                return True
            error = self._run(task)
            worker_tasks.finish(self._session, task.name, error)
        except DATABASE_AWAY:
            # The database is away. The next tick tries again; a worker that ended here would need a human.
            log.exception("database_away", task=task.name)
            self._session.rollback()
            return False
        return not error

    def _run(self, task: Task) -> str:
        """Run a task. Returns what went wrong, or nothing."""
        try:
            task.run()
        except DuxosError as error:
            self._session.rollback()
            log.warning("task_failed", task=task.name, reason=error.detail)
            tell_if_locked(self._session, error)
            return error.detail
        except DATABASE_AWAY:
            raise
        except Exception as error:
            # A defect in one task must not stop deposits or payouts; it is logged whole and shown as the task's state.
            self._session.rollback()
            log.exception("task_crashed", task=task.name)
            return f"{type(error).__name__}: {error}"
        return ""


def _tasks(session: Session, services: Services) -> list[Task]:
    settings, daemon = services.settings, services.daemon
    tick = settings.worker.tick_seconds
    pool_size, minutes = settings.wallet.address_pool_size, settings.worker.integrity_check_minutes
    folder = CheckpointFolder(session)
    settlement = Settlement(session, settings, daemon)
    return [
        Task("addresses", tick, lambda: deposit_addresses.fill_stock(session, daemon, pool_size)),
        Task("deposits", tick, ChainWatcher(session, settings, daemon).run),
        Task("daemon_figures", tick, FigureRecorder(session, daemon).run),
        # Deadlines are moved by what was lost before any of them is acted on.
        Task("fair_clocks", tick, FairClocks(session).run),
        Task(
            "escrow_clock", tick, EscrowClock(session, services.escrow_manager(session, WORKER), settings).run
        ),
        Task("escrow_terms", tick, TermsClock(session, settings, services.wallets(session)).run),
        Task("dispute_clock", tick, DisputeClock(session, settings, services.wallets(session)).run),
        Task("payouts", tick, settlement.follow),
        Task("reconciliation", tick, lambda: reconcile_block(session, daemon)),
        # After what the chain has to say, and ahead of paying: books that were restored from a backup must not pay
        # again what they have forgotten.
        Task("integrity", minutes * 60, lambda: check_and_halt(session, daemon)),
        # Airdrops go by what was settled up to this moment.
        Task("reputation", 60, Tallies(session, settings).run),
        # After a look at the books, and ahead of paying: what an airdrop sends goes into this round's transactions.
        Task("airdrops", 10, AirdropRun(session, settings).run),
        Task("settlement", tick, settlement.pay),
        Task("hot_wallet", 60, HotWallet(session, settings, daemon).run),
        Task("upkeep", 60, CoinUpkeep(session, settings, daemon).run),
        # What has moved in this very round is not late any more.
        Task("payout_deadlines", 60, DeadlineWatch(session, settings).run),
        Task("airdrop_watch", 300, AirdropWatch(session, settings).run),
        Task("solvency", 60, Publisher(session, settings, daemon).publish_if_due),
        # After everything of this round that people are told of.
        Task("notices", tick, NoticeRun(session, settings).run),
        *_mail(session, settings),
        Task("checkpoints", 60, folder.run),
        Task("fund_figures", 60, services.fund_manager(session).record_figures),
        Task("audit_trails", 24 * 3600, lambda: check_trails_and_halt(session)),
        Task("housekeeping", 3600, lambda: housekeeping.purge(session)),
        Task("old_notices", 3600, lambda: forget(session, settings.notices.kept_days)),
        Task("evidence_orphans", 24 * 3600, lambda: orphans.sweep(session, settings)),
        Task("sessions", 3600, services.sessions(session).purge),
    ]


def _mail(session: Session, settings: Settings) -> list[Task]:
    """Mail is sent where a server is named."""
    if not settings.mail.host:
        return []
    composer = MailComposer(settings)
    return [Task("mail", settings.worker.tick_seconds, MailRun(session, settings, composer).run)]
