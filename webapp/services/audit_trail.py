"""The hash-chained audit trail of an escrow: what happened, who did it, in an order that cannot be changed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam, case, exists, func, insert, select
from sqlalchemy.orm import Session, aliased

from webapp.domain.audit_chain import GENESIS, event_hash
from webapp.domain.clock import to_rfc3339, utcnow
from webapp.domain.escrow_states import Status
from webapp.domain.money import Amount
from webapp.models import Escrow, EscrowTransaction
from webapp.models.many_rows import among, insert_rows

# Every change of an escrow asks and writes these, so they are put together once.
_ROWS = EscrowTransaction.__table__.columns
_LAST = (
    select(_ROWS.sequence, _ROWS.hash)
    .where(_ROWS.escrow_id == bindparam("escrow"))
    .order_by(_ROWS.sequence.desc())
    .limit(1)
)
_ADD = insert(EscrowTransaction.__table__)  # type: ignore[arg-type]
# The last place and hash of a trail that has not begun.
_NOTHING = (0, GENESIS)


@dataclass(frozen=True, slots=True)
class Event:
    """What `append` takes for one event of one escrow."""

    escrow_id: uuid.UUID
    kind: str
    actor: str
    amount: Amount | None
    detail: Mapping[str, Any]


def lock(session: Session, escrow_id: uuid.UUID) -> None:
    """Wait for the escrow's row: whoever appends without having changed the escrow takes its turn here."""
    session.execute(select(Escrow.id).where(Escrow.id == escrow_id).with_for_update())


def append(
    session: Session,
    escrow_id: uuid.UUID,
    kind: str,
    actor: str,
    *,
    amount: Amount | None = None,
    detail: dict[str, Any] | None = None,
    is_first: bool = False,
) -> None:
    """Add one event inside the caller's unit of work; with `is_first`, to an escrow that has just been made.

    The caller holds the escrow's row lock (it has just changed or locked it), so that two events cannot take the same
    place; the unique (escrow, sequence) refuses them if it did not.
    """
    session.flush()
    connection = session.connection()
    last = None if is_first else connection.execute(_LAST, {"escrow": escrow_id}).first()
    event = Event(escrow_id, kind, actor, amount, detail or {})
    connection.execute(_ADD, _row(event, *((last.sequence, last.hash) if last else _NOTHING)))


def append_all(session: Session, events: Sequence[Event]) -> None:
    """Add many events inside the caller's unit of work, in a fixed number of statements; each escrow's in their order.

    It locks the escrows itself, in the order of their ids.
    """
    if not events:
        return
    session.flush()
    connection = session.connection()
    escrow_ids = {event.escrow_id for event in events}
    is_one = among(connection, Escrow.id, escrow_ids)
    session.execute(select(Escrow.id).where(is_one).order_by(Escrow.id).with_for_update(of=Escrow))
    of_escrow = aliased(EscrowTransaction)
    highest = select(func.max(of_escrow.sequence)).where(of_escrow.escrow_id == EscrowTransaction.escrow_id)
    found = session.execute(
        select(_ROWS.escrow_id, _ROWS.sequence, _ROWS.hash).where(
            among(connection, EscrowTransaction.escrow_id, escrow_ids),
            _ROWS.sequence == highest.scalar_subquery(),
        )
    )
    last = {row.escrow_id: (row.sequence, row.hash) for row in found}
    rows = []
    for event in events:
        row = _row(event, *last.get(event.escrow_id, _NOTHING))
        last[event.escrow_id] = row["sequence"], row["hash"]
        rows.append(row)
    insert_rows(connection, EscrowTransaction, rows)


def _row(event: Event, last_sequence: int, last_hash: str) -> dict[str, Any]:
    """The row that comes after the last one."""
    values: dict[str, Any] = {
        "escrow_id": event.escrow_id,
        "sequence": last_sequence + 1,
        "kind": event.kind,
        "actor": event.actor,
        "amount": event.amount,
        "detail": dict(event.detail),
        "created_at": utcnow(),
        "previous_hash": last_hash,
    }
    return {**values, "hash": row_hash(values)}


def row_hash(values: dict[str, Any]) -> str:
    """The hash of a row as `domain.audit_chain` makes it."""
    amount: Amount | None = values["amount"]
    return event_hash(
        {
            **values,
            "escrow_id": str(values["escrow_id"]),
            "amount": None if amount is None else str(amount),
            "created_at": to_rfc3339(values["created_at"]),
        }
    )


def entries(session: Session, escrow_id: uuid.UUID) -> list[EscrowTransaction]:
    """The trail of one escrow, oldest first."""
    return list(
        session.scalars(
            select(EscrowTransaction)
            .where(EscrowTransaction.escrow_id == escrow_id)
            .order_by(EscrowTransaction.sequence)
        )
    )


def broken_links(session: Session) -> Iterator[str]:
    """A sentence for each row of any trail whose hash, place or predecessor is not what it must be, or that is gone."""
    yield from _missing_ends(session)
    columns = EscrowTransaction.__table__.columns
    rows = session.execute(
        select(*columns).order_by(columns.escrow_id, columns.sequence).execution_options(yield_per=1000)
    )
    escrow_id: uuid.UUID | None = None
    sequence, previous = 0, GENESIS
    for row in rows.mappings():
        if row["escrow_id"] != escrow_id:
            escrow_id, sequence, previous = row["escrow_id"], 0, GENESIS
        sequence += 1
        is_intact = row["sequence"] == sequence and row["previous_hash"] == previous
        if not is_intact or row_hash(dict(row)) != row["hash"]:
            yield f"the audit trail of escrow {escrow_id} is broken at {row['sequence']}"
        previous = row["hash"]


def _missing_ends(session: Session) -> Iterator[str]:
    """What was cut off at the end breaks no chain; the escrow's own state says what must be on its trail."""
    tells_it = case(
        (Escrow.status == Status.PENDING, "created"),
        (and_(Escrow.status == Status.ACTIVE, Escrow.funding == "deposit"), "funded"),
        (Escrow.status == Status.ACTIVE, "created"),
        else_=Escrow.status,
    )
    is_told = exists().where(EscrowTransaction.escrow_id == Escrow.id, EscrowTransaction.kind == tells_it)
    for escrow_id, status in session.execute(select(Escrow.id, Escrow.status).where(~is_told)):
        yield f"the audit trail of escrow {escrow_id} does not tell that it is {status}"
