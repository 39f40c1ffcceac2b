"""A node with what is known of it, as lists and pages show it, and which of them a reader asks for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from webapp.domain.clock import to_rfc3339
from webapp.domain.node_health import Health, format_load
from webapp.models import Node


@dataclass(frozen=True, slots=True)
class NodeFilter:
    """Which nodes to list. What is left out does not matter.

    `text` is a part of the id, in either case. `status` is `active` or `suspended`, whatever the health.
    """

    text: str = ""
    capability: str = ""
    region: str = ""
    health: Health | None = None
    status: str | None = None
    wallet_ids: Collection[int] | None = None


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node as it is now. `load` is in thousandths of what it can bear; `reputation` is 0 to 1000.

    `wallet_address` is where its airdrops go on the chain: its own address, else the wallet's; None when they go to
    the balance, or nowhere for want of an address.
    """

    node: Node
    owner_user_id: int
    health: Health
    last_beat_at: datetime | None
    load: int | None
    tasks_running: int | None
    reputation: int
    version: str = ""
    wallet_address: str | None = None

    @property
    def status(self) -> str:
        """One word for all: `suspended`, else `active` (heard from in time), `late` or `offline`."""
        if self.node.status == "suspended":
            return "suspended"
        return "active" if self.health is Health.HEALTHY else self.health.value

    def document(self, *, has_private: bool) -> dict[str, Any]:
        """What is told of it, in plain values; what is its owner's own affair is None unless `has_private`."""
        node = self.node
        private = {
            "wallet_id": node.wallet_id,
            "wallet_address": self.wallet_address,
            "airdrop_to": node.airdrop_to,
            "airdrop_address": node.airdrop_address,
            "status_reason": node.status_reason,
        }
        return {
            "node_id": node.id,
            "status": self.status,
            "health": self.health.value,
            "reputation": self.reputation,
            "capabilities": [capability.name for capability in node.capabilities],
            "region": node.region,
            "version": self.version,
            "last_beat_at": to_rfc3339(self.last_beat_at),
            "load": None if self.load is None else format_load(self.load),
            "tasks_running": self.tasks_running,
            "registered_at": to_rfc3339(node.registered_at),
            "verified_at": to_rfc3339(node.verified_at),
            **(private if has_private else dict.fromkeys(private)),
        }
