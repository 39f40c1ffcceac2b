"""Signs of life: the busiest thing that nodes do, so each is one statement on one narrow row and no object.

A beat counts only if it was signed later than the one before it, by the node's own clock. So one that is sent again
does nothing, whoever sends it and however late, and beats need no row for each nonce. Two in one second are one; a
node that sets its clock back is heard again when it has caught up, five minutes later at most.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Table, bindparam, func, update
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import SignatureError, ValidationError
from webapp.domain.node_health import Health, health_of
from webapp.models import NodeHeartbeat
from webapp.models.insert_once import insert_once
from webapp.services.nodes.challenges import mark_verified
from webapp.services.nodes.profiles import MAX_TEXT
from webapp.services.unit_of_work import lone_write

MAX_TASKS = 1_000_000
_BEATS: Table = NodeHeartbeat.__table__  # type: ignore[assignment]
_EARLIER = update(_BEATS).where(
    _BEATS.c.node_id == bindparam("beating"), _BEATS.c.signed_at < bindparam("newer_than")
)
_REPLACE = _EARLIER.returning(_BEATS.c.node_id)
# Said in the same breath, it costs no question of its own: this transaction need not wait for the disk. A beat that a
# crash takes back is followed by another.
_REPLACE_LAZILY = _EARLIER.returning(func.set_config("synchronous_commit", "off", True))


def beat(
    session: Session,
    settings: Settings,
    node_id: str,
    *,
    load: int,
    tasks_running: int,
    version: str,
    at: datetime,
    signed_at: datetime | None = None,
) -> Health:
    """Note that the node was heard from at `at` (our clock), with its load in thousandths; the health it has now.

    `signed_at` is the node's clock, and `at` without it. The first beat verifies the node: whoever calls this has
    checked that one of its keys signed it. Raises ValidationError with every wrong field, and SignatureError for a
    beat that is not newer than the last one.
    """
    _check(tasks_running, version)
    values = {
        "last_beat_at": at,
        "signed_at": signed_at or at,
        "load": load,
        "tasks_running": tasks_running,
        "version": version,
    }
    with lone_write(session):
        if not _replaces(session, node_id, values):
            _begin(session, node_id, values)
    return health_of(at, utcnow(), *settings.nodes.health_windows)


def _check(tasks_running: int, version: str) -> None:
    complaints = {}
    if not 0 <= tasks_running <= MAX_TASKS:
        complaints["tasks_running"] = f"must be between 0 and {MAX_TASKS}"
    if len(version) > MAX_TEXT or not version.isprintable():
        complaints["version"] = f"must be at most {MAX_TEXT} printable characters"
    if complaints:
        detail = "; ".join(f"{field}: {message}" for field, message in complaints.items())
        raise ValidationError(detail, fields=complaints)


def _replaces(session: Session, node_id: str, values: dict[str, Any]) -> bool:
    """Whether there was an earlier beat to put this one in the place of."""
    is_lazy = session.get_bind().dialect.name == "postgresql"
    said = {"beating": node_id, "newer_than": values["signed_at"], **values}
    return session.execute(_REPLACE_LAZILY if is_lazy else _REPLACE, said).first() is not None


def _begin(session: Session, node_id: str, values: dict[str, Any]) -> None:
    if insert_once(session, NodeHeartbeat, {"node_id": node_id, **values}) is None:
        raise SignatureError("the nonce was used before, or a beat that was signed later has come first")
    mark_verified(session, node_id, values["last_beat_at"])
