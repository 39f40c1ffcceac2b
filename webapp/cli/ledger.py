"""`flask ledger-check`: proof of the books."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from webapp.cli.output import DuxosCommand, json_option
from webapp.extensions import db
from webapp.services.reconciliation import full_check
from webapp.web.current import services


@click.command("ledger-check", cls=DuxosCommand)
@json_option
@with_appcontext
def ledger_check(as_json: bool) -> None:
    """Prove the books, the audit trails and the daemon's coins. Exit code 1 on a gap."""
    report = full_check(db.session(), services().daemon)
    if as_json:
        click.echo(report.to_json())
    else:
        for line in report.lines():
            click.echo(line)
    if report.gaps:
        raise SystemExit(1)
