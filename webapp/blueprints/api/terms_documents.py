"""The terms of an escrow as the JSON endpoints give them: the document, what holds, what is missing and from whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from webapp.blueprints.api.fields import MOMENT, MomentOut
from webapp.domain.clock import to_rfc3339
from webapp.domain.terms.conditions import Turn
from webapp.domain.terms.outcome import Decision
from webapp.domain.terms.sentences import Told, tell_outcome, tell_prediction
from webapp.domain.terms.simulation import Prediction
from webapp.domain.terms.writing import as_document
from webapp.models import Escrow, EscrowTerms
from webapp.services.terms.outlook import Outlook


class ConditionDocument(BaseModel):
    """One condition in words. A group's parts follow it, one `depth` deeper."""

    model_config = ConfigDict(extra="forbid")

    decides: Decision = Field(description="Which side's tree it is in")
    depth: int
    text: str = Field(examples=["the payer approves the result"])
    holds: bool
    is_open: bool = Field(description="Whether it may still come to hold")
    waits_for: Turn | None = Field(
        description="Who or what can bring it about; null for what is settled, and for groups"
    )


class PredictionDocument(BaseModel):
    """What comes of one course of events. `by` is until when it has to have happened, if that matters."""

    model_config = ConfigDict(extra="forbid")

    text: str
    decision: Decision
    at: MomentOut = Field(description="When the money moves if it happens now")
    by: MomentOut | None
    if_nothing_happens: bool


class TermsDocument(BaseModel):
    """Terms in their normal form. In lists there are no conditions and no predictions."""

    model_config = ConfigDict(extra="forbid")

    document: dict[str, Any]
    ends_by: MomentOut = Field(
        description="When it has ended at the latest, whatever anybody does; outages put it off",
        examples=[MOMENT],
    )
    conditions: list[ConditionDocument] | None
    predictions: list[PredictionDocument] | None


def terms_document(outlook: Outlook) -> TermsDocument:
    """Everything about terms, of an escrow or tried out."""
    # There may be no tree for refunds.
    trees = list(zip(Decision, tell_outcome(outlook.now), strict=False))
    is_open = bool(outlook.predictions)
    return TermsDocument(
        document=as_document(outlook.terms),
        ends_by=to_rfc3339(outlook.ends_by) or "",
        conditions=[
            each
            for decision, tree in trees
            for part in tree.parts
            for each in _flat(decision, part, 0, is_open)
        ],
        predictions=[_prediction(each) for each in outlook.predictions],
    )


def bare_terms(escrow: Escrow, rows: Mapping[UUID, EscrowTerms]) -> TermsDocument | None:
    """What a list tells of an escrow's own terms."""
    row = rows.get(escrow.id)
    if row is None:
        return None
    ends_by = to_rfc3339(escrow.expires_at) or ""
    return TermsDocument(document=row.document, ends_by=ends_by, conditions=None, predictions=None)


def _flat(decision: Decision, told: Told, depth: int, is_open: bool) -> Iterator[ConditionDocument]:
    state = told.state
    yield ConditionDocument(
        decides=decision,
        depth=depth,
        text=told.text,
        holds=state.holds,
        is_open=state.can_hold and is_open,
        waits_for=state.turn if is_open else None,
    )
    for part in told.parts:
        yield from _flat(decision, part, depth + 1, is_open)


def _prediction(prediction: Prediction) -> PredictionDocument:
    return PredictionDocument(
        text=tell_prediction(prediction),
        decision=prediction.decision,
        at=to_rfc3339(prediction.at) or "",
        by=to_rfc3339(prediction.by),
        if_nothing_happens=prediction.course.is_idle,
    )
