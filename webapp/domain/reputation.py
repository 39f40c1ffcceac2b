"""What a node's settled work says of it, as one whole number from 0 to 1000.

How the number comes about, for those whose node it is:

- Every escrow that your node worked for and that has ended weighs something. A release counts for you with 1. Against
  you count a refund with 1, a result that never came in time with 2, and a lost dispute with 4; of one payer, each of
  these counts once a day.
- All of it fades. After one half life (`nodes.reputation_half_life_days`) an outcome weighs half as much, after two a
  quarter, and evenly less from day to day in between. What is older than six half lives weighs nothing.
- Your reputation is the part of the whole weight that speaks for you, in thousandths and rounded down. To both sides
  we add 5 that nobody has earned: a node that has done nothing yet stands at 500, one good job makes it 545 and not
  1000, and one failure does not ruin it.

    reputation = 1000 * (for you + 5) / (for you + against you + 10)

With nothing but releases: 1 makes 545, 5 make 666, 20 make 833, 100 make 954. After 20 releases, one lost dispute takes
it down to 735. A node that stops working drifts back to 500.

Days are those of UTC. Only whole numbers are computed with, so every machine comes to the same result.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from webapp.domain.money import ZERO, Amount

HIGHEST = 1000
NEUTRAL = HIGHEST // 2
HALF_LIVES = 6

# What one outcome of each kind weighs against a node; a release weighs 1 for it.
REFUNDED, LATE, DISPUTE_LOST = 1, 2, 4

# What is added to both sides.
PRIOR = 5

# A weight of one.
_ONE = 1 << 20
_PRIOR = PRIOR * _ONE


@dataclass(frozen=True, slots=True)
class DayTally:
    """How many of a node's escrows ended on one day, by how; `released_amount` is what the released ones held."""

    day: date
    released: int = 0
    released_amount: Amount = ZERO
    refunded: int = 0
    late: int = 0
    disputes_lost: int = 0

    @property
    def against(self) -> int:
        """What speaks against the node."""
        return REFUNDED * self.refunded + LATE * self.late + DISPUTE_LOST * self.disputes_lost


def weights(half_life_days: int) -> list[int]:
    """What an outcome weighs by its age in days, from 0 on. Older ones weigh nothing."""
    return [_weight(age, half_life_days) for age in range(HALF_LIVES * half_life_days + 1)]


def first_day(today: date, half_life_days: int) -> date:
    """The oldest day that weighs anything."""
    return today - timedelta(days=HALF_LIVES * half_life_days)


def _weight(age: int, half_life_days: int) -> int:
    halvings, days = divmod(age, half_life_days)
    whole = _ONE >> halvings
    return whole - whole * days // (2 * half_life_days)


def score(days: Iterable[DayTally], today: date, half_life_days: int) -> int:
    """The reputation at the end of `today`. Days after that do not count."""
    by_age = weights(half_life_days)
    good = bad = 0
    for tally in days:
        age = (today - tally.day).days
        if 0 <= age < len(by_age):
            good += by_age[age] * tally.released
            bad += by_age[age] * tally.against
    return score_of(good, bad)


def score_of(good: int, bad: int) -> int:
    """The reputation that follows from the weighted sums."""
    return HIGHEST * (good + _PRIOR) // (good + bad + 2 * _PRIOR)
