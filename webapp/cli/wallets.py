"""`flask wallet`: freezing and thawing, for an operator at a terminal."""

from __future__ import annotations

import click
from sqlalchemy import update

from webapp.cli.output import DuxosGroup, emit, json_option
from webapp.domain.exceptions import NotFoundError
from webapp.extensions import db
from webapp.models import Wallet
from webapp.models.compare_and_set import changes_one_row
from webapp.services.unit_of_work import unit_of_work

wallet_commands = DuxosGroup("wallet", help="Wallets. Nothing leaves a frozen one; coins still arrive.")


def _set_frozen(wallet_id: int, is_frozen: bool, as_json: bool) -> None:
    with unit_of_work(db.session()) as session:
        is_changed = changes_one_row(
            session, update(Wallet).where(Wallet.id == wallet_id).values(is_frozen=is_frozen)
        )
        if not is_changed:
            raise NotFoundError(f"there is no wallet {wallet_id}")
    emit({"wallet_id": wallet_id, "is_frozen": is_frozen}, as_json=as_json)


@wallet_commands.command("freeze")
@click.argument("wallet_id", type=int)
@json_option
def freeze(wallet_id: int, as_json: bool) -> None:
    """Let nothing leave a wallet."""
    _set_frozen(wallet_id, True, as_json)


@wallet_commands.command("unfreeze")
@click.argument("wallet_id", type=int)
@json_option
def unfreeze(wallet_id: int, as_json: bool) -> None:
    """Give a frozen wallet back to its owner."""
    _set_frozen(wallet_id, False, as_json)
