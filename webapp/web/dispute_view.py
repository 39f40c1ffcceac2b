"""What the page of an escrow shows of its dispute to one reader."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask_login import current_user

from webapp.domain.clock import utcnow
from webapp.domain.disputes.defaults import Basis
from webapp.domain.disputes.rungs import Deed, Rung, Seat, Standing, allowed_deeds
from webapp.domain.disputes.shares import share_of
from webapp.models import Dispute, DisputeSeat, DisputeStatement, Escrow
from webapp.services.disputes import records
from webapp.services.disputes.cases import Cases
from webapp.services.escrow_division import Division
from webapp.web.current import db_session, services
from webapp.web.dispute_words import BASES, RUNGS, SEATS, default_words, share_words, turn_words


@dataclass(frozen=True, slots=True)
class Decided:
    """A proposal, a ruling or a vote, with everybody's part by it."""

    words: str
    reason: str
    parts: Division

    @classmethod
    def of(cls, escrow: Escrow, seat: DisputeSeat | None) -> Decided | None:
        """What somebody who is assigned has decided, if they have."""
        if seat is None or seat.share_basis_points is None:
            return None
        parts = Division.of(escrow, share_of(escrow.amount, seat.share_basis_points))
        return cls(share_words(seat.share_basis_points), seat.reason or "", parts)


@dataclass(frozen=True, slots=True)
class DisputeView:
    """One dispute. `statements` is None for those who may not read what is said; `votes` are there once opened."""

    dispute: Dispute
    standing: Standing
    deeds: frozenset[Deed]
    seat: str
    rungs: list[tuple[str, str]]
    turn: str
    default: str
    end: str
    statements: list[DisputeStatement] | None
    proposal: Decided | None
    ruling: Decided | None
    votes: list[Decided]
    mark: str

    def may(self, deed: str) -> bool:
        """Whether this reader may do this now."""
        return Deed(deed) in self.deeds

    @property
    def ends_at(self) -> datetime:
        """When the present rung ends by itself."""
        return self.standing.ends_at

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.standing.rung is not Rung.ENDED


def dispute_of(escrow: Escrow) -> DisputeView | None:
    """For whoever is logged in; None where there never was a dispute. A fixed number of queries."""
    session, actor = db_session(), current_user.actor
    dispute = records.find_dispute(session, escrow.id)
    if dispute is None:
        return None
    cases = Cases(session, services().settings, actor, services().wallets(session))
    case = cases.look(escrow, dispute)
    seats = records.seats_of(session, dispute)
    standing, now_seated = case.standing, records.seated(seats)
    may_read = records.may_read(actor, escrow, seats)
    panel = [each for each in seats if each.seat == Seat.PANEL and each.decided_at is not None]
    deeds = allowed_deeds(standing, case.seats, utcnow())
    if any(each.user_id == actor.user_id for each in panel):
        deeds -= {Deed.VOTE, Deed.STEP_DOWN}
    return DisputeView(
        dispute=dispute,
        standing=standing,
        deeds=deeds,
        seat=next((SEATS[each] for each in sorted(case.seats) if each in SEATS), ""),
        rungs=_rungs(dispute, seats),
        turn=turn_words(standing, case.seats, len(panel), bool(now_seated)),
        default=default_words(standing),
        end=BASES[Basis(dispute.basis)] if dispute.basis else "",
        statements=records.statements_of(session, dispute) if may_read else None,
        proposal=Decided.of(escrow, records.proposal(seats)),
        ruling=Decided.of(escrow, records.ruling(seats)),
        votes=[told for each in records.opened_votes(dispute, seats) if (told := Decided.of(escrow, each))],
        mark=_mark(dispute, standing, now_seated, len(panel)),
    )


def _rungs(dispute: Dispute, seats: Sequence[DisputeSeat]) -> list[tuple[str, str]]:
    """(name, "done" | "now" | "ahead" | "left out") of each rung; of one that has ended, those it went up."""
    reached = {Rung.TALK}
    reached |= {rung for rung, seat in _SEATED.items() if any(each.seat == seat for each in seats)}
    if records.ruling(seats) is not None:
        reached.add(Rung.APPEAL)
    order = list(RUNGS)
    if dispute.rung == Rung.ENDED:
        return [(RUNGS[rung], "done") for rung in order if rung in reached]
    now = order.index(Rung(dispute.rung))
    return [
        (RUNGS[rung], "now" if at == now else "done" if at < now else "ahead")
        for at, rung in enumerate(order)
    ]


_SEATED = {Rung.MEDIATION: Seat.MEDIATOR, Rung.ARBITRATION: Seat.ARBITER, Rung.PANEL: Seat.PANEL}


def _mark(dispute: Dispute, standing: Standing, seated: Sequence[DisputeSeat], votes: int) -> str:
    """Something that changes whenever the buttons of the page may have to."""
    accepted = "".join(sorted(each[:2] for each in standing.accepted))
    people = "-".join(str(each.id) for each in seated)
    return f"{dispute.rung}.{standing.has_answered:d}{standing.is_proposed:d}{votes}.{accepted}.{people}"
