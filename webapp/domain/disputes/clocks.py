"""How long each rung of a dispute may take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from webapp.domain.disputes.rungs import Rung


@dataclass(frozen=True, slots=True)
class Hours:
    """The time for each rung, in hours."""

    answer: int
    mediation: int
    ruling: int
    appeal: int
    panel: int

    def end_of(self, rung: Rung, since: datetime) -> datetime:
        """When a rung that began at `since` ends by itself. One that has ended has no clock: KeyError."""
        return since + timedelta(hours=self._of()[rung])

    def longest(self, reassignments: int) -> timedelta:
        """How long a dispute can take at most: nobody ever acts in time, but always at the last moment.

        A proposal gives mediation its time once more, each reassignment gives the arbiter's, and the panel may be
        filled up once.
        """
        hours = self._of()
        rulings = hours[Rung.ARBITRATION] * (reassignments + 1)
        mediation = hours[Rung.MEDIATION] * (reassignments + 2)
        return timedelta(
            hours=hours[Rung.TALK] + mediation + rulings + hours[Rung.APPEAL] + 2 * hours[Rung.PANEL]
        )

    def _of(self) -> dict[Rung, int]:
        return {
            Rung.TALK: self.answer,
            Rung.MEDIATION: self.mediation,
            Rung.ARBITRATION: self.ruling,
            Rung.APPEAL: self.appeal,
            Rung.PANEL: self.panel,
        }
