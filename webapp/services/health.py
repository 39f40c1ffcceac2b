"""Whether this process can serve: database, schema, worker, daemon. Tells states, never addresses, paths or secrets.

Escrows are created, released and refunded without the daemon, so a daemon that is down, behind or on another network
leaves the service ready and `degraded`. Without its database, with an old schema, or with a silent worker (deadlines
pass, deposits are not credited, nobody is paid) it is `failing`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.exceptions import WalletIntegrationError
from webapp.services.daemon.chain import DaemonChain
from webapp.services.daemon.status import is_synced
from webapp.services.worker_tasks import all_tasks

SILENT_AFTER = timedelta(minutes=3)
DAEMON_PATIENCE_SECONDS = 2.0
DAEMON_MEMORY_SECONDS = 2.0

Overall = Literal["ok", "degraded", "failing"]


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; `detail` is a sentence for an operator."""

    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Health:
    """All findings, and what they come to."""

    status: Overall
    checks: dict[str, Check]

    @property
    def is_ready(self) -> bool:
        """Whether requests should be sent here."""
        return self.status != "failing"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        checks = {name: {"ok": check.ok, "detail": check.detail} for name, check in self.checks.items()}
        return {"status": self.status, "checks": checks}


def check_health(session: Session, daemon: DaemonChain, newest_revision: str | None) -> Health:
    """Look at everything now; the daemon gets two seconds, and is asked again after two."""
    checks = {"database": _database(session)}
    if checks["database"].ok:
        checks["migrations"] = _migrations(session, newest_revision)
        checks["worker"] = (
            _worker(session)
            if checks["migrations"].ok
            else Check(False, "not known before the schema is right")
        )
    session.rollback()
    is_failing = not all(check.ok for check in checks.values())
    checks["daemon"] = _daemon_watch(daemon).check()
    if is_failing:
        return Health("failing", checks)
    return Health("ok" if checks["daemon"].ok else "degraded", checks)


def _database(session: Session) -> Check:
    try:
        session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        session.rollback()
        return Check(False, "the database does not answer")
    return Check(True, "answers")


def _migrations(session: Session, newest: str | None) -> Check:
    from alembic.runtime.migration import MigrationContext  # a site starts without

    present = MigrationContext.configure(session.connection()).get_current_revision()
    if present == newest:
        return Check(True, f"at the newest revision, {newest}")
    return Check(False, f"at revision {present or 'none'}, while the code needs {newest}: run `make migrate`")


def _worker(session: Session) -> Check:
    tasks = all_tasks(session)
    runs = [task.last_run_at for task in tasks if task.last_run_at is not None]
    if not runs:
        return Check(False, "has never run: start `flask worker`")
    seconds = int((utcnow() - max(runs)).total_seconds())
    if seconds > SILENT_AFTER.total_seconds():
        return Check(False, f"has been silent for {seconds} seconds: see whether `flask worker` runs")
    failing = [task.name for task in tasks if task.last_error]
    suffix = f"; failing: {', '.join(failing)}" if failing else ""
    return Check(True, f"ticked {max(seconds, 0)} seconds ago{suffix}")


@dataclass
class _DaemonWatch:
    """Asks in a thread of its own, since a daemon that hangs must not hang whoever asks how we are."""

    ask: Callable[[], Check]
    lock: threading.Lock = field(default_factory=threading.Lock)
    thread: threading.Thread | None = None
    found: Check | None = None
    found_at: float = 0.0

    def check(self) -> Check:
        with self.lock:
            if self.found is not None and time.monotonic() - self.found_at < DAEMON_MEMORY_SECONDS:
                return self.found
            is_asking = self.thread is not None and self.thread.is_alive()
            if not is_asking:
                self.found = None
                self.thread = threading.Thread(target=self._look, name="daemon-health", daemon=True)
                self.thread.start()
            thread = self.thread
        # One caller waits for the answer; the others must not be held up by a daemon that hangs.
        if thread is not None and not is_asking:
            thread.join(DAEMON_PATIENCE_SECONDS)
        return self.found or Check(False, "the coin daemon does not answer in time")

    def _look(self) -> None:
        self.found = self.ask()
        self.found_at = time.monotonic()


_watches: dict[int, tuple[DaemonChain, _DaemonWatch]] = {}


def _daemon_watch(daemon: DaemonChain) -> _DaemonWatch:
    """One watch per daemon in this process. The daemon is kept with it, so that its number stays its own."""
    return _watches.setdefault(id(daemon), (daemon, _DaemonWatch(lambda: _daemon(daemon))))[1]


def _daemon(daemon: DaemonChain) -> Check:
    try:
        chain = daemon.rpc.read("getblockchaininfo")
    except WalletIntegrationError as error:
        return Check(False, f"{error.title}: escrows work, deposits and payouts wait")
    if chain["chain"] != daemon.network:
        return Check(False, f"runs on {chain['chain']}, and this service is for {daemon.network}")
    if not is_synced(chain):
        return Check(False, f"has {chain['blocks']} of {chain['headers']} known blocks")
    return Check(True, f"on {chain['chain']}, in sync at block {chain['blocks']}")
