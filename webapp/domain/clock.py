"""Time, always aware and always UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def utcnow() -> datetime:
    """The present moment as an aware UTC datetime."""
    return datetime.now(UTC)


def to_rfc3339(moment: datetime | None) -> str | None:
    """`2026-01-31T12:00:00.123456Z`, or None for None."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
