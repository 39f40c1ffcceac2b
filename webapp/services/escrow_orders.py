"""The orders that escrows are listed in, and places in them: what a cursor holds, and what comes after it or before it.

Every order ends with the id, so that no two escrows share a place. Values are parameters by name: `after_value` and
`after_id`, `until_value` and `until_id`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, bindparam, cast, null, tuple_

from webapp.domain.clock import to_rfc3339
from webapp.domain.escrow_states import TERMINAL
from webapp.domain.money import Amount
from webapp.domain.pagination import row_id
from webapp.domain.said import said
from webapp.models import Escrow
from webapp.services.escrow_scans import Scan

# Of the same type as a deadline, since the two are put together.
_NO_DEADLINE = cast(null(), Escrow.expires_at.type)
_ENDED = "ended"


class Sort(StrEnum):
    """In which order escrows are listed: by when they were made, the largest amount or the nearest deadline first.

    One that has ended has no deadline any more: by deadline it comes after all others, the oldest first.
    """

    NEWEST = "newest"
    OLDEST = "oldest"
    AMOUNT = "amount"
    DEADLINE = "deadline"


class Place(NamedTuple):
    """Where an escrow stands: the value that it is ordered by, None without one, and its id."""

    value: Any
    id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Order:
    """How escrows follow each other: by `column`, if there is one, and by the id; and how its value is written.

    With `is_of_live` only those that have not ended have the value, and the others come after them.
    """

    column: Any
    is_falling: bool
    write: Callable[[Any], str] = str
    read: Callable[[str], Any] = str
    is_of_live: bool = False

    def place(self, escrow: Escrow) -> Place:
        """Where an escrow stands now."""
        is_without = self.column is None or (self.is_of_live and escrow.status in TERMINAL)
        return Place(None if is_without else getattr(escrow, self.column.key), escrow.id)

    def has_ended(self, place: Place | None) -> bool | None:
        """Whether a place is among those that come last because they have ended; None for no place."""
        return None if place is None else self.is_of_live and place.value is None

    def text(self, place: Place) -> str:
        """A place as a cursor holds it."""
        if self.column is None:
            return str(place.id)
        return f"{_ENDED if place.value is None else self.write(place.value)}:{place.id}"

    def parse(self, text: str) -> Place:
        """The place that a cursor holds. Raises ValueError."""
        value, _, escrow_id = text.rpartition(":")
        if self.column is None and value:
            raise ValueError(said("the id alone is the place"))
        is_without = self.column is None or (self.is_of_live and value == _ENDED)
        return Place(None if is_without else self.read(value), uuid.UUID(escrow_id))

    def scan(
        self,
        status: str,
        conditions: Sequence[ColumnElement[bool]],
        *,
        after: bool | None = None,
        until: bool | None = None,
    ) -> Scan | None:
        """What is in this state, beyond one place and up to another; None when nothing of it can be.

        Each is None without a place, else whether the place is among those that have ended.
        """
        is_over = self.is_of_live and status in TERMINAL
        is_before_all, is_beyond_all = is_over and after is False, self.is_of_live and not is_over and after
        is_not_reached, is_all_reached = is_over and until is False, not is_over and until is True
        if is_beyond_all or is_not_reached:
            return None
        columns = (Escrow.id,) if self.column is None or is_over else (self.column, Escrow.id)
        limits: list[ColumnElement[bool]] = []
        here = tuple_(*columns)
        if after is not None and not is_before_all:
            there = _values("after", columns)
            limits.append(here < there if self.is_falling else here > there)
        if until is not None and not is_all_reached:
            there = _values("until", columns)
            limits.append(here >= there if self.is_falling else here <= there)
        rank = _NO_DEADLINE if is_over else self.column
        return Scan((*conditions, *limits), columns, rank, self.is_falling)


def _values(name: str, columns: Sequence[Any]) -> Any:
    parts = ("value", "id")[-len(columns) :]
    return tuple_(
        *(bindparam(f"{name}_{part}", type_=c.type) for part, c in zip(parts, columns, strict=True))
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() != timedelta(0):
        raise ValueError(said("not a moment of UTC"))
    return moment


ORDERS = {
    Sort.NEWEST: Order(None, True),
    Sort.OLDEST: Order(None, False),
    Sort.AMOUNT: Order(
        Escrow.amount, True, lambda amount: str(amount.base_units), lambda text: Amount(row_id(text))
    ),
    Sort.DEADLINE: Order(
        Escrow.expires_at, False, lambda moment: str(to_rfc3339(moment)), _moment, is_of_live=True
    ),
}
