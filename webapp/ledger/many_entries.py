"""Many journal entries at once: each as `journal.post` would write it, and each wallet changed once, by all of them.

The caller holds the wallets' rows, and has judged each entry that takes from one by itself
(`balances.apply_to_purses`), in their order. The database refuses all of them if it finds otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Insert, Integer, Update, bindparam, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.domain.exceptions import DuplicateEntryError
from webapp.domain.said import said
from webapp.ledger.balances import change_by, change_of, change_one, changes_of, parameters_of
from webapp.ledger.journal import Move
from webapp.models import JournalEntry, Posting
from webapp.models.many_rows import SQLITE, as_arrays, insert_rows, table_of

_ENTRIES: Any = JournalEntry.__table__
_POSTINGS: Any = Posting.__table__
_ENDS = ("source", "destination", "amount")


@dataclass(frozen=True, slots=True)
class Entry:
    """One business event, as `journal.post` takes it. Moves of zero are left out."""

    key: str
    kind: str
    escrow_id: UUID | None
    created_at: datetime
    moves: tuple[Move, ...]


def post_all(session: Session, entries: Sequence[Entry]) -> None:
    """Write all entries inside the caller's unit of work, and change the wallets that they touch.

    Raises DuplicateEntryError when one of the keys stands, InsufficientFundsError or FrozenWalletError when a wallet
    cannot give what it should; the caller's transaction is then to be abandoned.
    """
    if not entries:
        return
    for entry in entries:
        if not any(move.amount for move in entry.moves):
            raise ValueError(said("the entry {key} moves nothing", key=entry.key))
    session.flush()  # what waits in the session comes first, as with the session's own statements
    try:
        _post(session, entries)
    except IntegrityError as error:
        raise DuplicateEntryError("one of the entries is in the journal already") from error


def _post(session: Session, entries: Sequence[Entry]) -> None:
    connection = session.connection()
    _change_wallets(session, [move for entry in entries for move in entry.moves if move.amount])
    rows = [
        {"key": each.key, "kind": each.kind, "escrow_id": each.escrow_id, "created_at": each.created_at}
        for each in entries
    ]
    postings = [
        {"entry": entry.key, "source": move.source, "destination": move.destination, "amount": move.amount}
        for entry in entries
        for move in entry.moves
        if move.amount
    ]
    if connection.dialect.name == SQLITE:
        insert_rows(connection, JournalEntry, rows)
        connection.execute(_ONE_POSTING, postings)
    else:
        numbered = [{"number": number, **each} for number, each in enumerate(postings)]
        connection.execute(_entering(), as_arrays("entries", rows) | as_arrays("postings", numbered))


def _change_wallets(session: Session, moves: Sequence[Move]) -> None:
    connection = session.connection()
    changes = changes_of((move.source, move.destination, move.amount) for move in moves)
    if not changes:
        return
    rows = [parameters_of(wallet_id, change) for wallet_id, change in changes]
    with connection.begin_nested() as attempt:
        if connection.dialect.name == SQLITE:
            changed = connection.execute(_CHANGE_ONE, rows).rowcount
        else:
            changed = connection.execute(_changing(), as_arrays("wallets", rows)).rowcount
        if changed == len(rows):
            return
        attempt.rollback()
    for wallet_id, change in changes:  # One of them cannot: this finds out which, and why.
        change_one(session, wallet_id, change)


_CHANGE_ONE = change_of()
# An entry has its number when it is written, and is found again by its key, which nobody else has.
_ONE_POSTING = insert(_POSTINGS).from_select(
    ["journal_entry_id", *_ENDS],
    select(_ENTRIES.c.id, *(bindparam(name, type_=_POSTINGS.c[name].type) for name in _ENDS)).where(
        _ENTRIES.c.key == bindparam("entry", type_=_ENTRIES.c.key.type)
    ),
    include_defaults=False,
)


@cache
def _changing() -> Update:
    changes = dict.fromkeys(("available_change", "held_change"), BigInteger())
    given = table_of("wallets", {"wallet": Integer(), **changes, "may_change_frozen": Boolean()})
    return change_by(lambda name, _: given.c[name])


@cache
def _entering() -> Insert:
    """Entries and postings, in one statement. The postings are numbered in the order in which they are given."""
    names = ("key", "kind", "escrow_id", "created_at")
    new = table_of("entries", {name: _ENTRIES.c[name].type for name in names})
    made = (
        insert(_ENTRIES)
        .from_select(names, select(new), include_defaults=False)
        .returning(_ENTRIES.c.id, _ENTRIES.c.key)
        .cte("made")
    )
    kinds = {name: _POSTINGS.c[name].type for name in _ENDS}
    given = table_of("postings", {"number": Integer(), "entry": _ENTRIES.c.key.type, **kinds})
    rows = (
        select(made.c.id, *(given.c[name] for name in _ENDS))
        .join_from(given, made, made.c.key == given.c.entry)
        .order_by(given.c.number)
    )
    return insert(_POSTINGS).from_select(["journal_entry_id", *_ENDS], rows, include_defaults=False)
