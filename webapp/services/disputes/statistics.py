"""How disputes went, and how arbiters did, without a name: figures for anybody who is logged in. Reads only."""

from __future__ import annotations

import string
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from webapp.domain.disputes.defaults import Basis
from webapp.domain.disputes.rungs import Rung, Seat
from webapp.models import Dispute, DisputeSeat

# The median is one of the disputes that ended last: older ones say little about what to expect.
RECENT = 1000


@dataclass(frozen=True, slots=True)
class ArbiterFigures:
    """One arbiter, called by a letter: how often they ruled, how often of that there was an appeal that was decided,
    how often it upheld the ruling, and how often they were silent.
    """

    letter: str
    rulings: int
    appealed: int
    upheld: int
    silent: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """All disputes. `by_basis` counts those that have ended by what their end rests on."""

    open: int
    ended: int
    by_basis: dict[Basis, int]
    median_time: timedelta | None
    appealed: int
    upheld: int
    arbiters: list[ArbiterFigures]


def statistics(session: Session) -> Statistics:
    """The figures as they are now."""
    counted = select(Dispute.basis, func.count().label("number")).group_by(Dispute.basis)
    counts = {row.basis: row.number for row in session.execute(counted)}
    arbiters = _arbiters(session)
    return Statistics(
        open=counts.pop(None, 0),
        ended=sum(counts.values()),
        by_basis={basis: counts.get(basis.value, 0) for basis in Basis},
        median_time=_median_time(session),
        appealed=sum(each.appealed for each in arbiters),
        upheld=sum(each.upheld for each in arbiters),
        arbiters=arbiters,
    )


def _median_time(session: Session) -> timedelta | None:
    recent = select(Dispute.created_at, Dispute.ended_at).where(Dispute.rung == Rung.ENDED)
    rows = session.execute(recent.order_by(Dispute.ended_at.desc()).limit(RECENT))
    times = [(row.ended_at - row.created_at).total_seconds() for row in rows]
    return timedelta(seconds=round(median(times))) if times else None


def _arbiters(session: Session) -> list[ArbiterFigures]:
    has_ruled = DisputeSeat.decided_at.is_not(None)
    was_heard = has_ruled & (Dispute.basis == Basis.PANEL)
    was_upheld = was_heard & (Dispute.share_basis_points == DisputeSeat.share_basis_points)
    rows = session.execute(
        select(
            *(
                func.sum(case((condition, 1), else_=0)).label(name)
                for name, condition in (
                    ("rulings", has_ruled),
                    ("appealed", was_heard),
                    ("upheld", was_upheld),
                    ("silent", DisputeSeat.leaving == "silent"),
                )
            )
        )
        .join(Dispute, Dispute.id == DisputeSeat.dispute_id)
        .where(DisputeSeat.seat == Seat.ARBITER)
        .group_by(DisputeSeat.user_id)
    ).all()
    # Their order is that of the figures, so that no letter tells who joined first.
    figures = sorted(((row.rulings, row.appealed, row.upheld, row.silent) for row in rows), reverse=True)
    return [ArbiterFigures(_letter(at), *each) for at, each in enumerate(figures) if any(each)]


def _letter(number: int) -> str:
    """A, B, ... Z, AA, AB."""
    rest, last = divmod(number, 26)
    return (_letter(rest - 1) if rest else "") + string.ascii_uppercase[last]
