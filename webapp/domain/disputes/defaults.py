"""What comes when a rung's time is over and nobody has ended it: every rung leads on by time alone, to an end.

A side that stays silent loses, but nobody gains money for work that was never delivered because the other one is on
holiday. An arbiter who stays silent is replaced, a few times; after that a delivery in time halves the money, and
without one the payer has it back.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from webapp.domain.disputes.rungs import Rung, Seat, Standing
from webapp.domain.disputes.shares import HALF, NOTHING, WHOLE


class Basis(StrEnum):
    """What the end of a dispute rests on."""

    AGREEMENT = "agreement"  # of the sides: an accepted offer, or one of them gave in
    PROPOSAL = "proposal"  # both accepted the mediator's
    RULING = "ruling"
    PANEL = "panel"
    SILENCE = "silence"  # the other side never answered
    NO_RULING = "no_ruling"  # no arbiter ruled in time


# What an arbiter or a panel has stated. Only this costs the opener the bond.
JUDGED = frozenset({Basis.RULING, Basis.PANEL})


@dataclass(frozen=True, slots=True)
class GoOn:
    """To the next rung."""

    to: Rung


@dataclass(frozen=True, slots=True)
class Reassign:
    """To somebody else, on the same rung; its clock begins anew."""


@dataclass(frozen=True, slots=True)
class CountVotes:
    """The panel's votes are opened, however many there are."""


@dataclass(frozen=True, slots=True)
class End:
    """With this share (basis points) for the provider's side; None is what was ruled."""

    share: int | None
    basis: Basis


Step = GoOn | Reassign | CountVotes | End


def when_time_is_over(standing: Standing, *, may_reassign: bool, votes: int = 0) -> Step:
    """What follows. `may_reassign`: somebody else is there, and the limit is not reached; `votes` are the panel's."""
    match standing.rung:
        case Rung.TALK if standing.has_answered:
            return GoOn(Rung.MEDIATION)
        case Rung.TALK:
            return End(_without_an_answer(standing), Basis.SILENCE)
        case Rung.MEDIATION:
            return GoOn(Rung.ARBITRATION)
        case Rung.ARBITRATION if may_reassign:
            return Reassign()
        case Rung.ARBITRATION:
            return End(HALF if standing.is_delivered else NOTHING, Basis.NO_RULING)
        case Rung.APPEAL:
            return End(None, Basis.RULING)
        case Rung.PANEL if votes < 2 and may_reassign and not standing.reassigned:
            return Reassign()
        case Rung.PANEL:
            return CountVotes()
    raise ValueError(f"a dispute that is {standing.rung} has no clock")


def _without_an_answer(standing: Standing) -> int:
    if standing.opener is Seat.PROVIDER and standing.is_delivered:
        return WHOLE
    return NOTHING


def is_bond_lost(opener: Seat, basis: Basis, share: int) -> bool:
    """Whether a stated ruling gives the opener nothing."""
    nothing = WHOLE if opener is Seat.PAYER else NOTHING
    return basis in JUDGED and share == nothing
