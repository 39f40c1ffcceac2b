"""`flask solvency`: the proof that what is owed is covered."""

from __future__ import annotations

import click

from webapp.cli.output import NUMBER, DuxosGroup, emit, json_option
from webapp.domain.clock import to_rfc3339
from webapp.domain.money import Amount
from webapp.domain.roles import AT_TERMINAL
from webapp.extensions import db
from webapp.models import SolvencyStatement
from webapp.services.solvency import statements
from webapp.services.solvency.publish import Publisher
from webapp.web.current import services

solvency_commands = DuxosGroup("solvency", help="Statements of what is owed and held, and their signatures.")


@solvency_commands.command("publish")
@json_option
def publish(as_json: bool) -> None:
    """Make a statement of this moment and publish it. The worker does so by its clock."""
    instance = services()
    made = Publisher(db.session(), instance.settings, instance.daemon).publish()
    emit(_told(made), as_json=as_json)


@solvency_commands.command("show")
@click.argument("statement_id", type=NUMBER)
@json_option
def show(statement_id: int, as_json: bool) -> None:
    """Show one statement, and the text that the holder of the cold key signs with `signmessage`."""
    emit(_told(statements.get(db.session(), statement_id)), as_json=as_json)


@solvency_commands.command("sign-cold")
@click.argument("statement_id", type=NUMBER)
@click.option("--signature", required=True, help="What signmessage of the cold key answered (base64).")
@json_option
def sign_cold(statement_id: int, signature: str, as_json: bool) -> None:
    """Add the signature of cold storage to a statement, once it has been checked."""
    daemon = services().daemon
    made = statements.add_cold_signature(db.session(), daemon, AT_TERMINAL, statement_id, signature.strip())
    emit(_told(made), as_json=as_json)


def _told(made: SolvencyStatement) -> dict[str, object]:
    said = made.document["statement"]
    return {
        "id": made.id,
        "published_at": to_rfc3339(made.published_at),
        "block_height": made.block_height,
        "liabilities": str(Amount(made.liabilities)),
        "reserves": str(Amount(made.reserves)),
        "addresses": len(said["coins"]),
        "other_coins": said["other_coins"],
        "root_hash": made.root_hash,
        "message": made.document["message"],
        "cold_address": next((each["address"] for each in said["cold_storage"]), None),
        "cold_is_signed": bool(made.document["cold_signatures"]),
    }
