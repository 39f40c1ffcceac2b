"""What one sweep takes: the largest coins, as many as a standard transaction and the fund can bear, never at a loss."""

from __future__ import annotations

import pytest

from webapp.config import WalletSettings
from webapp.domain.money import Amount
from webapp.services.custody.sweep import Piece, SweepRefusedError, plan_piece
from webapp.services.daemon.answers import Coin, OutPoint
from webapp.services.payouts.coin_choice import Prices

RICH = 10**12


def coins(*amounts: str) -> list[Coin]:
    return [
        Coin(OutPoint(f"{number:064x}", 0), Amount.parse(amount), 6, None)
        for number, amount in enumerate(amounts)
    ]


def plan(there: list[Coin], excess: str, *, fund: int = RICH, **wallet: object) -> Piece:
    settings = WalletSettings.model_validate(wallet)
    prices = Prices(settings.fee_rate_per_kb, settings)
    return plan_piece(there, Amount.parse(excess).base_units, prices, fund)


def test_the_fewest_coins_that_reach_the_excess_and_leave_change_that_is_no_dust() -> None:
    piece = plan(coins("1", "70", "0.00001", "30", "50"), "100")
    assert [str(coin.amount) for coin in piece.coins] == ["70.00000000", "50.00000000"]
    assert (str(piece.amount), str(piece.fee)) == ("100.00000000", "0.00374000")
    tight = plan(coins("70", "30"), "100")
    assert tight.amount + tight.fee + Amount.parse("0.01") == Amount.parse("100")


def test_a_piece_is_no_larger_than_nodes_pass_on_and_no_dearer_than_the_fund_can_bear() -> None:
    many = coins(*["1"] * 2000)
    piece = plan(many, "1500", max_fee_per_transaction="10")
    assert len(piece.coins) == 668  # 10 + 668 * 148 + 2 * 34 bytes
    assert piece.fee == Amount.parse("0.98942")
    assert len(plan(many, "1500", max_fee_per_transaction="0.1").coins) == 67
    assert len(plan(many, "1500", fund=1_000_000).coins) == 6


@pytest.mark.parametrize(
    ("there", "fund", "words"),
    [
        (coins("100"), 225_999, "has 0.00225999 FLOP"),
        (coins("100"), -5, "has 0.00000000 FLOP"),
        (coins("0.001", "0.00148"), RICH, "costs 0.00226000 FLOP or more"),
        (coins("0.022"), RICH, "not worth"),
        ([], RICH, "costs"),
    ],
)
def test_nothing_is_swept_at_a_loss(there: list[Coin], fund: int, words: str) -> None:
    with pytest.raises(SweepRefusedError, match=words):
        plan(there, "50", fund=fund)
