"""The terms of an escrow that is made once more: as long after its creation as they were then."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from webapp.domain.clock import to_rfc3339, utcnow
from webapp.models import Escrow
from webapp.services.terms.records import terms_of


def repeated_terms(session: Session, escrow: Escrow) -> dict[str, Any]:
    """The document of an escrow with terms of its own, its moments put off to count from now, to the minute."""
    now = utcnow().replace(second=0, microsecond=0)
    by = now - escrow.created_at.replace(second=0, microsecond=0)
    moved: dict[str, Any] = _moved(terms_of(session, escrow.id).document, by)
    return moved


def _moved(part: Any, by: timedelta) -> Any:
    if isinstance(part, list):
        return [_moved(each, by) for each in part]
    if not isinstance(part, dict):
        return part
    if part.keys() == {"time"}:
        return {"time": to_rfc3339(datetime.fromisoformat(part["time"]) + by)}
    # A schema for statements is its author's, whatever its members are called.
    return {name: value if name == "statement" else _moved(value, by) for name, value in part.items()}
