"""`flask worker`: the clockwork beside the web."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import with_appcontext

from webapp.cli.output import DuxosCommand
from webapp.worker import Worker


@click.command("worker", cls=DuxosCommand)
@click.option("--once", is_flag=True, help="Do everything once and end; exit code 1 if something failed.")
@with_appcontext
def worker_command(once: bool) -> None:
    """Credit deposits, send payouts, watch the clocks, prove the books."""
    worker = Worker(current_app)
    if once:
        if not worker.run_once():
            raise SystemExit(1)
        return
    worker.run_until_stopped()
