"""What escrows are looked for: the conditions, by name, and their values."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Uuid, bindparam, or_

from webapp.domain.clock import first_moment_after, first_moment_of
from webapp.domain.escrow_states import TERMINAL, Status
from webapp.domain.exceptions import ValidationError
from webapp.domain.said import said
from webapp.models import Escrow
from webapp.services.escrow_orders import ORDERS, Order, Sort

__all__ = ["CONDITIONS", "EVERYTHING", "OPEN", "EscrowSearch", "Sort"]

OPEN = "open"
OPEN_STATUSES = tuple(status.value for status in Status if status not in TERMINAL)
_ALL_STATUSES = tuple(status.value for status in Status)

# The first figures of an id tell when it was made: fewer than these are shared by too many.
_ID_BEGINS = re.compile(r"[0-9a-f]{8,32}", re.ASCII)
# By how much the time in an id may differ from that of its row.
_APART = timedelta(minutes=5)

_says = or_(
    Escrow.task_id.ilike(bindparam("pattern"), escape="/"),
    Escrow.service_name.ilike(bindparam("pattern"), escape="/"),
)
_begins = Escrow.id.between(bindparam("first_id", type_=Uuid()), bindparam("last_id", type_=Uuid()))

# What a list can be narrowed by; `EscrowSearch.values` has the parameters.
CONDITIONS = {
    "service": Escrow.service_name == bindparam("service_name"),
    "text": _says,
    "text or id": or_(_says, _begins),
    "from": (Escrow.created_at >= bindparam("created_from", type_=Escrow.created_at.type))
    & (Escrow.id >= bindparam("made_from", type_=Uuid())),
    "to": (Escrow.created_at < bindparam("created_to", type_=Escrow.created_at.type))
    & (Escrow.id < bindparam("made_to", type_=Uuid())),
}
_BY_DAY = ("from", "to")


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

    @property
    def order(self) -> Order:
        """In what order."""
        return ORDERS[self.sort]

    @property
    def statuses(self) -> tuple[str, ...]:
        """The states, each of which is looked through."""
        if self.status == OPEN:
            return OPEN_STATUSES
        return (str(self.status),) if self.status else _ALL_STATUSES

    @property
    def narrowed(self) -> tuple[str, ...]:
        """The names of the conditions."""
        text = "text or id" if self._begins_an_id() else "text"
        asked = {
            "service": self.service_name,
            text: self.text,
            "from": self.created_from,
            "to": self.created_to,
        }
        return tuple(name for name, value in asked.items() if value)

    @property
    def may_be_rare(self) -> bool:
        """Whether most of what is looked through may be something else: then it is looked through piece by piece."""
        helps = _BY_DAY if self.order.column is None else ()
        return any(name not in helps for name in self.narrowed)

    def values(self) -> dict[str, Any]:
        """The parameters of the conditions."""
        found: dict[str, Any] = {}
        if self.service_name:
            found["service_name"] = self.service_name
        if self.text:
            # What has a meaning in a pattern stands for itself.
            found["pattern"] = "%" + re.sub("([/%_])", r"/\1", self.text) + "%"
            if self._begins_an_id():
                found["first_id"], found["last_id"] = (
                    uuid.UUID(_figures(self.text).ljust(32, each)) for each in "0f"
                )
        if self.created_from:
            found["created_from"] = first_moment_of(self.created_from)
            found["made_from"] = _earliest_id(found["created_from"], -_APART)
        if self.created_to:
            found["created_to"] = first_moment_after(self.created_to)
            found["made_to"] = _earliest_id(found["created_to"], _APART)
        return found

    def _begins_an_id(self) -> bool:
        return bool(self.text and _ID_BEGINS.fullmatch(_figures(self.text)))


EVERYTHING = EscrowSearch()


def _figures(text: str) -> str:
    return text.lower().replace("-", "")


def _earliest_id(moment: datetime, later: timedelta) -> uuid.UUID:
    """The lowest id (version 7: milliseconds come first) that could be made so much later than a moment."""
    milliseconds = int((moment.timestamp() + later.total_seconds()) * 1000)
    return uuid.UUID(int=max(milliseconds, 0) << 80)
