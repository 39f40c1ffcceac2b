"""The command line and the migrations. They are imported when somebody asks for them: a web server starts without."""

from __future__ import annotations

from pathlib import Path

import click
from flask import Flask
from flask.cli import AppGroup
from werkzeug.local import LocalProxy

from webapp.extensions import db

MIGRATIONS = Path(__file__).parent / "migrations"
_EXTENSION = "migrate"


class _Commands(AppGroup):
    """Flask's own group, which holds ours from the first time that it is looked into."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app.cli.name, commands=app.cli.commands)
        self._app = app

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        self._find()
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._find()
        return super().list_commands(ctx)

    def _find(self) -> None:
        from webapp.cli import COMMANDS

        for command in COMMANDS:
            self.add_command(command)
        if "db" not in self.commands:
            _configure_migrations(self._app)


def register_commands(app: Flask) -> None:
    """Add every command to the app, and tell Flask-Migrate, which looks for it in the app, where the migrations are."""
    app.cli = _Commands(app)
    app.extensions[_EXTENSION] = LocalProxy(lambda: _configure_migrations(app))


def _configure_migrations(app: Flask) -> object:
    from flask_migrate import Migrate

    # It puts itself into the app, and adds its command, `db`.
    Migrate().init_app(app, db, directory=str(MIGRATIONS), render_as_batch=True, compare_type=True)
    return app.extensions[_EXTENSION]
