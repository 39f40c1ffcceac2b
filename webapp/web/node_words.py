"""Figures of nodes in plain words: what a reputation says, how many of something there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from flask_babel import ngettext

from webapp.domain.money import Amount
from webapp.domain.reputation import DISPUTE_LOST, LATE, NEUTRAL, PRIOR, REFUNDED, DayTally, score
from webapp.domain.said import said
from webapp.web.language import translated

# From which reputation on it is called what; the highest that is reached counts.
_STEPS = (
    (850, said("very reliable")),
    (650, said("reliable")),
    (NEUTRAL + 1, said("a good start")),
    (NEUTRAL, said("unproven")),
    (350, said("mixed")),
    (0, said("unreliable")),
)


def reputation_words(reputation: int) -> str:
    """What a reputation from 0 to 1000 says."""
    return translated(next(words for least, words in _STEPS if reputation >= least))


@dataclass(frozen=True, slots=True)
class Guide:
    """What explains a reputation: what weighs how much, and where it leads."""

    half_life_days: int
    counted_from: Amount
    refunded: int = REFUNDED
    late: int = LATE
    dispute_lost: int = DISPUTE_LOST
    prior: int = PRIOR
    neutral: int = NEUTRAL

    @property
    def after_one(self) -> int:
        """The reputation after one release."""
        return self._after(1)

    @property
    def after_twenty(self) -> int:
        """The reputation after twenty releases."""
        return self._after(20)

    @property
    def after_a_dispute(self) -> int:
        """The reputation after twenty releases and a lost dispute."""
        return self._after(20, disputes_lost=1)

    def _after(self, released: int, disputes_lost: int = 0) -> int:
        day = date.min
        tally = DayTally(day, released=released, disputes_lost=disputes_lost)
        return score([tally], day, self.half_life_days)


def tasks(count: int) -> str:
    """`1 task`, `2 tasks`."""
    return ngettext("%(num)d task", "%(num)d tasks", count)
