"""Who may be assigned to a dispute: by rotation, and nobody who has a stake in it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Candidate:
    """An arbiter, and when they were assigned to any dispute last."""

    user_id: int
    last_assigned_at: datetime | None


def in_turn(candidates: Sequence[Candidate], conflicted: Collection[int], number: int) -> list[int]:
    """Up to `number` users: those who were assigned the longest time ago, who never were first.

    `conflicted` are the users whom it concerns (the owners of its wallets, keys and nodes) and those who have had a
    part in this dispute before: the same person never judges the same thing twice.
    """
    free = [each for each in candidates if each.user_id not in conflicted]
    free.sort(key=lambda each: (each.last_assigned_at is not None, each.last_assigned_at or 0, each.user_id))
    return [each.user_id for each in free[:number]]
