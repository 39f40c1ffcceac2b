"""What a rule found: whether it is met, and in words what was wanted and what is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webapp.domain.said import said


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's finding. `message` completes "the result ...": "is a PNG", "must be 64 pixels wide, and is 32"."""

    rule: str
    is_met: bool
    message: str
    is_required: bool = True

    @property
    def refuses(self) -> bool:
        """Whether the delivery fails by it."""
        return self.is_required and not self.is_met

    def document(self) -> dict[str, Any]:
        """As it is kept with the escrow."""
        return {
            "rule": self.rule,
            "is_met": self.is_met,
            "is_required": self.is_required,
            "message": self.message,
        }


def met(rule: str, message: str) -> Finding:
    """A rule that is met."""
    return Finding(rule, True, message)


def failed(rule: str, message: str) -> Finding:
    """A rule that is not."""
    return Finding(rule, False, message)


def within(
    rule: str, count: int, unit: str, *, exactly: int | None, least: int | None, most: int | None
) -> Finding:
    """Whether a count is what was ordered, and not below or above what is allowed; None allows all."""
    if exactly is not None and count != exactly:
        return failed(
            rule,
            said(
                "must have exactly {exactly} {unit}, and has {count}", exactly=exactly, unit=unit, count=count
            ),
        )
    if least is not None and count < least:
        return failed(
            rule,
            said("must have at least {least} {unit}, and has {count}", least=least, unit=unit, count=count),
        )
    if most is not None and count > most:
        return failed(
            rule, said("must have at most {most} {unit}, and has {count}", most=most, unit=unit, count=count)
        )
    return met(rule, said("has {count} {unit}", count=count, unit=unit))
