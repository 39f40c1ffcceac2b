"""The terms of its own that an escrow has, in its case file, and what has happened of what they ask about."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from webapp.domain.clock import to_rfc3339
from webapp.models import Escrow
from webapp.services.case_file.reader import CaseReader
from webapp.services.terms import records


def terms_section(session: Session, escrow: Escrow, reader: CaseReader) -> dict[str, Any] | None:
    """None with the usual terms. What was said with a fact is on the audit trail."""
    if not escrow.has_own_terms:
        return None
    terms = records.terms_of(session, escrow.id)
    return {
        "document": terms.document,
        "ends_by": to_rfc3339(terms.ends_by),
        "facts": [
            {
                "kind": fact.kind,
                "key": fact.key,
                "height": fact.height,
                "created_at": to_rfc3339(fact.created_at),
            }
            for fact in records.facts_of(session, escrow.id)
        ],
    }
