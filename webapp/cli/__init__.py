"""The command line: `flask --app wsgi ...`. One module per group of commands."""

from __future__ import annotations

from flask import Flask

from webapp.cli.keys import key_commands
from webapp.cli.ledger import ledger_check
from webapp.cli.nodes import node_commands
from webapp.cli.users import user_commands
from webapp.cli.worker import worker_command


def register_commands(app: Flask) -> None:
    """Add every command to the app."""
    for command in (user_commands, key_commands, node_commands, ledger_check, worker_command):
        app.cli.add_command(command)
