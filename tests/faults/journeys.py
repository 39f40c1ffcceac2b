"""What a market in trouble goes through. Together the journeys make every call to the daemon that settlement makes.

A journey asserts nothing: the trouble stops it where it does, and the market has to be well again afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from tests.support.fault_proxy import Trouble
from tests.support.people import make_person
from webapp.models import ChainTransaction

if TYPE_CHECKING:
    from tests.faults.troubled import TroubledMarket


@dataclass(frozen=True)
class Journey:
    """`prepare` happens before the trouble begins, `live` in the middle of it."""

    name: str
    prepare: Callable[[TroubledMarket], None]
    live: Callable[[TroubledMarket], None]


def _arrive(market: TroubledMarket) -> None:
    """A payout is asked for, a deposit is in the mempool, and a new account has taken an address."""
    market.withdraw()
    market.deposit()
    newcomer = make_person(market.market.session, market.market.services)
    market.market.address_of(newcomer)


def _pay_and_merge(market: TroubledMarket) -> None:
    is_merged = False
    for _ in range(3):
        market.round()
        is_merged = is_merged or market.merge()
        market.chain.mine(1)


def _undo_a_block(market: TroubledMarket) -> None:
    """The block with the payout and the deposit is undone, and both are in a later one."""
    market.round()
    market.chain.mine(1)
    market.round()
    market.chain.reorganise(1)
    market.round()
    market.chain.mine(1)
    market.round()


def _sign_without_network(market: TroubledMarket) -> None:
    """The payout's transaction is stored, and the network has never heard of it."""
    market.withdraw()
    market.proxy.strike("sendrawtransaction", Trouble.REQUEST_LOST, times=None)
    market.round()
    market.proxy.heal()


def _cancel(market: TroubledMarket) -> None:
    """Another transaction takes its coins, and the payout goes out again."""
    session = market.market.session
    parent = session.scalars(select(ChainTransaction).where(ChainTransaction.status == "unknown")).one()
    is_cancelled = False
    for _ in range(4):
        is_cancelled = is_cancelled or market.cancel(parent)
        market.round()
        market.chain.mine(1)


ORDINARY_DAYS = Journey("ordinary days", _arrive, _pay_and_merge)
UNDONE_BLOCK = Journey("an undone block", _arrive, _undo_a_block)
CANCELLED_PAYMENT = Journey("a cancelled payment", _sign_without_network, _cancel)
JOURNEYS = (ORDINARY_DAYS, UNDONE_BLOCK, CANCELLED_PAYMENT)
