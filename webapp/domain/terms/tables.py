"""Sets of situations as integers: one bit for each set of facts that may have come, at each stretch of heights.

With F facts, bit `stretch * 2**F + facts` stands for the situation in which `stretch` heights have been reached and
exactly those facts have come whose bits are set in `facts`. Facts and heights only come, so that every step leads
from a bit to a higher one, and a whole set takes the step by one shift.
"""

from __future__ import annotations

from dataclasses import dataclass

from webapp.domain.terms.language import Fact, Height, Terms

START = 1
"""The set of the one situation in which nothing has come."""


@dataclass(frozen=True, slots=True)
class Situation:
    """One bit, read back."""

    facts: tuple[Fact, ...]
    heights: tuple[Height, ...]


class Tables:
    """The situations of terms. `having` is the set of those in which a fact has come, or a height is reached."""

    def __init__(self, terms: Terms) -> None:
        self._facts, self._heights = terms.facts, terms.heights
        self._per_stretch = 1 << len(self._facts)
        size = self._per_stretch * (len(self._heights) + 1)
        self.everything = (1 << size) - 1
        self.having: dict[Fact | Height, int] = {}
        for index, fact in enumerate(self._facts):
            self.having[fact] = sum(1 << bit for bit in range(size) if bit >> index & 1)
        for index, height in enumerate(self._heights):
            self.having[height] = self.everything & -(1 << (index + 1) * self._per_stretch)

    def reach(self, seeds: int, open_: int) -> int:
        """What is reached from the seeds by any facts and heights, as long as the situations gone through are open."""
        reached = seeds
        while True:
            before = reached
            for index, fact in enumerate(self._facts):
                reached |= (reached & open_ & ~self.having[fact]) << (1 << index)
            reached |= (reached & open_) << self._per_stretch & self.everything
            if reached == before:
                return reached

    def simplest(self, situations: int) -> Situation:
        """One of the set in which as little as possible has come."""
        bits = (bit for bit in range(situations.bit_length()) if situations >> bit & 1)
        stretch, facts = min(map(self._parted, bits), key=lambda part: part[0] + part[1].bit_count())
        come = tuple(fact for index, fact in enumerate(self._facts) if facts >> index & 1)
        return Situation(come, self._heights[:stretch])

    def _parted(self, bit: int) -> tuple[int, int]:
        return divmod(bit, self._per_stretch)
