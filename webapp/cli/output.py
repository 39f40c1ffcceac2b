"""What every command shares: one JSON object or readable lines, and errors without a traceback."""

from __future__ import annotations

import json
from typing import Any

import click
from flask.cli import AppGroup, ScriptInfo

from webapp.domain.exceptions import DuxosError
from webapp.domain.numbers import LARGEST_NUMBER
from webapp.domain.pagination import MAX_PAGE_SIZE
from webapp.schema import create_if_missing

# A number in the database: of a wallet, an alert, a coin.
NUMBER = click.IntRange(1, LARGEST_NUMBER)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
limit_option = click.option(
    "--limit", type=click.IntRange(1, MAX_PAGE_SIZE), default=25, show_default=True, help="How many at most."
)


def emit(values: dict[str, Any], *, as_json: bool) -> None:
    """Print the result of a command."""
    if as_json:
        click.echo(json.dumps(values, default=str))
        return
    width = max(len(name) for name in values)
    for name, value in values.items():
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        click.echo(f"{name.replace('_', ' '):<{width}}  {'-' if text is None else text}")


class DuxosCommand(click.Command):
    """A command on the instance's database, which is made if it is empty. Errors end in one line and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            create_if_missing(ctx.ensure_object(ScriptInfo).load_app())
            return super().invoke(ctx)
        except DuxosError as error:
            raise click.ClickException(error.detail) from error


class DuxosGroup(AppGroup):
    """A group of such commands; each runs inside an application context."""

    command_class = DuxosCommand
