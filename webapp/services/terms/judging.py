"""What the terms of an escrow come to now: its rows put before the pure rules of `domain.terms`.

Outages since the escrow's creation do not count, and the one that goes on does not either, so that nothing is decided
by a moment that the service was not there for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import TermsDecidedError
from webapp.domain.said import said
from webapp.domain.terms.facts import Attestation, Delivery, Facts, NodeResult
from webapp.domain.terms.language import PayerApproves, Terms
from webapp.domain.terms.outcome import Decision, Outcome, outcome
from webapp.domain.terms.reading import read_terms
from webapp.models import Escrow, EscrowFact, EscrowTerms
from webapp.services.downtime import lost_time
from webapp.services.terms import records

PAYER, VERIFIER = "payer_approves", "verifier_approves"
PREIMAGE, ATTESTATION, NODE_RESULT, HEIGHT = "preimage", "attestation", "node_result", "height"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The terms of one escrow, what has happened, and what they come to."""

    terms: Terms
    facts: Facts
    outcome: Outcome

    @property
    def awaits_payer(self) -> bool:
        """Whether the payer is asked for an approval, and there is something to approve."""
        has_come = self.facts.delivery is not None or not self.terms.heeds_delivery
        return PayerApproves() in self.terms.facts and self.facts.payer_approved_at is None and has_come


def judge(session: Session, settings: Settings, escrow: Escrow, now: datetime | None = None) -> Judgement:
    """Judge an escrow with terms of its own as it is now. Writes nothing."""
    terms = read_again(escrow, records.terms_of(session, escrow.id))
    height = records.known_height(session)
    facts = facts_from(escrow, records.facts_of(session, escrow.id))
    pauses = lost_time(session, settings, escrow.created_at)
    return Judgement(terms, facts, outcome(terms, facts, now or utcnow(), height, pauses))


def require_undecided(session: Session, settings: Settings, escrow: Escrow) -> None:
    """Raise TermsDecidedError when the terms have decided, and only are not executed yet: all else comes too late."""
    decision = judge(session, settings, escrow).outcome.decision
    if decision is not None:
        raise too_late(escrow, decision)


def too_late(escrow: Escrow, decision: Decision) -> TermsDecidedError:
    """The terms have decided, and what is due is done in a moment."""
    detail = said("the terms of the escrow have decided: the payer is refunded")
    if decision is Decision.RELEASE:
        detail = said("the terms of the escrow have decided: the provider is paid")
    return TermsDecidedError(detail, current_status=escrow.status, escrow_id=escrow.id)


def read_again(escrow: Escrow, row: EscrowTerms) -> Terms:
    """The terms as they were read when the escrow was created."""
    return read_terms(row.document, escrow.created_at)


def facts_from(escrow: Escrow, rows: Sequence[EscrowFact]) -> Facts:
    """The facts of an escrow: its delivery stands in its own row."""
    delivery = None
    if escrow.result_hash is not None and escrow.delivered_at is not None:
        delivery = Delivery(escrow.result_hash, escrow.delivered_at)
    firsts = {row.kind: row.created_at for row in reversed(rows)}
    return Facts(
        delivery=delivery,
        payer_approved_at=firsts.get(PAYER),
        verifier_approved_at=firsts.get(VERIFIER),
        revealed={row.key: row.created_at for row in rows if row.kind == PREIMAGE},
        attestations=tuple(
            Attestation(row.detail["key_id"], row.detail["statement"], row.created_at)
            for row in rows
            if row.kind == ATTESTATION
        ),
        node_results=tuple(
            NodeResult(row.key, row.detail["result_hash"], row.created_at)
            for row in rows
            if row.kind == NODE_RESULT
        ),
        heights={int(row.key): row.created_at for row in rows if row.kind == HEIGHT},
    )
