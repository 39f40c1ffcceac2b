"""Clocks that stand still while the service is out: a deadline moves by the outages that its clock ran into."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Pause:
    """A time that does not count, from `start` up to `end`."""

    start: datetime
    end: datetime


def extended(deadline: datetime, clock_start: datetime, pauses: Iterable[Pause]) -> datetime:
    """The deadline with the time lost added, so that as much time counts as was promised.

    `pauses` do not overlap. Only those count that begin before the deadline as it is by then; one that was there when
    the clock started counts from the start on.
    """
    for pause in sorted(pauses, key=lambda each: each.start):
        if pause.start < deadline and pause.end > clock_start:
            deadline += pause.end - max(pause.start, clock_start)
    return deadline


def in_words(lost: timedelta) -> str:
    """How long it was, in its two largest units: "2 h 5 min", "40 s"."""
    seconds = int(lost.total_seconds())
    parts = [
        (seconds // 86400, "d"),
        (seconds % 86400 // 3600, "h"),
        (seconds % 3600 // 60, "min"),
        (seconds % 60, "s"),
    ]
    shown = [f"{number} {unit}" for number, unit in parts if number]
    return " ".join(shown[:2]) or "a moment"
