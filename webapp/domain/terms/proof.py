"""That terms end, whatever anybody does or does not do, and that the provider can be paid: shown before the start.

The provider giving the money back, both sides agreeing, and a ruling on a dispute end an escrow too. The proof does
not count on them, and on no height being ever reached.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from webapp.domain.exceptions import ValidationError
from webapp.domain.terms import reasons
from webapp.domain.terms.exploration import Kind, explore
from webapp.domain.terms.facts import Facts
from webapp.domain.terms.language import Terms
from webapp.domain.terms.outcome import END_OF_TIME, Decision, due, outcome
from webapp.domain.terms.progress import Progress
from webapp.domain.terms.reading import FIELD

_TREES = {Decision.RELEASE: f"{FIELD}.release_when", Decision.REFUND: f"{FIELD}.refund_when"}


@dataclass(frozen=True, slots=True)
class Proof:
    """By `latest_end` the money has gone to one side, outages aside. `if_nothing_happens` says to which, and
    `nothing_happens_until` when, if nobody ever does anything and the chain stands still."""

    latest_end: datetime
    if_nothing_happens: Decision
    nothing_happens_until: datetime


def prove(terms: Terms) -> Proof:
    """Raises ValidationError, with the reason and a course of events that shows it, for terms that do not hold up."""
    _refuse_what_is_due_at_once(terms)
    findings = explore(terms)
    if (witness := findings.witnesses.get(Kind.BOTH_DUE)) is not None:
        raise ValidationError.of(FIELD, reasons.contradiction(terms, witness))
    if Kind.RELEASED not in findings.witnesses:
        raise ValidationError.of(_TREES[Decision.RELEASE], reasons.NEVER_RELEASED)
    if (witness := findings.witnesses.get(Kind.STRANDED)) is not None:
        raise ValidationError.of(FIELD, reasons.stranded(terms, witness))
    idle = outcome(terms, Facts(), END_OF_TIME)
    assert idle.decision is not None and idle.at is not None and findings.latest_end is not None
    return Proof(findings.latest_end, idle.decision, idle.at)


def _refuse_what_is_due_at_once(terms: Terms) -> None:
    at_once = due(terms, Progress())
    if len(at_once) > 1:
        raise ValidationError.of(FIELD, reasons.CONTRADICTION_AT_ONCE)
    for decision in at_once:
        raise ValidationError.of(_TREES[decision], reasons.DUE_AT_ONCE[decision])
