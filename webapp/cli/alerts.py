"""`flask alerts`: what an operator should look at, for one at a terminal."""

from __future__ import annotations

import click
from sqlalchemy import select, update

from webapp.cli.output import DuxosGroup, emit, json_option
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import NotFoundError
from webapp.extensions import db
from webapp.models import Alert
from webapp.models.compare_and_set import changes_one_row
from webapp.services.unit_of_work import unit_of_work

alert_commands = DuxosGroup("alerts", help="What an operator should look at.")


@alert_commands.command("list")
@json_option
def list_alerts(as_json: bool) -> None:
    """The alerts that nobody has acknowledged, the oldest first."""
    standing = db.session.scalars(select(Alert).where(Alert.acknowledged_at.is_(None)).order_by(Alert.id))
    lines = [f"{alert.id} {alert.kind} {alert.subject}: {alert.detail}" for alert in standing]
    emit({"alerts": lines}, as_json=as_json)


@alert_commands.command("acknowledge")
@click.argument("alert_id", type=int)
@json_option
def acknowledge(alert_id: int, as_json: bool) -> None:
    """Put an alert away. The same thing raises another one if it happens again."""
    with unit_of_work(db.session()) as session:
        standing = (Alert.id == alert_id) & Alert.acknowledged_at.is_(None)
        if not changes_one_row(session, update(Alert).where(standing).values(acknowledged_at=utcnow())):
            raise NotFoundError(f"there is no standing alert {alert_id}")
    emit({"alert_id": alert_id, "status": "acknowledged"}, as_json=as_json)
