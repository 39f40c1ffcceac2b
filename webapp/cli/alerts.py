"""`flask alerts`: what an operator should look at, for one at a terminal."""

from __future__ import annotations

from typing import Any

import click

from webapp.cli.output import NUMBER, DuxosGroup, emit, json_option, limit_option
from webapp.domain.clock import to_rfc3339
from webapp.domain.roles import AT_TERMINAL
from webapp.extensions import db
from webapp.models import Alert
from webapp.services import alerts

alert_commands = DuxosGroup("alerts", help="What an operator should look at.")


@alert_commands.command("list")
@limit_option
@json_option
def list_alerts(limit: int, as_json: bool) -> None:
    """The alerts that nobody has acknowledged, the oldest first."""
    session = db.session()
    total = sum(alerts.count_by_kind(session).values())
    told = [_told(alert, as_json) for alert in alerts.standing(session, limit)]
    emit({"total": total, "alerts": told}, as_json=as_json)


@alert_commands.command("acknowledge")
@click.argument("alert_id", type=NUMBER)
@json_option
def acknowledge(alert_id: int, as_json: bool) -> None:
    """Put an alert away. The same thing raises another one if it happens again."""
    alerts.acknowledge(db.session(), AT_TERMINAL, alert_id)
    emit({"alert_id": alert_id, "status": "acknowledged"}, as_json=as_json)


def _told(alert: Alert, as_json: bool) -> dict[str, Any] | str:
    if not as_json:
        return f"{alert.id} {alert.kind} {alert.subject}: {alert.detail}"
    return {
        "id": alert.id,
        "kind": alert.kind,
        "subject": alert.subject,
        "detail": alert.detail,
        "raised_at": to_rfc3339(alert.raised_at),
    }
