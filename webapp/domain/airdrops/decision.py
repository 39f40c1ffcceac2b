"""Who gets how much: a pure function of the snapshot and its hash, so that anybody can repeat it.

1. Nodes without refusals are ordered by reputation, highest first; ties by SHA-256 of "<snapshot hash>:<node id>" in
   hex, lowest first.
2. In that order an owner keeps the first `max_nodes_per_owner` nodes, and of all that are left the first
   `max_airdrop_nodes` stay.
3. What is given is the balance without what is set aside. Each node gets an equal part, or one in proportion to its
   reputation, rounded down to the base unit. While the last in the order would get less than `min_airdrop_amount`, it
   is left out and the rest is divided anew. What does not divide stays in the fund.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from webapp.domain.airdrops.refusals import Refusal
from webapp.domain.airdrops.snapshot import NodeFacts, Snapshot
from webapp.domain.fund_rules import FundRules
from webapp.domain.money import ZERO, Amount


@dataclass(frozen=True, slots=True)
class Share:
    """What one node gets."""

    node_id: str
    amount: Amount


@dataclass(frozen=True, slots=True)
class Decision:
    """The shares in their order, and why each of the other nodes has none."""

    shares: tuple[Share, ...]
    refusals: dict[str, tuple[Refusal, ...]]

    @property
    def total(self) -> Amount:
        """All shares together."""
        return sum((share.amount for share in self.shares), start=ZERO)


def decide(snapshot: Snapshot, snapshot_hash: str) -> Decision:
    """The shares that follow from the snapshot."""
    refusals = {node.node_id: node.refusals for node in snapshot.nodes if node.refusals}
    rules = snapshot.rules
    ordered = _in_order([node for node in snapshot.nodes if not node.refusals], snapshot_hash)
    capped = _within_owner_cap(ordered, rules.max_nodes_per_owner)
    chosen = capped[: rules.max_airdrop_nodes]
    pot = max(snapshot.balance.base_units - snapshot.set_aside.base_units, 0)
    parts = _divide(pot, [_weight(node, rules) for node in chosen], rules.min_airdrop_amount.base_units)
    for reason, kept, left in (
        (Refusal.OWNER_CAP, capped, ordered),
        (Refusal.TOO_MANY, chosen, capped),
        (Refusal.SHARE_TOO_SMALL, chosen[: len(parts)], chosen),
    ):
        stays = {node.node_id for node in kept}
        refusals |= {node.node_id: (reason,) for node in left if node.node_id not in stays}
    shares = tuple(
        Share(node.node_id, Amount(part)) for node, part in zip(chosen[: len(parts)], parts, strict=True)
    )
    return Decision(shares, refusals)


def _in_order(nodes: Sequence[NodeFacts], snapshot_hash: str) -> list[NodeFacts]:
    def tie(node: NodeFacts) -> str:
        return hashlib.sha256(f"{snapshot_hash}:{node.node_id}".encode()).hexdigest()

    return sorted(nodes, key=lambda node: (-node.reputation, tie(node)))


def _within_owner_cap(ordered: Sequence[NodeFacts], cap: int) -> list[NodeFacts]:
    taken: Counter[str] = Counter()
    kept = []
    for node in ordered:
        taken[node.owner] += 1
        if taken[node.owner] <= cap:
            kept.append(node)
    return kept


def _weight(node: NodeFacts, rules: FundRules) -> int:
    return node.reputation if rules.airdrop_shares == "reputation" else 1


def _divide(pot: int, weights: Sequence[int], least: int) -> list[int]:
    """The parts of the first nodes, as many as get at least `least`. Weights never rise along the order."""
    count, whole = len(weights), sum(weights)
    while count and (whole == 0 or pot * weights[count - 1] // whole < max(least, 1)):
        count -= 1
        whole -= weights[count]
    return [pot * weight // whole for weight in weights[:count]]
