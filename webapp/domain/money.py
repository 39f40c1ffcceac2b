"""Amounts of FLOP as integer base units, and the split of an escrow.

1 FLOP = 100 000 000 base units; MAX_MONEY is 10^10 FLOP (the chain's consensus limit). No float is ever
computed with: a float that arrives from YAML or a caller is read through its shortest decimal form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from webapp.domain.exceptions import InvalidAmountError
from webapp.domain.said import said

BASE_UNITS_PER_FLOP = 100_000_000
MAX_BASE_UNITS = 10**18
_LARGEST_INTEGER = 2**63 - 1
DECIMALS = 8
BASIS_POINTS = 10_000

_PLAIN_DECIMAL = re.compile(r"[0-9]{1,11}(\.[0-9]{1,8})?", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Amount:
    """A number of base units. Never negative; prints as FLOP with eight decimals.

    What is read from outside is at most MAX_MONEY; a sum of what flowed may be more, as far as a BIGINT goes.
    """

    base_units: int

    def __post_init__(self) -> None:
        if type(self.base_units) is not int or not 0 <= self.base_units <= _LARGEST_INTEGER:
            raise InvalidAmountError(said("an amount must be a whole number of base units, from zero up"))

    @classmethod
    def parse(cls, value: object, *, field: str = "amount", allow_zero: bool = False) -> Amount:
        """Read FLOP from text ("12.5"), int, Decimal or float. Raises InvalidAmountError naming `field`.

        Text must be plain digits with at most eight decimals. Numbers are judged by their value, since
        JSON writers pick the notation (`1e-07`) by themselves.
        """
        try:
            amount = cls(_base_units(value))
            if amount.base_units == 0 and not allow_zero:
                raise InvalidAmountError(said("must be greater than zero"))
        except InvalidAmountError as error:
            raise InvalidAmountError(
                said("{field}: {message}", field=field, message=error.detail), fields={field: error.detail}
            ) from None
        return amount

    def __str__(self) -> str:
        flop, rest = divmod(self.base_units, BASE_UNITS_PER_FLOP)
        return f"{flop}.{rest:08d}"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __bool__(self) -> bool:
        return self.base_units != 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.base_units + other.base_units)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.base_units - other.base_units)

    @property
    def decimal(self) -> Decimal:
        """The amount in FLOP, exactly."""
        return Decimal(self.base_units).scaleb(-DECIMALS)


ZERO = Amount(0)


def format_signed(base_units: int) -> str:
    """A difference in FLOP with eight decimals and its sign when negative: `-0.50000000`."""
    flop, rest = divmod(abs(base_units), BASE_UNITS_PER_FLOP)
    return f"{'-' if base_units < 0 else ''}{flop}.{rest:08d}"


def _base_units(value: object) -> int:
    if isinstance(value, Amount):
        return value.base_units
    if isinstance(value, str):
        if not _PLAIN_DECIMAL.fullmatch(value):
            raise InvalidAmountError(said("must be a plain decimal number with at most eight decimals"))
        whole, _, rest = value.partition(".")
        return _within_bounds(int(whole) * BASE_UNITS_PER_FLOP + int(rest.ljust(DECIMALS, "0")))
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise InvalidAmountError(said("must be a number or a decimal string"))
    return _scaled(Decimal(value))


def _scaled(value: Decimal) -> int:
    # The size is judged before anything is expanded: 1e400000000 is short to send and long to write out.
    if not value.is_finite():
        raise InvalidAmountError(said("must be a finite number"))
    if value < 0:
        raise InvalidAmountError(said("must be greater than zero"))
    if value and value.adjusted() > 10:
        raise InvalidAmountError(said("must be at most 10000000000 FLOP"))
    if value and value.adjusted() < -DECIMALS:
        raise InvalidAmountError(said("must have at most eight decimals"))
    # Beyond 28 digits the decimal context would round; no amount needs more than 19.
    scaled = value.scaleb(DECIMALS) if len(value.as_tuple().digits) <= 28 else None
    if scaled is None or scaled != int(scaled):
        raise InvalidAmountError(said("must have at most eight decimals"))
    return _within_bounds(int(scaled))


def _within_bounds(base_units: int) -> int:
    if base_units > MAX_BASE_UNITS:
        raise InvalidAmountError(said("must be at most 10000000000 FLOP"))
    return base_units


def split(amount: Amount, fund_basis_points: int) -> tuple[Amount, Amount]:
    """(provider's part, fund's part). The fund gets the floor of its share; the two always add to the amount."""
    fund = Amount(amount.base_units * fund_basis_points // BASIS_POINTS)
    return amount - fund, fund


def share_equally(total: int, parts: int) -> list[int]:
    """`total` base units in `parts` whole shares that differ by at most one; the first ones get the rest."""
    each, rest = divmod(total, parts)
    return [each + 1] * rest + [each] * (parts - rest)
