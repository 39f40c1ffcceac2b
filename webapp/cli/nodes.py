"""`flask node`: nodes of the compute network."""

from __future__ import annotations

import click

from webapp.cli.output import NUMBER, DuxosGroup, emit, json_option
from webapp.extensions import db
from webapp.web.current import services

node_commands = DuxosGroup("node", help="Nodes of the compute network.")


@node_commands.command("register")
@click.option("--node-id", required=True)
@click.option("--wallet", "wallet_id", type=NUMBER, required=True)
@json_option
def register_node(node_id: str, wallet_id: int, as_json: bool) -> None:
    """Register a node of a provider's wallet and make its first key."""
    registered = services().node_auth(db.session()).register_node(node_id, wallet_id)
    values = {"node_id": node_id, "key_id": registered.key.key_id, "secret": registered.key.secret}
    emit(values, as_json=as_json)
