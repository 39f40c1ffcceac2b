"""One life of everything that moves coins, in which workers die at point after point before a round is finished.

Each worker finds what the dead ones before it have left, and gets as far as the point that it dies at.
"""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

from tests.faults import situations
from tests.faults.points import GENEROUS, SITUATIONS
from tests.faults.scenario import come_to_rest
from tests.faults.situations import Situation, die, leave_open
from tests.support.market import Market
from webapp.domain.failpoints import POINTS, Step


class Stage(NamedTuple):
    """What happens, and the points that workers come to by that, in their order."""

    situation: Situation
    points: tuple[str, ...]
    begins_at_rest: bool = False


def _sides(*steps: Step) -> tuple[str, ...]:
    return tuple(f"{step}:{side}" for step in steps for side in ("before", "after"))


def _around(outer: Step, *inner: Step) -> tuple[str, ...]:
    return (f"{outer}:before", *_sides(*inner), f"{outer}:after")


def _one_more_block(market: Market) -> None:
    market.chain.mine(1)


def _two_blocks_undone(market: Market) -> None:
    market.work()  # One round is finished, after all: what is to be undone must have been done.
    market.chain.reorganise(2)


def _sent_and_two_blocks_more(market: Market) -> None:
    market.work()
    market.chain.mine(2)


STAGES = (
    Stage(
        Situation(situations.payouts_wait),
        (
            *_sides(Step.PAYOUTS_LOCK, Step.PAYOUTS_CLAIM, Step.PAYOUTS_FUND, Step.PAYOUTS_PUT_BACK),
            *_sides(Step.PAYOUTS_SIGN, Step.PAYOUTS_STORE, Step.TRANSACTION_SEND, Step.TRANSACTION_MARK),
        ),
    ),
    Stage(Situation(_one_more_block), _sides(Step.TRANSACTION_DEPTH)),
    Stage(Situation(_one_more_block), _around(Step.TRANSACTION_CONFIRM, Step.TRANSACTION_SETTLE)),
    Stage(Situation(_two_blocks_undone), _sides(Step.TRANSACTION_REOPEN)),
    Stage(
        Situation(situations.deposits_mined),
        (
            *_sides(Step.DEPOSITS_LIST),
            *_around(Step.DEPOSITS_RECORD, Step.DEPOSITS_CREDIT),
            *_sides(Step.DEPOSITS_CURSOR),
        ),
        begins_at_rest=True,
    ),
    Stage(Situation(_two_blocks_undone), _sides(Step.DEPOSITS_TAKE_BACK)),
    Stage(SITUATIONS[Step.PAYOUTS_GIVE_BACK], _sides(Step.PAYOUTS_GIVE_BACK), begins_at_rest=True),
    Stage(SITUATIONS[Step.TRANSACTION_ADOPT], _sides(Step.TRANSACTION_ADOPT)),
    Stage(SITUATIONS[Step.TRANSACTION_REPLACE], _sides(Step.TRANSACTION_REPLACE), begins_at_rest=True),
    Stage(
        SITUATIONS[Step.AIRDROP_STORE],
        _sides(Step.AIRDROP_STORE, Step.AIRDROP_POST, Step.AIRDROP_SHARES),
        begins_at_rest=True,
    ),
    Stage(Situation(_sent_and_two_blocks_more), _sides(Step.AIRDROP_FINISH)),
    Stage(SITUATIONS[Step.OWN_BUILD], _sides(Step.OWN_BUILD, Step.OWN_STORE), begins_at_rest=True),
    # Whoever dies with the wallet open leaves it so for a while.
    *(
        Stage(SITUATIONS[Step.WALLET_OPEN], (point,), begins_at_rest=True)
        for point in _sides(Step.WALLET_OPEN, Step.WALLET_LOCK)
    ),
)
SETTINGS = {**SITUATIONS[Step.WALLET_OPEN].everybodys, **GENEROUS}


def live(market: Market, points: Container[str] = POINTS) -> int:
    """Go through all stages, dying at those of the points; how many workers died. The market needs `SETTINGS`."""
    deaths = 0
    for stage in STAGES:
        if stage.begins_at_rest:
            come_to_rest(market)
        stage.situation.prepare(market)
        for point in stage.points:
            if point in points:
                die(market, point, stage.situation)
                deaths += 1
    come_to_rest(market)
    assert market.chain.custody.rpc("listlockunspent") == [], "coins stayed locked"
    assert market.halts() == []
    leave_open(market)
    return deaths
