"""A wallet of very many small deposits, as faucets, pools and shops bring them."""

from __future__ import annotations

from tests.support.market import Market
from tests.support.people import Person
from webapp.domain.clock import utcnow
from webapp.models import DepositAddress
from webapp.services.unit_of_work import unit_of_work

COINS_OF_A_PAYMENT = 100
PAYMENTS_OF_A_BLOCK = 100


def give_small_coins(market: Market, person: Person, count: int, amount: str) -> None:
    """Let the person receive `count` deposits of `amount` each, and the worker credit them."""
    custody, miner = market.chain.custody, market.chain.miner
    addresses = [custody.rpc("getnewaddress", "", "legacy") for _ in range(min(count, COINS_OF_A_PAYMENT))]
    market.session.rollback()
    with unit_of_work(market.session):
        market.session.add_all(
            DepositAddress(
                address=address, purpose="wallet", wallet_id=person.wallet_id, assigned_at=utcnow()
            )
            for address in addresses
        )
    for number, start in enumerate(range(0, count, COINS_OF_A_PAYMENT), 1):
        chosen = addresses[: count - start]
        miner.rpc("sendmany", "", dict.fromkeys(chosen, amount))
        if number % PAYMENTS_OF_A_BLOCK == 0:
            market.chain.mine(1)
            market.work()
    market.chain.mine(market.services.settings.wallet.confirmations_required)
    market.work()
