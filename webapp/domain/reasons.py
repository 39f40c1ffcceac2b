"""Why somebody does something, in their own words, for others to read: one rule for forms, commands and services."""

from __future__ import annotations

from webapp.domain.exceptions import ValidationError
from webapp.domain.said import said

# What an operator says; it stands behind a few words of ours in a payout's reason, which has room for 500.
LONGEST_REASON = 300


def checked_reason(reason: object, longest: int = LONGEST_REASON, *, keeps_lines: bool = False) -> str:
    """The reason without superfluous white space; on one line unless it `keeps_lines`.

    Control characters, and those that turn the direction of what follows, make a text say something else on the page
    than in the record. Raises ValidationError naming `reason`.
    """
    text = reason if isinstance(reason, str) else ""
    text = text.strip().replace("\r\n", "\n") if keeps_lines else " ".join(text.split())
    if not text or len(text) > longest or not text.replace("\n", " ").isprintable():
        raise ValidationError.of(
            "reason", said("must be 1 to {longest} printable characters", longest=longest)
        )
    return text
