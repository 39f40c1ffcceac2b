"""What escrows are looked for, and in which order: conditions, and the place of a cursor, for every list of them.

Every order ends with the id, so that no two escrows share a place. Beside the two orders by time, an order is scanned
state by state: then there is an index for every combination of side, state and order.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, UnaryExpression, literal, or_, tuple_

from webapp.domain.clock import first_moment_after, first_moment_of, to_rfc3339
from webapp.domain.escrow_states import TERMINAL, Status
from webapp.domain.exceptions import ValidationError
from webapp.domain.money import Amount
from webapp.domain.pagination import decode_cursor, row_id
from webapp.domain.said import said
from webapp.models import Escrow

OPEN = "open"
OPEN_STATUSES = tuple(status.value for status in Status if status not in TERMINAL)

# The first figures of an id tell when it was made: fewer than these are shared by too many.
_ID_BEGINS = re.compile(r"[0-9a-f]{8,32}", re.ASCII)


class Sort(StrEnum):
    """In which order escrows are listed: by when they were made, the largest amount or the nearest deadline first."""

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

    def scans(self) -> list[list[ColumnElement[bool]]]:
        """The conditions of each scan that together find everything that is looked for."""
        conditions = self._conditions()
        return [[*([Escrow.status == status] if status else []), *conditions] for status in self._statuses()]

    def order(self) -> list[UnaryExpression[Any]]:
        """What the rows are ordered by."""
        place = _PLACES[self.sort]
        return [column.desc() if place.is_falling else column.asc() for column in place.columns]

    def after(self, cursor: str | None) -> list[ColumnElement[bool]]:
        """Only what comes after the cursor. Raises ValidationError naming `cursor`."""
        place = _PLACES[self.sort]
        key = decode_cursor(cursor, place.parse)
        return [] if key is None else [_beyond(place, key)]

    def key(self, escrow: Escrow) -> str:
        """The place of an escrow in the list, as a cursor holds it."""
        return _PLACES[self.sort].write(escrow)

    def _statuses(self) -> tuple[str | None, ...]:
        if self.status == OPEN:
            return OPEN_STATUSES
        if self.status is None and len(_PLACES[self.sort].columns) > 1:
            return tuple(status.value for status in Status)
        return (self.status or None,)

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
class _Place:
    """Where an escrow stands in an order: the columns, and how their values are written into a cursor and read."""

    columns: tuple[Any, ...]
    is_falling: bool
    write: Callable[[Escrow], str]
    parse: Callable[[str], tuple[Any, ...]]


def _with_id(read: Callable[[str], Any]) -> Callable[[str], tuple[Any, uuid.UUID]]:
    def parse(text: str) -> tuple[Any, uuid.UUID]:
        value, _, escrow_id = text.rpartition(":")
        return read(value), uuid.UUID(escrow_id)

    return parse


def _utc_moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.utcoffset() != timedelta(0):
        raise ValueError(said("not a moment of UTC"))
    return moment


def _by_id(*, is_falling: bool) -> _Place:
    return _Place((Escrow.id,), is_falling, lambda escrow: str(escrow.id), lambda text: (uuid.UUID(text),))


_PLACES = {
    Sort.NEWEST: _by_id(is_falling=True),
    Sort.OLDEST: _by_id(is_falling=False),
    Sort.AMOUNT: _Place(
        (Escrow.amount, Escrow.id),
        True,
        lambda escrow: f"{escrow.amount.base_units}:{escrow.id}",
        _with_id(lambda text: Amount(row_id(text))),
    ),
    Sort.DEADLINE: _Place(
        (Escrow.expires_at, Escrow.id),
        False,
        lambda escrow: f"{to_rfc3339(escrow.expires_at)}:{escrow.id}",
        _with_id(_utc_moment),
    ),
}


def _beyond(place: _Place, key: tuple[Any, ...]) -> ColumnElement[bool]:
    here = tuple_(*place.columns)
    there = tuple_(*(literal(value, column.type) for column, value in zip(place.columns, key, strict=True)))
    return here < there if place.is_falling else here > there


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
