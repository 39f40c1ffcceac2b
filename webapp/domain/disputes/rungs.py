"""The rungs of a dispute, who sits at the table, and what each may do on each rung.

    talk -> mediation -> arbitration -> appeal -> panel -> ended

From every rung it may end: by an agreement on any of them, by time on all of them (`defaults`). While it is open the
escrow is `disputed` and holds its money.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from webapp.domain.said import said


class Rung(StrEnum):
    """Where a dispute stands. In `appeal` a ruling is stated and not executed yet."""

    TALK = "talk"
    MEDIATION = "mediation"
    ARBITRATION = "arbitration"
    APPEAL = "appeal"
    PANEL = "panel"
    ENDED = "ended"


class Seat(StrEnum):
    """In what capacity somebody takes part: as one of the two sides, or assigned to help or to judge."""

    PAYER = "payer"
    PROVIDER = "provider"
    MEDIATOR = "mediator"
    ARBITER = "arbiter"
    PANEL = "panel"


class Deed(StrEnum):
    """What can be done in a dispute. To escalate is to go on to the next rung without waiting for the clock."""

    SPEAK = "speak"
    ESCALATE = "escalate"
    PROPOSE = "propose"
    ACCEPT = "accept"
    RULE = "rule"
    APPEAL = "appeal"
    VOTE = "vote"
    STEP_DOWN = "step_down"


SIDES = frozenset({Seat.PAYER, Seat.PROVIDER})
PANEL_SIZE = 3

# (rung, deed) -> whose it is. What is not here cannot be done there.
DEEDS: dict[tuple[Rung, Deed], frozenset[Seat]] = {
    (Rung.TALK, Deed.SPEAK): SIDES,
    (Rung.TALK, Deed.ESCALATE): SIDES,
    (Rung.MEDIATION, Deed.SPEAK): SIDES,
    (Rung.MEDIATION, Deed.ESCALATE): SIDES,
    (Rung.MEDIATION, Deed.ACCEPT): SIDES,
    (Rung.MEDIATION, Deed.PROPOSE): frozenset({Seat.MEDIATOR}),
    (Rung.MEDIATION, Deed.STEP_DOWN): frozenset({Seat.MEDIATOR}),
    (Rung.ARBITRATION, Deed.SPEAK): SIDES,
    (Rung.ARBITRATION, Deed.RULE): frozenset({Seat.ARBITER}),
    (Rung.ARBITRATION, Deed.STEP_DOWN): frozenset({Seat.ARBITER}),
    (Rung.APPEAL, Deed.ACCEPT): SIDES,
    (Rung.APPEAL, Deed.APPEAL): SIDES,
    (Rung.PANEL, Deed.VOTE): frozenset({Seat.PANEL}),
    (Rung.PANEL, Deed.STEP_DOWN): frozenset({Seat.PANEL}),
}
# Who sits on which rung by assignment.
ASSIGNED = {Rung.MEDIATION: Seat.MEDIATOR, Rung.ARBITRATION: Seat.ARBITER, Rung.PANEL: Seat.PANEL}

_NOT_YOURS = {
    Deed.PROPOSE: said("only the assigned mediator may propose a division"),
    Deed.RULE: said("only the assigned arbiter may rule"),
    Deed.VOTE: said("only an assigned member of the panel may vote"),
    Deed.STEP_DOWN: said("only who is assigned may step down"),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """How a dispute stands. `opener` is a side; `has_answered`: the other side has spoken; `is_delivered`: there is a
    result, one that terms of its own would pay for by time alone; `accepted`: the sides that accept what is proposed or
    ruled; `reassigned`: how often the rung was given to somebody else.
    """

    rung: Rung
    opener: Seat
    ends_at: datetime
    has_answered: bool = False
    is_delivered: bool = False
    is_proposed: bool = False
    accepted: frozenset[Seat] = frozenset()
    reassigned: int = 0

    def is_over(self, now: datetime) -> bool:
        """Whether the rung's time is over: what comes next comes by itself."""
        return now >= self.ends_at


def takes_evidence(rung: Rung) -> bool:
    """Whether statements and evidence may be added: until an arbiter has ruled."""
    return (rung, Deed.SPEAK) in DEEDS


def obstacle(standing: Standing, deed: Deed, now: datetime) -> str | None:
    """Why nobody can do this at present; None when it can be done."""
    if standing.rung is Rung.ENDED:
        return said("the dispute has ended")
    if (standing.rung, deed) not in DEEDS:
        return said("this cannot be done while the dispute is at {rung}", rung=standing.rung.value)
    if standing.is_over(now):
        return said("the time for this is over; what comes next comes by itself")
    if (standing.rung, deed) == (Rung.TALK, Deed.ESCALATE) and not standing.has_answered:
        return said("the other side has not answered yet, and still has time to")
    if (standing.rung, deed) == (Rung.MEDIATION, Deed.ACCEPT) and not standing.is_proposed:
        return said("the mediator has not proposed anything yet")
    if deed is Deed.PROPOSE and standing.is_proposed:
        return said("a proposal stands already")
    if (standing.rung, deed) == (Rung.MEDIATION, Deed.STEP_DOWN) and standing.is_proposed:
        return said("the proposal is made: it is for the two sides now")
    return None


def refusal(standing: Standing, deed: Deed, seats: frozenset[Seat]) -> str | None:
    """Why somebody with these seats may not do what can be done; None when they may."""
    if seats & DEEDS[standing.rung, deed]:
        return None
    return _NOT_YOURS.get(deed) or said("only the payer or the provider may do this")


def allowed_deeds(standing: Standing, seats: frozenset[Seat], now: datetime) -> frozenset[Deed]:
    """What somebody with these seats may do now."""
    return frozenset(
        deed
        for rung, deed in DEEDS
        if rung is standing.rung
        and obstacle(standing, deed, now) is None
        and refusal(standing, deed, seats) is None
        and not (deed in (Deed.ACCEPT, Deed.APPEAL) and seats & SIDES <= standing.accepted)
    )
