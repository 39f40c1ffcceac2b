"""Whether the chain is within reach, told from the worker's last runs: cheap, and never a question to the daemon.

Pages ask this to say that deposits and payouts wait. Nothing about money is decided by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.models import WorkerTask

# The task of the worker that reads the chain at every tick.
READING_TASK = "deposits"
PATIENCE = timedelta(seconds=60)


class Reach(StrEnum):
    """What is known of the way to the chain."""

    OPEN = "open"
    DAEMON_DOWN = "daemon_down"
    WORKER_STOPPED = "worker_stopped"


@dataclass(frozen=True, slots=True)
class ChainReach:
    """`since` is when the chain was last read, None if never; `reason` is the daemon's fault in an operator's words."""

    reach: Reach
    since: datetime | None = None
    last_run_at: datetime | None = None
    reason: str = ""

    @property
    def is_open(self) -> bool:
        """Whether deposits and payouts move."""
        return self.reach is Reach.OPEN


def look(session: Session, settings: Settings) -> ChainReach:
    """What the worker's last look at the chain told. One row is read."""
    task = session.execute(
        select(WorkerTask.last_run_at, WorkerTask.last_success_at, WorkerTask.last_error).where(
            WorkerTask.name == READING_TASK
        )
    ).first()
    if task is None or task.last_run_at is None:
        return ChainReach(Reach.WORKER_STOPPED)
    longest_pause = timedelta(seconds=3 * settings.worker.tick_seconds) + PATIENCE
    if utcnow() - task.last_run_at > longest_pause:
        reach = Reach.WORKER_STOPPED
    else:
        reach = Reach.DAEMON_DOWN if task.last_error else Reach.OPEN
    return ChainReach(reach, task.last_success_at, task.last_run_at, task.last_error)
