"""How a node is by its last sign of life, and the load it states."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from webapp.domain.exceptions import ValidationError

MAX_LOAD = 100
BAD_LOAD = f"must be a number from 0 to {MAX_LOAD} with at most three decimals; 1 is all a node can bear"
_LOAD_PLACES = 3


class Health(StrEnum):
    """`late` is a warning, `offline` is given up on. A node that never beat is offline."""

    HEALTHY = "healthy"
    LATE = "late"
    OFFLINE = "offline"


def health_of(
    last_beat_at: datetime | None, now: datetime, late_after_seconds: int, offline_after_seconds: int
) -> Health:
    """The health of a node that beat last at `last_beat_at`; at exactly the end of a window it is still within."""
    if last_beat_at is None or now - last_beat_at > timedelta(seconds=offline_after_seconds):
        return Health.OFFLINE
    return Health.LATE if now - last_beat_at > timedelta(seconds=late_after_seconds) else Health.HEALTHY


def parse_load(value: object) -> int:
    """A stated load of 0 to 100 (1 is all a node can bear) with at most three decimals, in thousandths.

    Takes whole numbers, Decimal and text. Raises ValidationError naming `load`.
    """
    try:
        if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
            raise ValueError
        load = Decimal(value)
        if not 0 <= load <= MAX_LOAD:
            raise ValueError
        thousandths = int(load.scaleb(_LOAD_PLACES))
        if Decimal(thousandths).scaleb(-_LOAD_PLACES) != load:
            raise ValueError
    except (InvalidOperation, ValueError):
        raise ValidationError.of("load", BAD_LOAD) from None
    return thousandths


def format_load(thousandths: int) -> str:
    """`"0.350"` for 350."""
    return f"{thousandths // 1000}.{thousandths % 1000:03}"
