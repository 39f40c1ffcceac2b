"""How large terms may be: what a person can still read, and what the proof explores in a fraction of a second."""

from __future__ import annotations

from webapp.domain.said import said
from webapp.domain.terms.language import Terms

MAX_DEPTH = 6
"""Levels of conditions inside each other, the leaves included."""
MAX_CONDITIONS = 40
"""Conditions in both trees together, the leaves included."""
MAX_FACTS = 8
MAX_TIMES = 8
"""Moments of the calendar and since the delivery together."""
MAX_HEIGHTS = 4
MAX_RESULT_HASHES = 4
MAX_NODES = 16
"""Nodes in one `agreeing_results`."""
MAX_TEXT_LENGTH = 100
MAX_STATEMENT_LENGTH = 4000
"""Characters of a statement's schema as canonical JSON."""
MAX_HOURS = 10 * 366 * 24
"""No moment is further away than about ten years."""
MAX_HEIGHT = 2**31 - 1


def size_complaint(terms: Terms) -> str | None:
    """What there is too much of in terms whose every part is well formed."""
    if len(terms.facts) > MAX_FACTS:
        return said("must ask for at most {most} different approvals, secrets and statements", most=MAX_FACTS)
    if len(terms.times) + len(terms.windows) > MAX_TIMES:
        return said("must name at most {most} different moments", most=MAX_TIMES)
    if len(terms.heights) > MAX_HEIGHTS:
        return said("must name at most {most} different block heights", most=MAX_HEIGHTS)
    if len(terms.result_hashes) > MAX_RESULT_HASHES:
        return said("must name at most {most} different results", most=MAX_RESULT_HASHES)
    return None
