"""The rows of terms and facts. Writes join the caller's unit of work."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.models import ChainCursor, Escrow, EscrowFact, EscrowTerms
from webapp.models.insert_once import insert_once


def lock_escrow(session: Session, escrow_id: uuid.UUID) -> Escrow:
    """The escrow as it is now, with its row locked: facts of one escrow are written and judged one after another."""
    return session.get_one(Escrow, escrow_id, populate_existing=True, with_for_update={"of": Escrow})


def terms_of(session: Session, escrow_id: uuid.UUID) -> EscrowTerms:
    """The terms of an escrow that has its own."""
    return session.get_one(EscrowTerms, escrow_id, populate_existing=True)


def terms_of_all(session: Session, escrows: Collection[Escrow]) -> dict[uuid.UUID, EscrowTerms]:
    """The terms of those of the escrows that have their own, by escrow. No query where none has."""
    ids = [escrow.id for escrow in escrows if escrow.has_own_terms]
    if not ids:
        return {}
    rows = session.scalars(select(EscrowTerms).where(EscrowTerms.escrow_id.in_(ids)))
    return {row.escrow_id: row for row in rows}


def facts_of(session: Session, escrow_id: uuid.UUID) -> list[EscrowFact]:
    """What has happened, the oldest fact first."""
    statement = select(EscrowFact).where(EscrowFact.escrow_id == escrow_id).order_by(EscrowFact.id)
    return list(session.scalars(statement))


def known_height(session: Session) -> int:
    """How high the chain is, as far as it was read; zero before it was."""
    return session.scalars(select(ChainCursor.tip_height)).first() or 0


def add_fact(
    session: Session,
    escrow_id: uuid.UUID,
    kind: str,
    key: str,
    actor: str,
    detail: dict[str, Any],
    now: datetime,
) -> bool:
    """Write down a fact of this moment, with the height of the chain. False if it stands already."""
    values = {
        "escrow_id": escrow_id,
        "kind": kind,
        "key": key,
        "actor": actor,
        "detail": detail,
        "height": known_height(session),
        "created_at": now,
    }
    return insert_once(session, EscrowFact, values) is not None


def look_next(
    session: Session, escrow_id: uuid.UUID, at: datetime | None, height: int | None, awaits_payer: bool
) -> None:
    """Note when time may decide something next, and whether the payer is asked for something."""
    values = {"next_look_at": at, "next_height": height, "awaits_payer": awaits_payer}
    _update(session, escrow_id, values)


def stand_down(session: Session, escrow_id: uuid.UUID) -> None:
    """The escrow has ended: time decides nothing about it any more."""
    _update(session, escrow_id, {"next_look_at": None, "next_height": None, "awaits_payer": False})


def look_again(session: Session, escrow_id: uuid.UUID) -> None:
    """Have the terms judged anew at the next opportunity."""
    _update(session, escrow_id, {"next_look_at": utcnow()})


def set_aside(session: Session, escrow_id: uuid.UUID, until: datetime) -> None:
    """Leave the terms alone for a while, because what they decide could not be done."""
    _update(session, escrow_id, {"next_look_at": until, "next_height": None})


def _update(session: Session, escrow_id: uuid.UUID, values: dict[str, Any]) -> None:
    statement = update(EscrowTerms).where(EscrowTerms.escrow_id == escrow_id).values(**values)
    session.execute(statement.execution_options(synchronize_session=False))
