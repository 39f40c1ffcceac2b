"""`flask fund rules`: which rules hold, which are announced, and announcing or withdrawing some at a terminal."""

from __future__ import annotations

from typing import Any

import click

from webapp.cli.fund import fund_commands
from webapp.cli.output import NUMBER, emit, json_option
from webapp.domain.clock import to_rfc3339
from webapp.domain.exceptions import ValidationError
from webapp.domain.roles import AT_TERMINAL
from webapp.extensions import db
from webapp.models import FundRuleChange
from webapp.services import fund_rules
from webapp.web.current import services


@fund_commands.command("rules")
@click.option(
    "--set", "pairs", multiple=True, metavar="KEY=VALUE", help="Announce another value; repeatable."
)
@click.option("--reason", default="", help="Why, for everybody to read. Needed with --set.")
@click.option("--withdraw", "withdrawn", type=NUMBER, help="Take back the announced change with this number.")
@json_option
def rules(pairs: tuple[str, ...], reason: str, withdrawn: int | None, as_json: bool) -> None:
    """Show the rules; with --set announce others, which hold after the notice."""
    session, settings = db.session(), services().settings
    if pairs and withdrawn:
        raise click.UsageError("--set and --withdraw do not go together.")
    if pairs:
        fund_rules.propose(session, settings, AT_TERMINAL, _values(pairs), reason)
    if withdrawn:
        fund_rules.withdraw(session, AT_TERMINAL, withdrawn)
    coming = [_told(change, as_json) for change in fund_rules.pending(session)]
    held = fund_rules.in_force(session, settings).as_document()
    emit({"rules": held, "pending": coming} if as_json else {**held, "pending": coming}, as_json=as_json)


def _values(pairs: tuple[str, ...]) -> dict[str, str]:
    values: dict[str, str] = {}
    for pair in pairs:
        key, mark, value = pair.partition("=")
        if not mark:
            raise click.UsageError(f"--set takes KEY=VALUE, not {pair!r}.")
        if key in values:
            raise ValidationError.of(key, "is set twice")
        values[key] = value
    return values


def _told(change: FundRuleChange, as_json: bool) -> dict[str, Any] | str:
    if not as_json:
        news = ", ".join(f"{key}: {each['old']} -> {each['new']}" for key, each in change.changes.items())
        return f"{change.id} from {to_rfc3339(change.effective_at)}: {news}"
    return {
        "id": change.id,
        "decided_by": change.decided_by,
        "decided_at": to_rfc3339(change.decided_at),
        "effective_at": to_rfc3339(change.effective_at),
        "reason": change.reason,
        "changes": change.changes,
    }
