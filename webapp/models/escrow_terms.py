"""Escrows that end by terms of their own: the terms, and the facts that they are judged by."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from webapp.domain.clock import utcnow
from webapp.extensions import Base
from webapp.models.types import BigKey, JsonDocument, UtcDateTime


class EscrowTerms(Base):
    """The terms of one escrow, in their normal form, and when they are to be looked at again.

    `next_look_at` and `next_height` say when time alone may decide something; both are None once it has ended.
    `awaits_payer` while they ask for the payer's approval. `ends_by` is the moment by which it ends whatever anybody
    does, as it was proved when it was created.
    """

    __tablename__ = "escrow_terms"
    __table_args__ = (Index(None, "next_look_at"), Index(None, "next_height"))

    escrow_id: Mapped[uuid.UUID] = mapped_column(Uuid, ForeignKey("escrows.id"), primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(JsonDocument)
    next_look_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    next_height: Mapped[int | None]
    awaits_payer: Mapped[bool] = mapped_column(default=False)
    ends_by: Mapped[datetime] = mapped_column(UtcDateTime)


class EscrowFact(Base):
    """Something that happened once and that terms ask about. The database refuses to update or delete it.

    `key` tells facts of one kind apart: a key's id, a node's, a hash. `height` is the chain's as it was known then.
    """

    __tablename__ = "escrow_facts"
    __table_args__ = (UniqueConstraint("escrow_id", "kind", "key"),)

    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    escrow_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("escrows.id"))
    kind: Mapped[str] = mapped_column(String(32))
    key: Mapped[str] = mapped_column(String(128), default="")
    detail: Mapped[dict[str, Any]] = mapped_column(JsonDocument, default=dict)
    actor: Mapped[str] = mapped_column(String(64))
    height: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
