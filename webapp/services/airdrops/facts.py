"""What counts of every node at one moment: in a fixed number of queries, however many nodes there are.

A node that is registered here is judged by what is known here, and by what the directory says of it now: one that the
directory does not name is offline. A node that only an outside directory knows belongs to whoever is paid at its
address. Nobody here knows of work that it was paid for, nor for how long it has been there; so it can take part only
while the rules ask for neither.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.addresses import destination, first_address
from webapp.domain.airdrops import NodeFacts, Refusal
from webapp.domain.fund_rules import FundRules
from webapp.domain.money import ZERO
from webapp.domain.reputation import HIGHEST
from webapp.models import Node, User, Wallet
from webapp.services.node_directory import DirectoryNode
from webapp.services.nodes import reputation

OWNER_LENGTH = 16
_NOTHING = reputation.Work(0, ZERO)


@dataclass(frozen=True, slots=True)
class Way:
    """How a node is paid: into its wallet, or at an address. Without a wallet it is the address."""

    wallet_id: int | None
    pay_to: str
    address: str | None


@dataclass(frozen=True, slots=True)
class NodesAsTheyAre:
    """The facts of every node, and the way in which each that may take part is paid."""

    facts: tuple[NodeFacts, ...]
    ways: dict[str, Way]


def collect(
    session: Session, settings: Settings, rules: FundRules, listed: Sequence[DirectoryNode], now: datetime
) -> NodesAsTheyAre:
    """The nodes that are registered here, and those that the directory has `listed` besides."""
    facts, ways = [], {}
    for node, way in _Judge(session, settings, rules, now).judge(listed):
        facts.append(node)
        if not node.refusals:
            ways[node.node_id] = way
    return NodesAsTheyAre(tuple(facts), ways)


def of_node(
    session: Session,
    settings: Settings,
    rules: FundRules,
    node_id: str,
    listed: DirectoryNode | None,
    now: datetime,
) -> NodeFacts | None:
    """The same of one node, as the directory has it `listed`; None for one that is not registered here."""
    judged = _Judge(session, settings, rules, now, node_id).judge([listed] if listed else [])
    return next((facts for facts, _ in judged if facts.node_id == node_id), None)


class _Judge:
    """Knows the rules, and everything about all nodes, or about one."""

    def __init__(
        self, session: Session, settings: Settings, rules: FundRules, now: datetime, only: str | None = None
    ) -> None:
        self._rules = rules
        self._network = settings.wallet.network
        self._names = Pseudonyms(settings)
        self._old_enough = now - timedelta(hours=rules.waiting_period_hours)
        self._rows = _registered(session, only)
        self._reputation = reputation.of_nodes(
            session, settings, None if only is None else {only}, now.date()
        )
        self._work = reputation.settled_work(session, rules.settled_within_days, now.date(), only)

    def judge(self, listed: Sequence[DirectoryNode]) -> Iterator[tuple[NodeFacts, Way]]:
        """Every node, once."""
        by_id = {node.node_id: node for node in listed}
        for row in self._rows:
            yield self._own(row, by_id.pop(row.id, None))
        for node in by_id.values():
            yield self._foreign(node)

    def _own(self, row: Any, listed: DirectoryNode | None) -> tuple[NodeFacts, Way]:
        way = self._way(row)
        reasons = {
            Refusal.SUSPENDED: row.status == "suspended" or not row.is_active or _is(listed, "suspended"),
            Refusal.UNVERIFIED: row.verified_at is None,
            Refusal.OFFLINE: listed is None or _is(listed, "offline"),
            Refusal.NEW: row.registered_at > self._old_enough,
            Refusal.NO_SETTLED_WORK: not self._has_worked(row.id),
            Refusal.NO_ADDRESS: way.pay_to == "chain" and way.address is None,
        }
        owner = self._names.of_user(row.user_id)
        return NodeFacts(row.id, owner, self._reputation.get(row.id, 0), _that_hold(reasons)), way

    def _foreign(self, listed: DirectoryNode) -> tuple[NodeFacts, Way]:
        address = first_address(self._network, listed.wallet_address)
        reasons = {
            Refusal.SUSPENDED: _is(listed, "suspended"),
            Refusal.OFFLINE: _is(listed, "offline"),
            Refusal.NEW: self._rules.waiting_period_hours > 0,
            Refusal.NO_SETTLED_WORK: not self._has_worked(listed.node_id),
            Refusal.NO_ADDRESS: address is None,
        }
        # Without an address it cannot take part: its owner does not matter, but is no other node's.
        owner = self._names.of_address(address) if address else self._names.of_node(listed.node_id)
        earned = min(max(listed.reputation or 0, 0), HIGHEST)
        return NodeFacts(listed.node_id, owner, earned, _that_hold(reasons)), Way(None, "chain", address)

    def _way(self, row: Any) -> Way:
        """As its owner has said here. What a registry elsewhere says under the same id may be anybody's address."""
        if row.airdrop_to == "balance":
            return Way(row.wallet_id, "balance", None)
        return Way(
            row.wallet_id, "chain", first_address(self._network, row.airdrop_address, row.payout_address)
        )

    def _has_worked(self, node_id: str) -> bool:
        work = self._work.get(node_id, _NOTHING)
        return (
            work.escrows >= self._rules.min_settled_escrows and work.amount >= self._rules.min_settled_amount
        )


class Pseudonyms:
    """Names that stand for owners: the same for one owner in every airdrop, and telling nobody who it is."""

    def __init__(self, settings: Settings) -> None:
        secret = settings.security.secret_key.get_secret_value().encode()
        self._key = hmac.digest(secret, b"owners of nodes in airdrops", "sha256")

    def of_user(self, user_id: int) -> str:
        """The owner of wallets here."""
        return self._name(f"user:{user_id}".encode())

    def of_address(self, address: str) -> str:
        """Whoever is paid at the address, in whichever spelling."""
        return self._name(b"address:" + destination(address))

    def of_node(self, node_id: str) -> str:
        """The owner of a node of whom nothing is known."""
        return self._name(f"node:{node_id}".encode())

    def _name(self, text: bytes) -> str:
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()[:OWNER_LENGTH]


def _registered(session: Session, only: str | None) -> Sequence[Any]:
    statement = (
        select(
            Node.id,
            Node.status,
            Node.registered_at,
            Node.verified_at,
            Node.airdrop_to,
            Node.airdrop_address,
            Node.wallet_id,
            Wallet.payout_address,
            Wallet.user_id,
            User.is_active,
        )
        .join(Wallet, Wallet.id == Node.wallet_id)
        .join(User, User.id == Wallet.user_id)
        .order_by(Node.id)
    )
    return session.execute(statement if only is None else statement.where(Node.id == only)).all()


def _is(listed: DirectoryNode | None, status: str) -> bool:
    return listed is not None and listed.status == status


def _that_hold(reasons: Mapping[Refusal, bool]) -> tuple[Refusal, ...]:
    return tuple(reason for reason, holds in reasons.items() if holds)
