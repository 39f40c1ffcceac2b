"""What an operator should look at, until one has: reading alerts and putting them away."""

from __future__ import annotations

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.exceptions import NotFoundError
from webapp.domain.roles import Actor
from webapp.domain.said import said
from webapp.models import Alert
from webapp.models.compare_and_set import changes_one_row
from webapp.services import operator_actions
from webapp.services.unit_of_work import unit_of_work


def standing(session: Session, limit: int) -> list[Alert]:
    """The alerts that nobody has put away, the oldest first."""
    is_standing = Alert.acknowledged_at.is_(None)
    return list(session.scalars(select(Alert).where(is_standing).order_by(Alert.id).limit(limit)))


def latest(session: Session, limit: int) -> list[Alert]:
    """The newest of them."""
    is_standing = Alert.acknowledged_at.is_(None)
    return list(session.scalars(select(Alert).where(is_standing).order_by(Alert.id.desc()).limit(limit)))


def count_by_kind(session: Session) -> dict[str, int]:
    """How many stand of each kind."""
    rows = session.execute(
        select(Alert.kind, func.count()).where(Alert.acknowledged_at.is_(None)).group_by(Alert.kind)
    )
    return {row[0]: row[1] for row in rows}


def acknowledge(session: Session, actor: Actor, alert_id: int) -> None:
    """Put an alert away. The same thing raises another one if it happens again. Raises NotFoundError.

    Pressed twice, the second time finds nothing to put away.
    """
    with unit_of_work(session):
        is_standing = (Alert.id == alert_id) & Alert.acknowledged_at.is_(None)
        if not changes_one_row(session, update(Alert).where(is_standing).values(acknowledged_at=utcnow())):
            raise NotFoundError(said("there is no standing alert {alert_id}", alert_id=alert_id))
        alert = session.get_one(Alert, alert_id)
        operator_actions.record(
            session, actor, "acknowledge_alert", f"alert:{alert_id}", kind=alert.kind, about=alert.subject
        )
