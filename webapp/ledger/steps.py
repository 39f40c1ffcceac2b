"""What a movement of money is in `models.one_statement`: the wallets it changes, its journal entry, its postings.

The same rules as `journal.post`, which everything else uses: the wallets in the order of their ids, refused by the
database when they would be overdrawn; a key that happens once; no posting of zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, literal_column, select, union_all

from webapp.domain.accounts import wallet_part
from webapp.ledger.balances import change_of
from webapp.ledger.journal import Move
from webapp.models import JournalEntry, Posting
from webapp.models.one_statement import Before, Step

_ENTRIES: Any = JournalEntry.__table__
_POSTINGS: Any = Posting.__table__


def movement(wallets: int, moves: int, *limits: ColumnElement[bool]) -> tuple[Step, ...]:
    """The steps of one entry that changes so many wallets by so many moves. `values_of` fills their parameters.

    `limits` are what has to hold for each of the wallets besides.
    """
    return (
        *(_wallet(number, limits) for number in range(wallets)),
        Step("entry", _enter, gives=("id",)),
        Step("posted", lambda before: _post(before, moves)),
    )


def values_of(key: str, kind: str, moves: Sequence[Move], now: datetime) -> dict[str, Any]:
    """The parameters of `movement` for these moves. The entry is for the escrow of the parameter `escrow_id`."""
    values: dict[str, Any] = {"entry_key": key, "entry_kind": kind, "now": now}
    changes: dict[int, dict[str, int]] = {}
    for number, move in enumerate(moves):
        values |= {f"source{number}": move.source, f"destination{number}": move.destination}
        values[f"amount{number}"] = move.amount
        for account, sign in ((move.source, -1), (move.destination, 1)):
            if part := wallet_part(account):
                change = changes.setdefault(part[1], {"available": 0, "held": 0})
                change[part[0]] += sign * move.amount.base_units
    for number, wallet_id in enumerate(sorted(changes)):
        change, prefix = changes[wallet_id], _prefix(number)
        values |= {f"{prefix}wallet": wallet_id, f"{prefix}may_change_frozen": change["available"] >= 0}
        values |= {f"{prefix}{part}_change": by for part, by in change.items()}
    return values


def _wallet(number: int, limits: Sequence[ColumnElement[bool]]) -> Step:
    return Step(f"wallet{number}", lambda before: change_of(_prefix(number)).where(before.is_done, *limits))


def _prefix(number: int) -> str:
    return f"wallet{number}_"


def _enter(before: Before) -> Any:
    names = ["key", "kind", "escrow_id", "created_at"]
    given = dict(zip(names, ("entry_key", "entry_kind", "escrow_id", "now"), strict=True))
    row = select(*(bindparam(given[name], type_=_ENTRIES.c[name].type) for name in names))
    return before.insert(_ENTRIES).from_select(names, row.where(before.is_done), include_defaults=False)


def _post(before: Before, moves: int) -> Any:
    names = ["journal_entry_id", "source", "destination", "amount"]
    rows = union_all(*(_posting(before, number) for number in range(moves)))
    return before.insert(_POSTINGS).from_select(names, rows, include_defaults=False)


def _posting(before: Before, number: int) -> Select[Any]:
    """It waits for the entry, since that gives it its number: without one the database refuses it."""
    columns = _POSTINGS.c
    amount = bindparam(f"amount{number}", type_=columns.amount.type)
    return select(
        before.column("entry", "id"),
        bindparam(f"source{number}", type_=columns.source.type),
        bindparam(f"destination{number}", type_=columns.destination.type),
        amount,
    ).where(amount > literal_column("0"))
