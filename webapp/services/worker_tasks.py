"""Recurring tasks: who runs one now, when it ran last, and how that went."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.models import WorkerTask
from webapp.models.compare_and_set import changes_one_row
from webapp.models.insert_once import insert_once
from webapp.services.process_holder import holder, is_known_dead
from webapp.services.unit_of_work import unit_of_work

LEASE = timedelta(seconds=60)


def take(session: Session, name: str) -> bool:
    """Take the task unless another live worker has it. The lease only avoids useless work: it guards no money."""
    now = utcnow()
    with unit_of_work(session):
        insert_once(session, WorkerTask, {"name": name, "held_until": now})
        last = session.execute(select(WorkerTask.holder).where(WorkerTask.name == name)).scalar_one()
        is_free = WorkerTask.held_until <= now
        mine = WorkerTask.holder.in_([holder(), last] if is_known_dead(last) else [holder()])
        is_changed = changes_one_row(
            session,
            update(WorkerTask)
            .where(WorkerTask.name == name, or_(is_free, mine))
            .values(holder=holder(), held_until=now + LEASE),
        )
        return is_changed


def finish(session: Session, name: str, error: str = "") -> None:
    """Record how the run went and let the task go."""
    now = utcnow()
    values = {"held_until": now, "last_run_at": now, "last_error": error[:500]}
    if not error:
        values["last_success_at"] = now
    with unit_of_work(session):
        session.execute(
            update(WorkerTask)
            .where(WorkerTask.name == name, WorkerTask.holder == holder())
            .values(**values)
            .execution_options(synchronize_session=False)
        )


def all_tasks(session: Session) -> list[WorkerTask]:
    """Every task that ever ran, by name."""
    return list(session.scalars(select(WorkerTask).order_by(WorkerTask.name)))
