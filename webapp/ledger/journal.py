"""Journal entries: one business event, some postings, and the balances they change, in one transaction.

A posting moves an amount from one account to another, so an entry cannot be unbalanced. The key makes an event
happen once. A mistake is corrected by another entry with the ends swapped.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.exceptions import DuplicateEntryError
from webapp.domain.money import Amount
from webapp.domain.said import said
from webapp.ledger import balances
from webapp.models import JournalEntry, Posting
from webapp.models.insert_once import insert_once

_ADD_POSTINGS = insert(Posting.__table__)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Move:
    """`amount` from the account `source` to the account `destination` (names in `domain.accounts`)."""

    source: str
    destination: str
    amount: Amount

    def reversed(self) -> Move:
        """The same, with the ends swapped."""
        return Move(self.destination, self.source, self.amount)


def post(
    session: Session,
    key: str,
    kind: str,
    moves: Sequence[Move],
    *,
    escrow_id: uuid.UUID | None = None,
    even_if_frozen: bool = False,
) -> int:
    """Write one entry inside the caller's unit of work and change the wallets it touches. Returns the entry's id.

    Moves of zero are left out. Raises DuplicateEntryError when the key stands, InsufficientFundsError or
    FrozenWalletError when a wallet cannot give what it should; the caller's transaction is then to be abandoned.
    """
    moves = [move for move in moves if move.amount]
    if not moves:
        raise ValueError(said("the entry {key} moves nothing", key=key))
    values = {"key": key, "kind": kind, "escrow_id": escrow_id, "created_at": utcnow()}
    entry_id = insert_once(session, JournalEntry, values, JournalEntry.id)
    if entry_id is None:
        raise DuplicateEntryError(said("{key} is in the journal already", key=key))
    balances.apply(
        session, [(m.source, m.destination, m.amount) for m in moves], even_if_frozen=even_if_frozen
    )
    session.connection().execute(
        _ADD_POSTINGS,
        [
            {
                "journal_entry_id": entry_id,
                "source": m.source,
                "destination": m.destination,
                "amount": m.amount,
            }
            for m in moves
        ],
    )
    return int(entry_id)
