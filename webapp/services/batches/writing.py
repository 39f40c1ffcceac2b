"""What the usual operations of a batch have changed, written in a few statements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Connection, Update, bindparam, literal, update
from sqlalchemy.orm import Session

from webapp.ledger.many_entries import Entry, post_all
from webapp.models import Escrow, EscrowTransaction
from webapp.models.compare_and_set import changes_one_row
from webapp.models.many_rows import SQLITE, as_arrays, insert_rows, table_of
from webapp.services.express.rows import EscrowRow
from webapp.services.signing_keys import spending

_ESCROWS: Any = Escrow.__table__
# All that deliveries, releases and refunds change, as it is after the last one of them.
_CHANGED = (
    "status", "updated_at", "result_hash", "provider_signature", "worked_by_node_id", "delivered_at", "accept_by",
    "released_at", "refund_reason", "refunded_at",
)  # fmt: skip


@dataclass
class Changed:
    """Columns of new escrows, others as they are now with the state in which each was `seen`, and what tells of it.

    `spent` are base units by the id of the key whose limit they count against.
    """

    new: list[dict[str, Any]] = field(default_factory=list)
    moved: dict[UUID, EscrowRow] = field(default_factory=dict)
    seen: dict[UUID, str] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    spent: Counter[str] = field(default_factory=Counter)


def write(session: Session, done: Changed) -> None:
    """Write all of it in the unit of work that has locked the rows."""
    connection = session.connection()
    insert_rows(connection, Escrow, done.new)
    _move(connection, done)
    for key_id, units in done.spent.items():
        if not changes_one_row(session, spending(literal(key_id), literal(units, BigInteger))):
            raise RuntimeError("a key may spend less than was seen when it was locked")
    post_all(session, done.entries)
    insert_rows(connection, EscrowTransaction, done.events)


def _move(connection: Connection, done: Changed) -> None:
    if not done.moved:
        return
    rows = [
        {"row_id": each.id, "seen_status": done.seen[each.id]}
        | {f"new_{name}": getattr(each, name) for name in _CHANGED}
        for each in done.moved.values()
    ]
    if _change_escrows(connection, rows) != len(rows):
        raise RuntimeError("an escrow is not as it was seen when it was locked")


def _change_escrows(connection: Connection, rows: Sequence[dict[str, Any]]) -> int:
    if connection.dialect.name == SQLITE:
        return connection.execute(_moving(SQLITE), rows).rowcount
    return connection.execute(_moving(""), as_arrays("escrows", rows)).rowcount


@cache
def _moving(dialect: str) -> Update:
    """From the state in which each was seen to what it is now: of one row by parameters, or of all that are sent."""
    columns = _ESCROWS.c
    kinds = {"row_id": columns.id.type, "seen_status": columns.status.type}
    kinds |= {f"new_{name}": columns[name].type for name in _CHANGED}
    given: Any = {name: bindparam(name, type_=kind) for name, kind in kinds.items()}
    if dialect != SQLITE:
        given = table_of("escrows", kinds).c
    is_as_seen = (columns.id == given["row_id"]) & (columns.status == given["seen_status"])
    return update(_ESCROWS).where(is_as_seen).values({name: given[f"new_{name}"] for name in _CHANGED})
