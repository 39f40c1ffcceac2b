"""Named points before and after every step that moves coins: where a test stops a worker for ever.

Nothing is armed in production, and nothing in the settings can arm anything: a point costs one look at a variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum


class Step(StrEnum):
    """The steps of settlement, deposits, airdrops and what follows them. Each has a point before and one after it."""

    PAYOUTS_LOCK = "payouts.lock"
    PAYOUTS_CLAIM = "payouts.claim"
    PAYOUTS_FUND = "payouts.fund"
    PAYOUTS_SIGN = "payouts.sign"
    PAYOUTS_STORE = "payouts.store"
    PAYOUTS_PUT_BACK = "payouts.put_back"
    PAYOUTS_GIVE_BACK = "payouts.give_back"
    WALLET_OPEN = "wallet.open"
    WALLET_LOCK = "wallet.lock"
    TRANSACTION_SEND = "transaction.send"
    TRANSACTION_MARK = "transaction.mark"
    TRANSACTION_DEPTH = "transaction.depth"
    TRANSACTION_ADOPT = "transaction.adopt"
    TRANSACTION_REPLACE = "transaction.replace"
    TRANSACTION_SETTLE = "transaction.settle"
    TRANSACTION_CONFIRM = "transaction.confirm"
    TRANSACTION_REOPEN = "transaction.reopen"
    OWN_BUILD = "own.build"
    OWN_STORE = "own.store"
    DEPOSITS_LIST = "deposits.list"
    DEPOSITS_RECORD = "deposits.record"
    DEPOSITS_CREDIT = "deposits.credit"
    DEPOSITS_TAKE_BACK = "deposits.take_back"
    DEPOSITS_CURSOR = "deposits.cursor"
    AIRDROP_STORE = "airdrop.store"
    AIRDROP_POST = "airdrop.post"
    AIRDROP_SHARES = "airdrop.shares"
    AIRDROP_FINISH = "airdrop.finish"


POINTS = tuple(f"{step}:{side}" for step in Step for side in ("before", "after"))

_hook: Callable[[str], None] | None = None


def arm(hook: Callable[[str], None] | None) -> None:
    """Have `hook` called with the name of every point that is reached; None disarms."""
    global _hook  # noqa: PLW0603  (one variable is what makes an unarmed point free)
    _hook = hook


@contextmanager
def step(name: Step) -> Iterator[None]:
    """The points around a step; the second one is reached when the step has succeeded."""
    if _hook is None:
        yield
        return
    _hook(f"{name}:before")
    yield
    _hook(f"{name}:after")
