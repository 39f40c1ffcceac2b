"""The rules by which the community fund is given back, as one value that can be published, compared and changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from webapp.domain.exceptions import InvalidAmountError, ValidationError
from webapp.domain.money import Amount
from webapp.domain.said import said

SHARES = ("equal", "reputation")

# The whole numbers among the rules: the least and the most that each may be.
BOUNDS: dict[str, tuple[int, int]] = {
    "airdrop_interval_hours": (1, 8760),
    "max_airdrop_nodes": (1, 10_000),
    "max_nodes_per_owner": (1, 10_000),
    "waiting_period_hours": (0, 8760),
    "min_settled_escrows": (0, 1_000_000),
    "settled_within_days": (1, 180),
}
AMOUNTS = ("airdrop_threshold", "min_airdrop_amount", "min_settled_amount")


@dataclass(frozen=True, slots=True)
class FundRules:
    """What holds at one moment. The keys are those of the section `community_fund` of the settings."""

    airdrop_threshold: Amount
    min_airdrop_amount: Amount
    airdrop_interval_hours: int
    max_airdrop_nodes: int
    airdrop_shares: str
    max_nodes_per_owner: int
    waiting_period_hours: int
    min_settled_escrows: int
    min_settled_amount: Amount
    settled_within_days: int

    def as_document(self) -> dict[str, str | int]:
        """The rules as JSON: amounts are text with eight decimals."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return {name: str(value) if isinstance(value, Amount) else value for name, value in values.items()}

    def changed(self, values: Mapping[str, Any]) -> FundRules:
        """The same with some values from JSON or a form. Raises ValidationError naming every wrong field."""
        complaints: dict[str, str] = {}
        read: dict[str, Any] = {}
        for name, value in values.items():
            try:
                read[name] = _read(name, value)
            except (ValidationError, InvalidAmountError) as error:
                complaints |= error.fields
        if complaints:
            raise ValidationError(said("these rules cannot be"), fields=complaints)
        return replace(self, **read)


def _read(name: str, value: Any) -> Amount | int | str:
    if name in AMOUNTS:
        # A node may have to show no settled amount at all; nothing else makes sense with zero.
        if name == "min_settled_amount" and str(value).strip() in ("0", "0.00000000"):
            return Amount(0)
        return Amount.parse(value, field=name)
    if name == "airdrop_shares":
        if value not in SHARES:
            raise ValidationError.of(name, said("must be one of {names}", names=", ".join(SHARES)))
        return str(value)
    if name not in BOUNDS:
        raise ValidationError.of(name, said("is not one of the fund's rules"))
    least, most = BOUNDS[name]
    text = str(value).strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and least <= int(text) <= most):
        raise ValidationError.of(
            name, said("must be a whole number from {least} to {most}", least=least, most=most)
        )
    return int(text)
