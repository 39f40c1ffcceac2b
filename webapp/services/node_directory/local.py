"""Our own registry as a directory."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.node_health import Health, health_of
from webapp.domain.reputation import NEUTRAL
from webapp.models import Node, NodeHeartbeat, Wallet
from webapp.services.node_directory.port import DirectoryNode, NodeStatus
from webapp.services.nodes import reputation


class LocalDirectory:
    """It is always in reach and never out of date, so `fresh` changes nothing. Reads only; two queries."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings

    def list_nodes(self, fresh: bool = False) -> list[DirectoryNode]:
        """All nodes that are registered here."""
        return self._nodes(
            _rows().order_by(Node.id), reputation.of_nodes(self._session, self._settings, None)
        )

    def find(self, node_id: str, fresh: bool = False) -> DirectoryNode | None:
        """One node that is registered here."""
        scores = reputation.of_nodes(self._session, self._settings, [node_id])
        return next(iter(self._nodes(_rows().where(Node.id == node_id), scores)), None)

    def _nodes(self, rows: Select[*tuple[Any, ...]], scores: dict[str, int]) -> list[DirectoryNode]:
        return [
            DirectoryNode(
                node_id=row.id,
                status=self._status(row),
                # One that registered between the two queries has no outcomes.
                reputation=scores.get(row.id, NEUTRAL),
                wallet_address=(row.airdrop_address or row.payout_address)
                if row.airdrop_to == "chain"
                else None,
            )
            for row in self._session.execute(rows)
        ]

    def _status(self, row: Any) -> NodeStatus:
        if row.status == "suspended":
            return "suspended"
        health = health_of(row.last_beat_at, utcnow(), *self._settings.nodes.health_windows)
        return "offline" if health is Health.OFFLINE else "active"


def _rows() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Node.id,
            Node.status,
            Node.airdrop_to,
            Node.airdrop_address,
            Wallet.payout_address,
            NodeHeartbeat.last_beat_at,
        )
        .join(Wallet, Wallet.id == Node.wallet_id)
        .outerjoin(NodeHeartbeat, NodeHeartbeat.node_id == Node.id)
    )
