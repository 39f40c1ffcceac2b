"""`flask key`: signing keys of programs."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from webapp.cli.output import NUMBER, DuxosGroup, emit, json_option
from webapp.domain.money import Amount
from webapp.domain.roles import Scope
from webapp.extensions import db
from webapp.models import SigningKey
from webapp.services.signing_keys import IssuedKey
from webapp.web.current import services

key_commands = DuxosGroup("key", help="Signing keys of programs. A secret is shown once, when it is made.")


def _emit_key(issued: IssuedKey, as_json: bool) -> None:
    scopes = [scope.value for scope in issued.scopes]
    emit({"key_id": issued.key_id, "secret": issued.secret, "scopes": scopes}, as_json=as_json)


@key_commands.command("create")
@click.option("--wallet", "wallet_id", type=NUMBER, required=True)
@click.option("--scope", "scopes", multiple=True, required=True, type=click.Choice([s.value for s in Scope]))
@click.option("--label", default="")
@click.option("--spend-limit", help="FLOP that the key may ever take out of the wallet.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="RFC 3339, with its zone.")
@json_option
def create_key(
    wallet_id: int,
    scopes: tuple[str, ...],
    label: str,
    spend_limit: str | None,
    expires: datetime | None,
    as_json: bool,
) -> None:
    """Make a key that acts for a wallet."""
    limit = Amount.parse(spend_limit, field="spend_limit") if spend_limit else None
    keys = services().signing_keys(db.session())
    issued = keys.create(wallet_id, scopes, label=label, spend_limit=limit, expires_at=expires)
    _emit_key(issued, as_json)


@key_commands.command("rotate")
@click.argument("key_id")
@click.option("--overlap-hours", type=click.IntRange(min=0), default=24, show_default=True)
@json_option
def rotate_key(key_id: str, overlap_hours: int, as_json: bool) -> None:
    """Make a new key like this one, which itself works for the overlap."""
    keys = services().signing_keys(db.session())
    _emit_key(keys.rotate(key_id, timedelta(hours=overlap_hours)), as_json)


@key_commands.command("revoke")
@click.argument("key_id")
@json_option
def revoke_key(key_id: str, as_json: bool) -> None:
    """End a key at once."""
    key = db.session.get(SigningKey, key_id)
    wallet_ids = frozenset({key.wallet_id}) if key else frozenset[int]()
    services().signing_keys(db.session()).revoke(key_id, wallet_ids)
    emit({"key_id": key_id, "status": "revoked"}, as_json=as_json)
