"""What a child must pay: in both dialects from the same answers, and never a unit too little."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.support.replay_daemon import load_exchanges
from webapp.domain.money import Amount
from webapp.models import ChainTransaction
from webapp.services.daemon.answers import Ancestry, Coin, OutPoint, read_ancestry
from webapp.services.payouts.fee_bump import CHILD_SIZE, Bumpable, next_rate, rate_of
from webapp.services.payouts.own_transactions import fee_of

FLOOR = Amount.parse("0.01")


def bumpable(fees: str, size: int) -> Bumpable:
    coin = Coin(OutPoint("ab" * 32, 1), Amount.parse("5"), 0, None)
    return Bumpable(ChainTransaction(), coin, Ancestry(1, size, Amount.parse(fees)), False)


def test_flopcoin_s_mempool_speaks_of_base_units_where_its_fee_is_in_flop() -> None:
    recorded = next(each for each in load_exchanges() if each["request"]["method"] == "getmempoolentry")
    answer = recorded["response"]["result"]
    assert read_ancestry(answer) == Ancestry(1, answer["size"], Amount.parse(Decimal(str(answer["fee"]))))


@pytest.mark.parametrize(("fees", "size"), [("0.00226", 226), ("0.34193", 34193), ("0.00001", 100_000)])
@pytest.mark.parametrize("rate", ["0.015", "0.02", "0.1"])
def test_parent_and_child_reach_the_rate_and_pay_hardly_more(fees: str, size: int, rate: str) -> None:
    found, wanted = bumpable(fees, size), Amount.parse(rate)
    fee = found.fee_for(wanted, FLOOR)
    reached = rate_of(Amount.parse(fees) + fee, size + CHILD_SIZE)
    assert reached >= wanted
    assert fee >= fee_of(CHILD_SIZE, FLOOR)
    assert reached == wanted or fee == fee_of(CHILD_SIZE, FLOOR)


def test_a_raise_is_a_step_that_counts_and_stays_within_the_settings() -> None:
    highest = Amount.parse("0.1")
    assert next_rate(FLOOR, FLOOR, highest) == Amount.parse("0.015")
    assert next_rate(FLOOR, Amount.parse("0.05"), highest) == Amount.parse("0.05")
    assert next_rate(Amount.parse("0.09"), FLOOR, highest) == highest
