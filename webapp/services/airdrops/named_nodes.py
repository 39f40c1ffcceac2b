"""Nodes that somebody names, as far as it counts for paying them: whose they are, how they stand, where money goes.

One query for all of them, however many are named. Nodes that only an outside registry knows are among them when the
settings name one: they have no wallet here, and are paid at the address that they have there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.addresses import first_address
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.domain.node_health import Health, health_of
from webapp.domain.said import said
from webapp.models import Node, NodeHeartbeat, User, Wallet
from webapp.services.node_directory import DirectoryNode, directory_of

Listed = Mapping[str, DirectoryNode]

LONGEST_ID = 64
NO_ADDRESS = said("wants coins on the chain, but has no address that can be paid: it goes to the balance")
FROZEN = said("its wallet is frozen: it goes to the balance, and cannot leave it for now")
TOO_LITTLE = said("is too little to be sent: it goes to the balance")


@dataclass(frozen=True, slots=True)
class NamedNode:
    """What counts of one node. `address` is the first of its addresses that can be paid; None: there is none."""

    node_id: str
    wallet_id: int | None
    is_suspended: bool
    is_owner_active: bool
    is_frozen: bool
    is_verified: bool
    is_offline: bool
    wants_chain: bool
    address: str | None


@dataclass(frozen=True, slots=True)
class Destination:
    """Where an amount goes. `note` says why it is not where the node wants it; empty when it is."""

    pay_to: str
    address: str | None = None
    note: str = ""


def listed_elsewhere(session: Session, settings: Settings) -> Listed:
    """What the outside registry says of its nodes; nothing without one. Call it outside a unit of work.

    Raises DirectoryUnreachableError.
    """
    if not settings.nodes.directory_url:
        return {}
    session.commit()
    return {node.node_id: node for node in directory_of(session, settings).list_nodes()}


def find_named(
    session: Session, settings: Settings, node_ids: Collection[str], listed: Listed
) -> dict[str, NamedNode]:
    """Those of the nodes that are registered here or `listed` elsewhere, by their ids."""
    # Text that no id can be is not shown to the database: it could not even carry some of it.
    possible = {node_id for node_id in node_ids if node_id.isprintable() and len(node_id) <= LONGEST_ID}
    rows = session.execute(_registered().where(Node.id.in_(possible)))
    elsewhere = {node_id: _foreign(listed[node_id], settings) for node_id in possible & listed.keys()}
    return elsewhere | {row.id: _own(row, listed.get(row.id), settings) for row in rows}


def destination(node: NamedNode, amount: Amount, settings: Settings) -> Destination:
    """Where this amount goes. What cannot be sent to an address goes to the balance, where there is one."""
    if not node.wants_chain:
        return Destination("balance")
    if node.wallet_id is not None:
        if node.address is None:
            return Destination("balance", note=NO_ADDRESS)
        if node.is_frozen:
            return Destination("balance", note=FROZEN)
        if amount < settings.wallet.min_payout:
            return Destination("balance", note=TOO_LITTLE)
    return Destination("chain", node.address)


def _registered() -> Select[Any]:
    columns: tuple[Any, ...] = (
        Node.id,
        Node.wallet_id,
        Node.status,
        User.is_active,
        Wallet.is_frozen,
        Node.verified_at,
        NodeHeartbeat.last_beat_at,
        Node.airdrop_to,
        Node.airdrop_address,
        Wallet.payout_address,
    )
    statement: Select[Any] = select(*columns).join(Wallet, Wallet.id == Node.wallet_id)
    return statement.join(User, User.id == Wallet.user_id).outerjoin(
        NodeHeartbeat, NodeHeartbeat.node_id == Node.id
    )


def _own(row: Row[Any], listed: DirectoryNode | None, settings: Settings) -> NamedNode:
    return NamedNode(
        node_id=row.id,
        wallet_id=row.wallet_id,
        is_suspended=row.status == "suspended" or (listed is not None and listed.status == "suspended"),
        is_owner_active=row.is_active,
        is_frozen=row.is_frozen,
        is_verified=row.verified_at is not None,
        is_offline=health_of(row.last_beat_at, utcnow(), *settings.nodes.health_windows) is Health.OFFLINE,
        wants_chain=row.airdrop_to == "chain",
        # As its owner has said here: what a registry elsewhere says under the same id may be anybody's address.
        address=first_address(settings.wallet.network, row.airdrop_address, row.payout_address),
    )


def _foreign(listed: DirectoryNode, settings: Settings) -> NamedNode:
    return NamedNode(
        node_id=listed.node_id,
        wallet_id=None,
        is_suspended=listed.status == "suspended",
        is_owner_active=True,
        is_frozen=False,
        is_verified=True,
        is_offline=listed.status == "offline",
        wants_chain=True,
        address=first_address(settings.wallet.network, listed.wallet_address),
    )
