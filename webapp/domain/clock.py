"""Time, always aware and always UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache


def utcnow() -> datetime:
    """The present moment as an aware UTC datetime."""
    return datetime.now(UTC)


def to_rfc3339(moment: datetime | None) -> str | None:
    """`2026-01-31T12:00:00.123456Z`, or None for None."""
    if moment is None:
        return None
    return _written(moment if moment.tzinfo is UTC else moment.astimezone(UTC))


@lru_cache(maxsize=1024)
def _written(moment: datetime) -> str:
    """What happens at one moment is written down with it in several places."""
    return moment.isoformat().removesuffix("+00:00") + "Z"


def first_moment_of(day: date) -> datetime:
    """Midnight in UTC, with which the day begins."""
    return datetime.combine(day, time.min, UTC)


def first_moment_after(day: date) -> datetime:
    """The end of the day in UTC, which belongs to the next one. The last day of all ends a moment earlier."""
    return (
        datetime.combine(day, time.max, UTC) if day == date.max else first_moment_of(day + timedelta(days=1))
    )
