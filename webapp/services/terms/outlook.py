"""What the terms of an escrow say and foresee: tried out before there is one, and of one that lives. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.fair_time import Pause
from webapp.domain.terms.facts import Facts
from webapp.domain.terms.language import Terms
from webapp.domain.terms.outcome import Outcome, outcome
from webapp.domain.terms.presets import usual_terms
from webapp.domain.terms.reading import read_terms
from webapp.domain.terms.simulation import Prediction, simulate
from webapp.models import Escrow
from webapp.services.downtime import lost_time
from webapp.services.service_orders import acceptance_hours
from webapp.services.terms.creation import read_and_prove
from webapp.services.terms.judging import facts_from, judge
from webapp.services.terms.records import known_height


@dataclass(frozen=True, slots=True)
class Outlook:
    """What holds of the terms now, and what comes of it. `ends_by` is when it has ended at the latest."""

    terms: Terms
    now: Outcome
    predictions: list[Prediction]
    ends_by: datetime


def try_out(session: Session, settings: Settings, document: object) -> Outlook:
    """What would come of an escrow on these terms, created now. Raises ValidationError naming `terms...`."""
    created_at = utcnow()
    proven = read_and_prove(session, settings, document, created_at)
    height = known_height(session)
    return Outlook(
        proven.terms,
        outcome(proven.terms, Facts(), created_at, height),
        simulate(proven.terms, Facts(), created_at, height),
        proven.proof.latest_end,
    )


def outlook(session: Session, settings: Settings, escrow: Escrow) -> Outlook:
    """The outlook of an escrow with terms of its own. A fixed number of queries."""
    judged, now = judge(session, settings, escrow), utcnow()
    pauses = lost_time(session, settings, escrow.created_at)
    foreseen = simulate(judged.terms, judged.facts, now, known_height(session), pauses)
    is_open = escrow.terms.decide_themselves
    return Outlook(judged.terms, judged.outcome, foreseen if is_open else [], escrow.expires_at)


def usual_outlook(settings: Settings, escrow: Escrow) -> Outlook:
    """The same of an escrow with the usual terms, told by its row alone: these are what its own rules come to."""
    hours = acceptance_hours(escrow, settings)
    document = usual_terms(escrow.expires_at, hours, escrow.verifier_key_id is not None)
    created_at = min(escrow.created_at, escrow.expires_at - timedelta.resolution)
    terms, facts, now = read_terms(document, created_at), facts_from(escrow, ()), utcnow()
    pauses = []
    ends_by = escrow.accept_by or escrow.expires_at + timedelta(hours=hours)
    if facts.delivery is not None:
        # What the row's own deadline was extended by.
        lost = ends_by - timedelta(hours=hours) - facts.delivery.at
        pauses = [Pause(facts.delivery.at, facts.delivery.at + lost)] if lost else []
    return Outlook(
        terms, outcome(terms, facts, now, 0, pauses), simulate(terms, facts, now, 0, pauses), ends_by
    )
