"""What the terms say at a moment: who is paid and since when, what is still open, and when to look again.

It goes through the whole history every time. So it does not matter when or how often anybody looked, nor whether a
worker was running when a moment came: the first decisive moment decides, and what comes after it is too late.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from webapp.domain.fair_time import Pause
from webapp.domain.terms.conditions import State, state_of
from webapp.domain.terms.facts import Facts
from webapp.domain.terms.language import Height, SinceDelivery, Terms, Time
from webapp.domain.terms.progress import Progress, history
from webapp.domain.terms.truth import truth

END_OF_TIME = datetime.max.replace(tzinfo=UTC)
"""When all that comes by time alone has come."""


class Decision(StrEnum):
    """Where the terms send the money."""

    RELEASE = "release"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`at` is the decisive moment. Undecided terms have to be looked at again when something happens, at
    `next_look_at` (when nothing more comes by time: None) and at `next_height` (None: no height matters any more).

    `release` and `refund` are the two trees with what holds in them, at the decisive moment if there was one.
    """

    decision: Decision | None
    at: datetime | None
    next_look_at: datetime | None
    next_height: int | None
    release: State
    refund: State | None

    @property
    def conditions(self) -> list[State]:
        """Both trees, as far as there are two."""
        return [each for each in (self.release, self.refund) if each is not None]


def outcome(
    terms: Terms, facts: Facts, now: datetime, height: int = 0, pauses: Iterable[Pause] = ()
) -> Outcome:
    """The verdict at `now`, with the facts and outages known then and the chain's present height.

    What is dated later than `now` has not happened yet. An outage that is going on is a pause that ends just
    after `now`.
    """
    dated = history(terms, facts, now, height, pauses)
    progress = Progress()
    for step in dated:
        if step.at > now:
            break
        progress = progress.after(step.event, terms)
        for decision in due(terms, progress):
            return _told(terms, progress, decision, step.at, None, None)
    coming = (step.at for step in dated if step.at > now and isinstance(step.event, Time | SinceDelivery))
    return _told(terms, progress, None, None, min(coming, default=None), _next_height(terms, progress))


def due(terms: Terms, progress: Progress) -> list[Decision]:
    """The sides that are due at this point: none or one, as the proof has shown that it is never both."""
    trees = [(Decision.RELEASE, terms.release_when), (Decision.REFUND, terms.refund_when)]
    return [each for each, tree in trees if tree is not None and truth(tree, progress.holds)]


def _next_height(terms: Terms, progress: Progress) -> int | None:
    open_heights = (each for each in terms.heights if each not in progress.passed)
    return min((each.height for each in open_heights if isinstance(each, Height)), default=None)


def _told(
    terms: Terms,
    progress: Progress,
    decision: Decision | None,
    at: datetime | None,
    next_look_at: datetime | None,
    next_height: int | None,
) -> Outcome:
    return Outcome(
        decision,
        at,
        next_look_at,
        next_height,
        state_of(terms.release_when, progress),
        None if terms.refund_when is None else state_of(terms.refund_when, progress),
    )
