"""Disputes over JSON, for the two sides. Those who mediate, rule and vote are people, and do so on the pages."""

from __future__ import annotations

from flask import Response, url_for
from flask_openapi3 import APIBlueprint, Tag

from webapp.blueprints.api.dispute_schemas import (
    CreatedDispute,
    DecisionDocument,
    DisputeDocument,
    Grounds,
    NewDispute,
    NewStatement,
    SeenRung,
    StatementDocument,
)
from webapp.blueprints.api.operations import (
    answer,
    answer_once,
    changed,
    created_at_location,
    made,
    operation,
    operation_id,
)
from webapp.blueprints.api.schemas import EscrowPath, IdempotencyHeader
from webapp.domain.clock import to_rfc3339, utcnow
from webapp.domain.disputes.defaults import Basis
from webapp.domain.disputes.rungs import Rung, allowed_deeds
from webapp.domain.disputes.shares import share_of
from webapp.domain.exceptions import NotFoundError
from webapp.domain.roles import Scope
from webapp.models import DisputeSeat, Escrow
from webapp.services.disputes import records
from webapp.services.disputes.cases import Case, Cases
from webapp.services.disputes.ladder import DisputeLadder
from webapp.services.escrow_division import Division
from webapp.services.idempotency import StoredAnswer
from webapp.web.current import db_session, services
from webapp.web.guards import signed_request
from webapp.web.signed_requests import current_actor

_TAG = Tag(
    name="Disputes", description="What the two sides of an escrow disagree about, and how it is decided"
)
bp = APIBlueprint(
    "api_disputes", __name__, url_prefix="/escrow", abp_tags=[_TAG], operation_id_callback=operation_id
)


@bp.post(
    "/<id>/dispute",
    **operation(
        Scope.ESCROW_DISPUTE,
        created_at_location(CreatedDispute),
        creates=True,
        description="While the money is held, and before the payer's time to object is over. The other side is to "
        "answer by `rung_ends_at`. If bonds are asked for, one is held of your balance.",
    ),
)
@signed_request(Scope.ESCROW_DISPUTE)
def open_dispute(path: EscrowPath, header: IdempotencyHeader, body: NewDispute) -> Response:
    """Object: the escrow's clocks stop, and its money stays where it is."""

    def effect() -> StoredAnswer:
        escrow = _ladder().open(path.id, body.reason)
        document = CreatedDispute(**_document(escrow).model_dump())
        return made(document, url_for("api_disputes.show", id=escrow.id))

    return answer_once(header, effect)


@bp.get("/<id>/dispute", **operation(Scope.ESCROW_READ, DisputeDocument))
@signed_request(Scope.ESCROW_READ)
def show(path: EscrowPath) -> Response:
    """Where the dispute stands, what is said and what was decided in it."""
    return answer(_document(services().escrow_manager(db_session(), current_actor()).get_escrow(path.id)))


@bp.post("/<id>/dispute/statements", **operation(Scope.ESCROW_DISPUTE, DisputeDocument, changes=True))
@signed_request(Scope.ESCROW_DISPUTE)
def speak(path: EscrowPath, header: IdempotencyHeader, body: NewStatement) -> Response:
    """Say something, for the other side and whoever decides. In answer to the dispute it stops the silence."""
    return answer_once(header, lambda: _told(path.id, _ladder().speak(path.id, body.text)))


@bp.post(
    "/<id>/dispute/escalate",
    **operation(
        Scope.ESCROW_DISPUTE,
        DisputeDocument,
        changes=True,
        description="From `talk` to a mediator, when both have spoken; from `mediation` to an arbiter, which declines "
        "what is proposed.",
    ),
)
@signed_request(Scope.ESCROW_DISPUTE)
def escalate(path: EscrowPath, header: IdempotencyHeader, body: SeenRung) -> Response:
    """Go on to the next rung at once."""
    return answer_once(header, lambda: _told(path.id, _ladder().escalate(path.id, body.rung)))


@bp.post("/<id>/dispute/accept", **operation(Scope.ESCROW_DISPUTE, DisputeDocument, changes=True))
@signed_request(Scope.ESCROW_DISPUTE)
def accept(path: EscrowPath, header: IdempotencyHeader, body: SeenRung) -> Response:
    """Accept the proposal (`mediation`) or the ruling (`appeal`). When both sides do, it is executed at once."""
    return answer_once(header, lambda: _told(path.id, _ladder().accept(path.id, body.rung)))


@bp.post("/<id>/dispute/appeal", **operation(Scope.ESCROW_DISPUTE, DisputeDocument, changes=True))
@signed_request(Scope.ESCROW_DISPUTE)
def appeal(path: EscrowPath, header: IdempotencyHeader, body: Grounds) -> Response:
    """Have three other arbiters judge a ruling, once. What their votes come to is final."""
    return answer_once(header, lambda: _told(path.id, _ladder().appeal(path.id, body.reason)))


def _ladder() -> DisputeLadder:
    return services().disputes(db_session(), current_actor())


def _told(escrow_id: str, _done: object) -> StoredAnswer:
    return changed(_document(_cases().escrows.get(escrow_id)))


def _cases() -> Cases:
    return Cases(db_session(), services().settings, current_actor(), services().wallets(db_session()))


def _document(escrow: Escrow) -> DisputeDocument:
    dispute = records.find_dispute(db_session(), escrow.id)
    if dispute is None:
        raise NotFoundError("there is no dispute over this escrow")
    case, seats = _cases().look(escrow, dispute), records.seats_of(db_session(), dispute)
    votes = records.opened_votes(dispute, seats)
    return DisputeDocument(
        escrow_id=str(escrow.id),
        rung=Rung(dispute.rung),
        rung_since=to_rfc3339(dispute.rung_since) or "",
        rung_ends_at=to_rfc3339(case.standing.ends_at) or "",
        opened_by=case.standing.opener,
        reason=dispute.reason,
        has_answered=case.standing.has_answered,
        accepted_by=sorted(case.standing.accepted),
        may=sorted(allowed_deeds(case.standing, case.seats, utcnow())),
        statements=_statements(case, seats),
        proposal=_decision(escrow, records.proposal(seats)),
        ruling=_decision(escrow, records.ruling(seats)),
        votes=[told for each in votes if (told := _decision(escrow, each))] or None,
        bond=str(dispute.bond),
        is_bond_lost=dispute.is_bond_lost,
        basis=Basis(dispute.basis) if dispute.basis else None,
        share_basis_points=dispute.share_basis_points,
        opened_at=to_rfc3339(dispute.created_at) or "",
        ended_at=to_rfc3339(dispute.ended_at),
    )


def _statements(case: Case, seats: list[DisputeSeat]) -> list[StatementDocument] | None:
    if not records.may_read(current_actor(), case.escrow, seats):
        return None
    return [
        StatementDocument(
            side=records.side_of(case.escrow, each.wallet_id),
            text=each.text,
            created_at=to_rfc3339(each.created_at) or "",
        )
        for each in records.statements_of(db_session(), case.dispute)
    ]


def _decision(escrow: Escrow, seat: DisputeSeat | None) -> DecisionDocument | None:
    if seat is None or seat.share_basis_points is None:
        return None
    parts = Division.of(escrow, share_of(escrow.amount, seat.share_basis_points))
    return DecisionDocument(
        share_basis_points=seat.share_basis_points,
        provider_amount=str(parts.provider),
        community_amount=str(parts.fund),
        refunded_amount=str(parts.payer),
        reason=seat.reason or "",
        decided_at=to_rfc3339(seat.decided_at) or "",
    )
