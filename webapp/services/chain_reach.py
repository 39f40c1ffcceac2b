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
from webapp.models import ChainCursor, DaemonFigures, WorkerTask

# The task of the worker that reads the chain at every tick.
READING_TASK = "deposits"
PATIENCE = timedelta(seconds=60)
# A few blocks that came since the last look are no delay; the first reading of a chain is behind by thousands.
USUAL_BLOCKS_BEHIND = 6


class Reach(StrEnum):
    """What is known of the way to the chain."""

    OPEN = "open"
    DAEMON_DOWN = "daemon_down"
    WORKER_STOPPED = "worker_stopped"


@dataclass(frozen=True, slots=True)
class ChainReach:
    """`since` is when the chain was last read, None if never; `reason` is the daemon's fault in an operator's words.

    `blocks_read` is the height up to which it was read, of the `blocks_known` that the daemon knows to exist.
    """

    reach: Reach
    since: datetime | None = None
    last_run_at: datetime | None = None
    reason: str = ""
    blocks_read: int = 0
    blocks_known: int = 0

    @property
    def is_behind(self) -> bool:
        """Whether the chain is still being caught up with, so that deposits show late."""
        return self.blocks_known - self.blocks_read > USUAL_BLOCKS_BEHIND

    @property
    def is_open(self) -> bool:
        """Whether deposits and payouts move."""
        return self.reach is Reach.OPEN


def look(session: Session, settings: Settings) -> ChainReach:
    """What the worker's last look at the chain told, in one query."""
    task = session.execute(
        select(
            WorkerTask.last_run_at,
            WorkerTask.last_success_at,
            WorkerTask.last_error,
            select(ChainCursor.tip_height).where(ChainCursor.id == 1).scalar_subquery().label("read"),
            select(DaemonFigures.headers).where(DaemonFigures.id == 1).scalar_subquery().label("known"),
        ).where(WorkerTask.name == READING_TASK)
    ).first()
    if task is None or task.last_run_at is None:
        return ChainReach(Reach.WORKER_STOPPED)
    longest_pause = timedelta(seconds=3 * settings.worker.tick_seconds) + PATIENCE
    if utcnow() - task.last_run_at > longest_pause:
        reach = Reach.WORKER_STOPPED
    else:
        reach = Reach.DAEMON_DOWN if task.last_error else Reach.OPEN
    heights = (task.read or 0, task.known or 0)
    return ChainReach(reach, task.last_success_at, task.last_run_at, task.last_error, *heights)
