"""`flask node`: nodes of the compute network. Whoever may start it acts for every owner, and as an operator."""

from __future__ import annotations

from typing import Any

import click

from webapp.cli.output import NUMBER, DuxosGroup, emit, json_option, limit_option
from webapp.domain.clock import to_rfc3339
from webapp.domain.node_health import Health
from webapp.domain.roles import AT_TERMINAL
from webapp.extensions import db
from webapp.services.nodes.lists import STATUSES
from webapp.services.nodes.profiles import AIRDROP_TO
from webapp.services.nodes.registry import NodeFilter, NodeRegistry
from webapp.web.current import services

node_commands = DuxosGroup("node", help="Nodes of the compute network.")

region_option = click.option("--region", help="Where it is: up to 32 characters of yours.")
version_option = click.option("--version", help="Of its software, until its heartbeats say another.")
capabilities_option = click.option("--capability", "capabilities", multiple=True, help="What it can do.")
airdrop_to_option = click.option("--airdrop-to", type=click.Choice(AIRDROP_TO), help="Where airdrops go.")
address_option = click.option("--airdrop-address", help="With chain; without it the wallet's payout address.")
reason_option = click.option("--reason", required=True, help="What its owner will read.")


def _registry() -> NodeRegistry:
    return services().node_registry(db.session())


def _emit_node(node_id: str, as_json: bool) -> None:
    emit(_registry().get(node_id).document(has_private=True), as_json=as_json)


@node_commands.command("register")
@click.option("--node-id", required=True)
@click.option("--wallet", "wallet_id", type=NUMBER, required=True)
@region_option
@version_option
@capabilities_option
@airdrop_to_option
@address_option
@json_option
def register_node(node_id: str, wallet_id: int, as_json: bool, **said: Any) -> None:
    """Register a node of a provider's wallet and make its first key."""
    profile = {name: value for name, value in said.items() if value}
    registered = _registry().register(AT_TERMINAL, node_id, wallet_id, **profile)
    values = {"node_id": node_id, "key_id": registered.key.key_id, "secret": registered.key.secret}
    emit(values, as_json=as_json)


@node_commands.command("list")
@click.option("--text", default="", help="A part of the id.")
@click.option("--capability", default="")
@click.option("--region", default="")
@click.option("--health", type=click.Choice([health.value for health in Health]))
@click.option("--status", type=click.Choice(STATUSES), help="Whether it is suspended.")
@click.option("--wallet", "wallet_ids", type=NUMBER, multiple=True)
@limit_option
@click.option("--cursor", help="next_cursor of the page before.")
@json_option
def list_nodes(
    limit: int,
    cursor: str | None,
    as_json: bool,
    health: str | None,
    wallet_ids: tuple[int, ...],
    **rest: Any,
) -> None:
    """Nodes in the order of their ids."""
    wanted = NodeFilter(health=Health(health) if health else None, wallet_ids=wallet_ids or None, **rest)
    page = _registry().list(wanted, limit, cursor)
    nodes: list[Any] = [view.document(has_private=True) for view in page.items]
    if not as_json:
        nodes = [f"{each['node_id']} {each['status']}, wallet {each['wallet_id']}" for each in nodes]
    emit({"nodes": nodes, "next_cursor": page.next_cursor}, as_json=as_json)


@node_commands.command("show")
@click.argument("node_id")
@json_option
def show_node(node_id: str, as_json: bool) -> None:
    """Everything about one node but its secrets."""
    _emit_node(node_id, as_json)


@node_commands.command("update")
@click.argument("node_id")
@region_option
@version_option
@capabilities_option
@click.option("--no-capabilities", is_flag=True, help="Take all of them away.")
@airdrop_to_option
@address_option
@json_option
def update_node(
    node_id: str, capabilities: tuple[str, ...], no_capabilities: bool, as_json: bool, **said: Any
) -> None:
    """Change what is given. Capabilities take the place of those before; an empty address takes it away."""
    names = capabilities if capabilities or no_capabilities else None
    _registry().update(AT_TERMINAL, node_id, capabilities=names, **said)
    _emit_node(node_id, as_json)


@node_commands.command("suspend")
@click.argument("node_id")
@reason_option
@json_option
def suspend_node(node_id: str, reason: str, as_json: bool) -> None:
    """Let nothing that the node signs count, and no airdrop go to it."""
    _registry().suspend(AT_TERMINAL, node_id, reason)
    _emit_node(node_id, as_json)


@node_commands.command("reinstate")
@click.argument("node_id")
@reason_option
@json_option
def reinstate_node(node_id: str, reason: str, as_json: bool) -> None:
    """End a suspension."""
    _registry().reinstate(AT_TERMINAL, node_id, reason)
    _emit_node(node_id, as_json)


@node_commands.command("rotate-secret")
@click.argument("node_id")
@json_option
def rotate_secret(node_id: str, as_json: bool) -> None:
    """Make a new secret; the old one works on for nodes.secret_overlap_hours."""
    issued = _registry().rotate(AT_TERMINAL, node_id)
    values = {"node_id": node_id, "key_id": issued.key_id, "secret": issued.secret}
    emit(values, as_json=as_json)


@node_commands.command("challenge")
@click.argument("node_id")
@click.argument("challenge", required=False)
@click.argument("signature", required=False)
@json_option
def challenge_node(node_id: str, challenge: str | None, signature: str | None, as_json: bool) -> None:
    """Something for a node to sign; or, with CHALLENGE and SIGNATURE, its answer, which verifies it.

    The signature is the HMAC-SHA256, in hex, with a secret of the node over {"challenge":"...","node_id":"..."}.
    """
    if challenge is None:
        asked = _registry().ask(AT_TERMINAL, node_id)
        values = {"challenge": asked.text, "expires_at": to_rfc3339(asked.expires_at)}
        emit({"node_id": node_id, **values}, as_json=as_json)
        return
    if signature is None:
        raise click.UsageError("An answer is the challenge and the signature over it.")
    _registry().answer(AT_TERMINAL, node_id, challenge, signature)
    _emit_node(node_id, as_json)
