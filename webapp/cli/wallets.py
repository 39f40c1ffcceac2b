"""`flask wallet`: freezing and thawing, for an operator at a terminal."""

from __future__ import annotations

import click

from webapp.cli.output import NUMBER, DuxosGroup, emit, json_option
from webapp.domain.roles import AT_TERMINAL
from webapp.extensions import db
from webapp.services.custody import freezes
from webapp.web.current import services

wallet_commands = DuxosGroup("wallet", help="Wallets. Nothing leaves a frozen one; coins still arrive.")

reason_option = click.option("--reason", default="at the command line", help="Kept in the record.")


@wallet_commands.command("freeze")
@click.argument("wallet_id", type=NUMBER)
@reason_option
@json_option
def freeze(wallet_id: int, reason: str, as_json: bool) -> None:
    """Let nothing leave a wallet."""
    told: dict[str, object] = {"wallet_id": wallet_id, "is_frozen": True}
    if not freezes.freeze(db.session(), AT_TERMINAL, wallet_id, reason):
        told |= {"was_frozen_already": True, "reason": freezes.why_frozen(db.session(), wallet_id)}
    emit(told, as_json=as_json)


@wallet_commands.command("unfreeze")
@click.argument("wallet_id", type=NUMBER)
@reason_option
@json_option
def unfreeze(wallet_id: int, reason: str, as_json: bool) -> None:
    """Give a frozen wallet back to its owner."""
    freezes.unfreeze(db.session(), services().settings, AT_TERMINAL, wallet_id, reason)
    emit({"wallet_id": wallet_id, "is_frozen": False}, as_json=as_json)
