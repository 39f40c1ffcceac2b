"""Amounts: read exactly or not at all, printed so that they can be read again, split without losing a unit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.exceptions import InvalidAmountError
from webapp.domain.money import (
    MAX_BASE_UNITS,
    ZERO,
    Amount,
    format_signed,
    share_equally,
    split,
)

LARGEST = 2**63 - 1  # what a BIGINT holds: sums of what flowed may exceed what can exist
units = st.integers(0, LARGEST)
positive = st.integers(1, MAX_BASE_UNITS)


@given(positive)
def test_what_is_printed_is_read_again_as_the_same(base_units: int) -> None:
    amount = Amount(base_units)
    assert Amount.parse(str(amount)) == amount
    assert Amount.parse(amount.decimal) == amount
    assert Amount.parse(amount) == amount
    assert str(amount).partition(".")[2].isdigit() and len(str(amount).partition(".")[2]) == 8


@given(st.integers(1, 9_007_199_254_740_991))
def test_a_float_that_json_made_of_an_amount_is_read_as_that_amount(base_units: int) -> None:
    """Fifteen digits survive a float; its shortest form is what was meant."""
    amount = Amount(base_units // 10 * 10 + 10)
    if len(str(amount.base_units).rstrip("0")) <= 15:
        assert Amount.parse(float(str(amount))) == amount


@given(positive, st.integers(0, 10_000))
def test_the_parts_of_a_split_always_add_to_the_amount(base_units: int, basis_points: int) -> None:
    amount = Amount(base_units)
    provider, fund = split(amount, basis_points)
    assert provider + fund == amount
    assert fund.base_units * 10_000 <= base_units * basis_points < (fund.base_units + 1) * 10_000


@pytest.mark.parametrize(
    ("amount", "provider", "fund"),
    [
        ("100", "95.00000000", "5.00000000"),
        ("0.00000001", "0.00000001", "0.00000000"),
        ("0.00000019", "0.00000019", "0.00000000"),
        ("0.00000020", "0.00000019", "0.00000001"),
        ("96.0", "91.20000000", "4.80000000"),
        ("33.33333333", "31.66666667", "1.66666666"),
        ("10000000000", "9500000000.00000000", "500000000.00000000"),
    ],
)
def test_five_per_cent_rounded_down_go_to_the_fund(amount: str, provider: str, fund: str) -> None:
    assert tuple(map(str, split(Amount.parse(amount), 500))) == (provider, fund)


@given(units, st.integers(1, 2000))
def test_equal_shares_add_up_and_differ_by_one_at_most(total: int, parts: int) -> None:
    shares = share_equally(total, parts)
    assert (sum(shares), len(shares)) == (total, parts)
    assert max(shares) - min(shares) <= 1


REFUSED = [
    "", " ", "abc", "1 ", " 1", "+1", "-1", "-0", "0", "0.0", "0.00000000", "1e2", "1E2", "1e400", "1e-9", "NaN", "nan",
    "Infinity", "-inf", "1,5", "1_000", "0x10", "1.", ".5", "1.123456789", "0.000000001", "10000000000.00000001",
    "99999999999", "9" * 400, "١", "1\n", "1\0", "１", "1.0.0",
    0, -1, 10**30, 10**10 + 1, 10**4000, True, False, None, [], {}, b"1",
    float("nan"), float("inf"), float("-inf"), 1e400, 1e-9, 0.1 + 0.2, -0.5, 0.0, 1e30,
    Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-1"), Decimal("0"), Decimal("-0"), Decimal("1e400"),
    Decimal("1e-400"), Decimal("1e400000000"), Decimal("1e-400000000"), Decimal("0.123456789"),
    Decimal("1." + "0" * 50 + "1"),
]  # fmt: skip


@pytest.mark.parametrize("value", REFUSED, ids=lambda value: repr(value)[:30])
def test_what_is_no_amount_is_refused_and_the_field_is_named(value: object) -> None:
    with pytest.raises(InvalidAmountError) as refusal:
        Amount.parse(value, field="price")
    assert set(refusal.value.fields) == {"price"}
    assert refusal.value.status == 422


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        ("96.0", "96.00000000"),
        (96.0, "96.00000000"),
        (100, "100.00000000"),
        (1e-07, "0.00000010"),
        (Decimal("1e2"), "100.00000000"),
        (Decimal("1.10000000000000000"), "1.10000000"),
        ("007", "7.00000000"),
        ("10000000000", "10000000000.00000000"),
        (0.29, "0.29000000"),
    ],
)
def test_what_is_an_amount_is_read_exactly(value: object, printed: str) -> None:
    assert str(Amount.parse(value)) == printed


def test_zero_is_read_only_where_it_is_allowed() -> None:
    assert Amount.parse("0", allow_zero=True) == ZERO
    assert Amount.parse(0, allow_zero=True) == ZERO
    assert not ZERO
    with pytest.raises(InvalidAmountError):
        Amount.parse("-1", allow_zero=True)


@given(units, units)
def test_sums_and_differences_are_exact_or_refused(a: int, b: int) -> None:
    if a + b <= LARGEST:
        assert (Amount(a) + Amount(b)).base_units == a + b
    else:
        with pytest.raises(InvalidAmountError):
            Amount(a) + Amount(b)
    if a >= b:
        assert (Amount(a) - Amount(b)).base_units == a - b
    else:
        with pytest.raises(InvalidAmountError):
            Amount(a) - Amount(b)
    assert (Amount(a) < Amount(b)) == (a < b)


@pytest.mark.parametrize("base_units", [-1, LARGEST + 1, 1.0, "1", True, None])
def test_an_amount_cannot_be_made_of_anything_but_base_units(base_units: object) -> None:
    with pytest.raises(InvalidAmountError):
        Amount(base_units)  # type: ignore[arg-type]


@given(st.integers(-MAX_BASE_UNITS, MAX_BASE_UNITS))
def test_a_difference_is_printed_with_its_sign(base_units: int) -> None:
    assert Decimal(format_signed(base_units)) == Decimal(base_units).scaleb(-8)
