"""The facts that an automatic airdrop is decided from, in the form in which they are published.

The document is canonical JSON (RFC 8785). Its hash is the SHA-256 of its bytes, and the seed of every tie.

    {"format", "airdrop_id", "number", "kind", "taken_at", "block_height", "block_hash",
     "balance", "set_aside", "rules": {...}, "nodes": [{"node_id", "owner", "reputation", "refusals": [...]}, ...]}

`balance` is what the fund held; `set_aside` of it is kept for network fees that the fund bears. `owner` is a name
that stands for one owner and tells nobody who it is. `reputation` is a whole number from 0 to 1000. Nodes stand in
the order of their ids. Amounts are FLOP as text with eight decimals.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from webapp.domain.airdrops.refusals import Refusal
from webapp.domain.canonical import canonical_json
from webapp.domain.clock import to_rfc3339
from webapp.domain.fund_rules import FundRules
from webapp.domain.money import Amount

FORMAT = "duxos-airdrop-snapshot-1"


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What counts of one node. Without refusals it may take part."""

    node_id: str
    owner: str
    reputation: int
    refusals: tuple[Refusal, ...] = ()

    def as_document(self) -> dict[str, Any]:
        """The node as JSON."""
        return {
            "node_id": self.node_id,
            "owner": self.owner,
            "reputation": self.reputation,
            "refusals": [refusal.value for refusal in self.refusals],
        }


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The facts at one moment."""

    airdrop_id: str
    number: int
    taken_at: datetime
    block_height: int
    block_hash: str
    balance: Amount
    set_aside: Amount
    rules: FundRules
    nodes: tuple[NodeFacts, ...]

    def document(self) -> str:
        """The snapshot as it is published, byte for byte."""
        facts = sorted(self.nodes, key=lambda node: node.node_id)
        content = {
            "format": FORMAT,
            "airdrop_id": self.airdrop_id,
            "number": self.number,
            "kind": "automatic",
            "taken_at": to_rfc3339(self.taken_at),
            "block_height": self.block_height,
            "block_hash": self.block_hash,
            "balance": str(self.balance),
            "set_aside": str(self.set_aside),
            "rules": self.rules.as_document(),
            "nodes": [node.as_document() for node in facts],
        }
        return canonical_json(content).decode()


def hash_of(document: str) -> str:
    """The hash that is published with a document."""
    return hashlib.sha256(document.encode()).hexdigest()
