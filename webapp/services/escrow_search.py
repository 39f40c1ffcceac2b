"""What escrows are looked for, and in which order: conditions, and the place of a cursor, for every list of them.

Every order ends with the id, so that no two escrows share a place. Each is scanned state by state: there is an index
for every combination of side, state and order.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, cast, null, or_

from webapp.domain.clock import first_moment_after, first_moment_of, to_rfc3339
from webapp.domain.escrow_states import TERMINAL, Status
from webapp.domain.exceptions import ValidationError
from webapp.domain.money import Amount
from webapp.domain.pagination import decode_cursor, row_id
from webapp.domain.said import said
from webapp.models import Escrow
from webapp.services.escrow_scans import Scan, is_in

OPEN = "open"
OPEN_STATUSES = tuple(status.value for status in Status if status not in TERMINAL)

# The first figures of an id tell when it was made: fewer than these are shared by too many.
_ID_BEGINS = re.compile(r"[0-9a-f]{8,32}", re.ASCII)


class Sort(StrEnum):
    """In which order escrows are listed: by when they were made, the largest amount or the nearest deadline first.

    One that has ended has no deadline any more: by deadline it comes after all others, the oldest first.
    """

    NEWEST = "newest"
    OLDEST = "oldest"
    AMOUNT = "amount"
    DEADLINE = "deadline"


@dataclass(frozen=True, slots=True)
class EscrowSearch:
    """What is looked for; what is None narrows nothing.

    `status` is a state, or `open`: not settled yet. `service_name` is the whole name. `text` is a part of the task id
    or of the service's name, in capitals or not, or how the escrow's id begins. The days are of UTC, both included.
    Raises ValidationError naming `status` or `created_to`.
    """

    status: str | None = None
    service_name: str | None = None
    text: str | None = None
    created_from: date | None = None
    created_to: date | None = None
    sort: Sort = Sort.NEWEST

    def __post_init__(self) -> None:
        if self.status and self.status != OPEN and self.status not in {known.value for known in Status}:
            raise ValidationError.of(
                "status", said("must be one of {names} or {open}", names=", ".join(Status), open=OPEN)
            )
        if self.created_from and self.created_to and self.created_to < self.created_from:
            raise ValidationError.of("created_to", said("must not be before the day it begins with"))

    def scans(self, whose: Sequence[ColumnElement[bool]], cursor: str | None = None) -> list[Scan]:
        """What to scan to find everything after the cursor that is looked for, of each of `whose` in turn.

        Raises ValidationError naming `cursor`.
        """
        order = _ORDERS[self.sort]
        key = decode_cursor(cursor, order.parse)
        narrowed = self._conditions()
        scans = (
            order.scan(status, key, (side, is_in(status), *narrowed))
            for side in whose
            for status in self._statuses()
        )
        return [scan for scan in scans if scan is not None]

    def key(self, escrow: Escrow) -> str:
        """The place of an escrow in the list, as a cursor holds it."""
        value = _ORDERS[self.sort].write(escrow)
        return f"{value}:{escrow.id}" if value else str(escrow.id)

    def _statuses(self) -> Sequence[str]:
        if self.status == OPEN:
            return OPEN_STATUSES
        return (self.status,) if self.status else tuple(Status)

    def _conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.service_name:
            found.append(Escrow.service_name == self.service_name)
        if self.text:
            found.append(_says(self.text))
        if self.created_from:
            found.append(Escrow.created_at >= first_moment_of(self.created_from))
        if self.created_to:
            found.append(Escrow.created_at < first_moment_after(self.created_to))
        return found


EVERYTHING = EscrowSearch()


@dataclass(frozen=True, slots=True)
class _Order:
    """How escrows follow each other: by `value`, if there is one, and by the id; and how a cursor holds the value."""

    value: Any
    is_falling: bool
    write: Callable[[Escrow], str]
    read: Callable[[str], Any]
    is_of_live: bool = False

    def parse(self, text: str) -> tuple[Any, uuid.UUID]:
        """The place in a cursor: a value and an id."""
        value, _, escrow_id = text.rpartition(":")
        return self.read(value), uuid.UUID(escrow_id)

    def scan(
        self, status: str, key: tuple[Any, uuid.UUID] | None, conditions: tuple[ColumnElement[bool], ...]
    ) -> Scan | None:
        """What is in this state beyond the key; None when nothing of it can be."""
        is_over = self.is_of_live and status in TERMINAL
        columns = (Escrow.id,) if self.value is None or is_over else (self.value, Escrow.id)
        scan = Scan(conditions, columns, _NO_DEADLINE if is_over else self.value, self.is_falling)
        if key is None or (is_over and key[0] is not None):
            return scan
        if self.is_of_live and not is_over and key[0] is None:
            return None
        return scan.beyond(key[-len(columns) :])


# Of the same type as a deadline, since the two are put together.
_NO_DEADLINE = cast(null(), Escrow.expires_at.type)
_ENDED = "ended"


def _nothing(text: str) -> None:
    if text:
        raise ValueError(said("the id alone is the place"))


def _deadline(text: str) -> datetime | None:
    if text == _ENDED:
        return None
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() != timedelta(0):
        raise ValueError(said("not a moment of UTC"))
    return moment


def _written_deadline(escrow: Escrow) -> str:
    return _ENDED if escrow.status in TERMINAL else str(to_rfc3339(escrow.expires_at))


_ORDERS = {
    Sort.NEWEST: _Order(None, True, lambda _: "", _nothing),
    Sort.OLDEST: _Order(None, False, lambda _: "", _nothing),
    Sort.AMOUNT: _Order(
        Escrow.amount,
        True,
        lambda escrow: str(escrow.amount.base_units),
        lambda text: Amount(row_id(text)),
    ),
    Sort.DEADLINE: _Order(Escrow.expires_at, False, _written_deadline, _deadline, is_of_live=True),
}


def _says(text: str) -> ColumnElement[bool]:
    found = [
        Escrow.task_id.icontains(text, autoescape=True),
        Escrow.service_name.icontains(text, autoescape=True),
    ]
    beginning = text.lower().replace("-", "")
    if _ID_BEGINS.fullmatch(beginning):
        first, last = (uuid.UUID(beginning.ljust(32, filler)) for filler in "0f")
        found.append(Escrow.id.between(first, last))
    return or_(*found)
