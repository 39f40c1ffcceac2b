"""How a panel decides. Its votes are opened together, once: when all are in, or when the time is over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median_low

from webapp.domain.disputes.rungs import PANEL_SIZE


class Way(StrEnum):
    """How the votes came to a decision."""

    MAJORITY = "majority"
    MEDIAN = "median"
    FIRST_RULING = "first_ruling"


@dataclass(frozen=True, slots=True)
class Decision:
    """The provider's side's share in basis points, and how it came about."""

    share: int
    way: Way

    def upholds(self, first_ruling: int) -> bool:
        """Whether it is what was ruled before."""
        return self.share == first_ruling


def decide(votes: Sequence[int], first_ruling: int) -> Decision:
    """The panel's decision over shares in basis points, in any order of the votes.

    Two that are the same decide. Three that all differ: the one in the middle. Fewer than two, or two that differ: the
    first ruling stands.
    """
    if len(votes) > PANEL_SIZE:
        raise ValueError(f"a panel has {PANEL_SIZE} votes")
    share, times = Counter(votes).most_common(1)[0] if votes else (first_ruling, 0)
    if times >= 2:
        return Decision(share, Way.MAJORITY)
    if len(votes) == PANEL_SIZE:
        return Decision(median_low(votes), Way.MEDIAN)
    return Decision(first_ruling, Way.FIRST_RULING)
