"""What pages show of a plan: its bar, and its sum while the parts are being typed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from webapp.domain.exceptions import InvalidAmountError
from webapp.domain.money import Amount, split
from webapp.services.plans import PlanOverview

BAR_WIDTH = 1000


@dataclass(frozen=True, slots=True)
class BarPart:
    """A piece of the bar: from where, and how long, of `BAR_WIDTH`."""

    kind: str
    x: int
    width: int


@dataclass(frozen=True, slots=True)
class PlanSum:
    """What all parts add to and who would get what of it. Each part is split by itself, so that no sum is rounded."""

    total: Amount
    provider: Amount
    fund: Amount


def bar_of(overview: PlanOverview) -> list[BarPart]:
    """How much was released, refunded and is held, as pieces of one bar."""
    whole, start, pieces = overview.plan.total.base_units, 0, []
    done = 0
    for kind, amount in (
        ("released", overview.released),
        ("refunded", overview.refunded),
        ("held", overview.held),
    ):
        done += amount.base_units
        end = done * BAR_WIDTH // whole
        pieces.append(BarPart(kind, start, end - start))
        start = end
    return [piece for piece in pieces if piece.width]


def sum_of(texts: Iterable[str | None], fund_basis_points: int) -> PlanSum | None:
    """The sum of what was typed; None while one of them is no amount. What is empty is not counted."""
    provider = fund = 0
    for text in texts:
        if not (text or "").strip():
            continue
        try:
            parts = split(Amount.parse((text or "").strip()), fund_basis_points)
        except InvalidAmountError:
            return None
        provider += parts[0].base_units
        fund += parts[1].base_units
    try:
        return PlanSum(Amount(provider + fund), Amount(provider), Amount(fund)) if provider else None
    except InvalidAmountError:
        return None
