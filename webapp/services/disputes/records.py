"""What is on record about a dispute. Reads only."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.disputes import rungs
from webapp.domain.disputes.clocks import Hours
from webapp.domain.disputes.defaults import Basis
from webapp.domain.disputes.rungs import Rung, Seat, Standing
from webapp.domain.fair_time import extended
from webapp.domain.roles import Actor, Role
from webapp.domain.terms.outcome import Decision
from webapp.models import Dispute, DisputeSeat, DisputeStatement, Escrow
from webapp.services import downtime
from webapp.services.terms.judging import judge

STEPPED_DOWN = "stepped_down"


def find_dispute(session: Session, escrow_id: uuid.UUID) -> Dispute | None:
    """The dispute over an escrow as it is now, if there was ever one."""
    statement = select(Dispute).where(Dispute.escrow_id == escrow_id)
    return session.scalars(statement.execution_options(populate_existing=True)).one_or_none()


def hours_of(settings: Settings) -> Hours:
    """The time for each rung, as it is configured."""
    given = settings.disputes
    return Hours(
        given.answer_hours, given.mediation_hours, given.ruling_hours, given.appeal_hours, given.panel_hours
    )


def standing_of(session: Session, settings: Settings, escrow: Escrow, dispute: Dispute) -> Standing:
    """How it stands, with the end of its rung as it is by rights: later by every outage."""
    accepted = {Seat.PAYER: dispute.is_accepted_by_payer, Seat.PROVIDER: dispute.is_accepted_by_provider}
    is_mediated = dispute.rung == Rung.MEDIATION
    return Standing(
        rung=Rung(dispute.rung),
        opener=side_of(escrow, dispute.opened_by_wallet_id),
        ends_at=fair_end(session, settings, dispute),
        has_answered=dispute.answered_at is not None,
        is_delivered=_is_delivered(session, settings, escrow),
        is_proposed=is_mediated and proposal(seats_of(session, dispute)) is not None,
        accepted=frozenset(side for side, has_accepted in accepted.items() if has_accepted),
        reassigned=dispute.reassigned,
    )


def _is_delivered(session: Session, settings: Settings, escrow: Escrow) -> bool:
    """Whether there is a result that counts when nobody says anything.

    Under terms of its own that is one which these pay for by time alone: a dispute that stays unanswered or without a
    ruling gives nobody what they were promised not to lose by silence.
    """
    if escrow.delivered_at is None or not escrow.has_own_terms:
        return escrow.delivered_at is not None
    # Every deadline is over by then, and by then they have decided: that was proved before the start.
    last_moment = datetime.max.replace(tzinfo=UTC)
    return judge(session, settings, escrow, last_moment).outcome.decision is Decision.RELEASE


def side_of(escrow: Escrow, wallet_id: int) -> Seat:
    """Which side a wallet of the escrow is."""
    return Seat.PAYER if wallet_id == escrow.payer_wallet_id else Seat.PROVIDER


def fair_end(session: Session, settings: Settings, dispute: Dispute) -> datetime:
    """When the rung ends. Small queries, and only where it seems to be over."""
    now = utcnow()
    if dispute.rung == Rung.ENDED or now < dispute.rung_ends_at:
        return dispute.rung_ends_at
    lost = downtime.lost_until(session, settings, now, dispute.outage_id, dispute.rung_since)
    return extended(dispute.rung_ends_at, dispute.rung_since, lost)


def seats_of(session: Session, dispute: Dispute) -> list[DisputeSeat]:
    """Everybody who was ever assigned, in that order."""
    statement = select(DisputeSeat).where(DisputeSeat.dispute_id == dispute.id).order_by(DisputeSeat.id)
    return list(session.scalars(statement.execution_options(populate_existing=True)))


def seated(seats: Sequence[DisputeSeat]) -> list[DisputeSeat]:
    """Those whose turn it is on the present rung."""
    return [each for each in seats if each.left_at is None]


def proposal(seats: Sequence[DisputeSeat]) -> DisputeSeat | None:
    """The mediator who has proposed something."""
    return _decided(seats, Seat.MEDIATOR)


def ruling(seats: Sequence[DisputeSeat]) -> DisputeSeat | None:
    """The arbiter who has ruled."""
    return _decided(seats, Seat.ARBITER)


def opened_votes(dispute: Dispute, seats: Sequence[DisputeSeat]) -> list[DisputeSeat]:
    """The votes of the panel that has decided. They are sealed until then, and for ever if it never did."""
    is_opened = dispute.basis == Basis.PANEL
    return [each for each in seats if is_opened and each.seat == Seat.PANEL and each.decided_at is not None]


def _decided(seats: Sequence[DisputeSeat], seat: Seat) -> DisputeSeat | None:
    return next((each for each in seats if each.seat == seat and each.decided_at is not None), None)


def statements_of(session: Session, dispute: Dispute) -> list[DisputeStatement]:
    """What the two sides have said, in that order."""
    statement = select(DisputeStatement).where(DisputeStatement.dispute_id == dispute.id)
    return list(session.scalars(statement.order_by(DisputeStatement.id)))


def may_read(actor: Actor, escrow: Escrow, seats: Sequence[DisputeSeat]) -> bool:
    """Whether the actor may read what is said in it: the two sides, operators, and whoever is assigned or has judged.

    Other arbiters may not, so that they can still be asked without having heard of it; nor who has stepped down.
    """
    if actor.role is Role.OPERATOR or actor.wallet_ids & {escrow.payer_wallet_id, escrow.provider_wallet_id}:
        return True
    return any(each.user_id == actor.user_id and each.leaving != STEPPED_DOWN for each in seats)


def takes_evidence(session: Session, escrow: Escrow) -> bool:
    """Whether statements and evidence may be added: while it is disputed, until an arbiter has ruled."""
    dispute = find_dispute(session, escrow.id)
    return dispute is not None and rungs.takes_evidence(Rung(dispute.rung))
