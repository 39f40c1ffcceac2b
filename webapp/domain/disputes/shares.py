"""The provider's side's share of an escrow in basis points: stated by people, made base units by the machine."""

from __future__ import annotations

import re

from webapp.domain.exceptions import ValidationError
from webapp.domain.money import BASIS_POINTS, Amount
from webapp.domain.said import said

NOTHING, HALF, WHOLE = 0, BASIS_POINTS // 2, BASIS_POINTS

_PERCENTAGE = re.compile(r"([0-9]{1,3})(?:[.,]([0-9]{1,2}))?\s*%?", re.ASCII)


def share_of(amount: Amount, basis_points: int) -> Amount:
    """The share in base units, rounded down: the base unit that cannot be divided goes back to the payer."""
    return Amount(amount.base_units * basis_points // BASIS_POINTS)


def checked_share(value: object) -> int:
    """Basis points from nothing to the whole. Raises ValidationError naming `share_basis_points`."""
    if type(value) is not int or not NOTHING <= value <= WHOLE:
        raise ValidationError.of(
            "share_basis_points", said("must be a whole number from 0 to {most}", most=WHOLE)
        )
    return value


def share_of_percent(text: str) -> int:
    """Basis points of a percentage such as `33.33`. Raises ValidationError naming `percent`."""
    found = _PERCENTAGE.fullmatch(text.strip())
    share = int(found[1]) * 100 + int((found[2] or "").ljust(2, "0")) if found else None
    if share is None or share > WHOLE:
        raise ValidationError.of("percent", said("must be a number from 0 to 100, with at most two decimals"))
    return share


def percent_of(basis_points: int) -> str:
    """`33.33` for 3333, `50` for 5000."""
    whole, rest = divmod(basis_points, 100)
    return f"{whole}.{rest:02d}".rstrip("0") if rest else str(whole)
