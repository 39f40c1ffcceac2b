"""What every command shares: one JSON object or readable lines, and errors without a traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import click
from flask.cli import AppGroup, ScriptInfo

from webapp.domain.exceptions import DuxosError
from webapp.domain.numbers import LARGEST_NUMBER
from webapp.domain.pagination import MAX_PAGE_SIZE
from webapp.schema import create_if_missing

# A number in the database: of a wallet, an alert, a coin.
NUMBER = click.IntRange(1, LARGEST_NUMBER)
_JSON = "--json"
json_option = click.option(
    _JSON, "as_json", is_flag=True, help="Print one JSON object and nothing else, errors too."
)
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


class JsonError(click.ClickException):
    """What went wrong as the one JSON object that `--json` promises, on standard output.

    `error` is the slug of the problem documents (`usage` for wrong options and arguments), `detail` a sentence for
    people, and `fields` says what of the input is wrong.
    """

    def __init__(self, error: str, detail: str, fields: Mapping[str, str]) -> None:
        super().__init__(detail)
        self._told = {"error": error, "detail": detail, "fields": dict(fields)}

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it."""
        click.echo(json.dumps(self._told), file=file)


class JsonUsageError(JsonError):
    """The same for what click refuses, with its exit code."""

    exit_code = click.UsageError.exit_code

    def __init__(self, refused: click.UsageError) -> None:
        super().__init__("usage", refused.format_message(), {})


@contextmanager
def errors_told(*, as_json: bool) -> Iterator[None]:
    """Errors of the service, and wrong usage, in one line or as one JSON object."""
    try:
        yield
    except DuxosError as error:
        if as_json:
            raise JsonError(error.slug, error.detail, error.fields) from error
        raise click.ClickException(error.detail) from error
    except click.UsageError as refused:
        if as_json:
            raise JsonUsageError(refused) from refused
        raise


class TellingCommand(click.Command):
    """A command that needs no database. Errors end in one line, or one JSON object, and exit code 1; wrong options and
    arguments in exit code 2.
    """

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        with errors_told(as_json=_JSON in args):
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with errors_told(as_json=bool(ctx.params.get("as_json"))):
            self.prepare(ctx)
            return super().invoke(ctx)

    def prepare(self, ctx: click.Context) -> None:
        """What has to be there before the command runs."""


class DuxosCommand(TellingCommand):
    """A command on the instance's database, which is made if it is empty."""

    def prepare(self, ctx: click.Context) -> None:
        """See `TellingCommand`."""
        create_if_missing(ctx.ensure_object(ScriptInfo).load_app())


class DuxosGroup(AppGroup):
    """A group of such commands; each runs inside an application context."""

    command_class: type[click.Command] = DuxosCommand

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A command that is not there is told like any other mistake."""
        with errors_told(as_json=_JSON in args):
            return super().resolve_command(ctx, args)
