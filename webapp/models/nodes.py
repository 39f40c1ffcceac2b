"""Nodes of the compute network: who owns them, how they are, and what their work came to day by day."""

from __future__ import annotations

import datetime as dates
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.domain.clock import utcnow
from webapp.domain.money import ZERO, Amount
from webapp.extensions import Base
from webapp.models.types import AmountType, UtcDateTime


class Node(Base):
    """A machine that runs tasks for the wallet it belongs to. Its secrets are rows of `signing_keys`.

    `verified_at` is when it first proved that it has its secret. An airdrop is paid into its wallet's balance, or with
    `airdrop_to` of `chain` to `airdrop_address` (without one, to the wallet's payout address). `status_reason` is why
    an operator suspended it.
    """

    __tablename__ = "nodes"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'suspended')", name="status_known"),
        CheckConstraint("airdrop_to IN ('balance', 'chain')", name="airdrop_to_known"),
        Index(None, "wallet_id"),
        Index(None, "region", "id"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    wallet_id: Mapped[int] = mapped_column(ForeignKey("wallets.id"))
    status: Mapped[str] = mapped_column(String(16), default="active")
    status_reason: Mapped[str] = mapped_column(String(500), default="")
    status_since: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    region: Mapped[str] = mapped_column(String(32), default="")
    version: Mapped[str] = mapped_column(String(32), default="")
    airdrop_to: Mapped[str] = mapped_column(String(16), default="balance")
    airdrop_address: Mapped[str | None] = mapped_column(String(64))
    registered_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    capabilities: Mapped[list[NodeCapability]] = relationship(
        lazy="selectin", order_by="NodeCapability.name", cascade="all, delete-orphan"
    )


class NodeCapability(Base):
    """Something that a node can do, by its short name: `gpu`, `image_upscaler_v1`."""

    __tablename__ = "node_capabilities"
    __table_args__ = (Index(None, "name", "node_id"),)

    node_id: Mapped[str] = mapped_column(ForeignKey("nodes.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)


class NodeHeartbeat(Base):
    """What a node said of itself last. `load` is in thousandths of what it can bear; above 1000 it is overloaded.

    One narrow row per node, changed with every beat and kept apart from what seldom changes. No index but the key:
    PostgreSQL then writes a beat into the row's own page. `signed_at` is the node's clock, by which a beat that is
    sent again is told from a new one; `last_beat_at` is ours.
    """

    __tablename__ = "node_heartbeats"

    node_id: Mapped[str] = mapped_column(ForeignKey("nodes.id"), primary_key=True)
    last_beat_at: Mapped[datetime] = mapped_column(UtcDateTime)
    signed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    load: Mapped[int]
    tasks_running: Mapped[int]
    version: Mapped[str] = mapped_column(String(32), default="")


class NodeChallenge(Base):
    """What a node was asked to sign, to prove that it has its secret. One stands at a time, and works once."""

    __tablename__ = "node_challenges"

    node_id: Mapped[str] = mapped_column(ForeignKey("nodes.id"), primary_key=True)
    challenge: Mapped[str] = mapped_column(String(64))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class NodeDay(Base):
    """What a node's escrows came to on one day (UTC), counted from the journal: reputation is made of these.

    `released_amount` is what the released ones held. `late` were refunded because nothing was delivered in time,
    `disputes_lost` were disputed and then refunded, `refunded` are the other refunds.
    """

    __tablename__ = "node_days"
    __table_args__ = (Index(None, "day"),)

    node_id: Mapped[str] = mapped_column(ForeignKey("nodes.id"), primary_key=True)
    day: Mapped[dates.date] = mapped_column(primary_key=True)
    released: Mapped[int] = mapped_column(default=0)
    released_amount: Mapped[Amount] = mapped_column(AmountType, default=ZERO)
    refunded: Mapped[int] = mapped_column(default=0)
    late: Mapped[int] = mapped_column(default=0)
    disputes_lost: Mapped[int] = mapped_column(default=0)
