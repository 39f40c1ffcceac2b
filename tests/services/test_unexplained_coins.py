"""Coins at addresses that nobody was given: found, told apart from our own, and given to whom an operator names."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from tests.support.market import Market
from tests.support.people import make_person
from webapp.domain.exceptions import NotFoundError, ValidationError
from webapp.models import Deposit, DepositAddress, UnexplainedCoin
from webapp.services import operator_actions, reconciliation, unexplained_coins
from webapp.services.unexplained_coins import CoinStateError


def coins(market: Market) -> list[UnexplainedCoin]:
    """Every listed coin, the first one first."""
    market.session.rollback()
    statement = select(UnexplainedCoin).order_by(UnexplainedCoin.id)
    found = list(market.session.scalars(statement.execution_options(populate_existing=True)))
    market.session.commit()
    return found


def told(market: Market) -> list[tuple[str, str]]:
    return [(str(coin.amount), coin.status) for coin in coins(market)]


def rest(market: Market) -> tuple[int, int]:
    """(unexplained, what no listed coin explains) at the last block."""
    row = reconciliation.latest(market.session)
    assert row is not None
    found = unexplained_coins.explain(market.session, row.unexplained)
    market.session.rollback()
    return found.unexplained, found.rest


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
def test_a_coin_nobody_asked_for_is_listed_assigned_and_credited_once(market: Market) -> None:
    operator = make_person(market.session, market.services, "operator").actor
    custody = market.chain.custody
    market.deposit(market.payer, "10")
    market.withdraw(market.payer, market.chain.new_outside_address(), "1")
    market.work()  # our own change came from nobody
    unknown = custody.rpc("getrawchangeaddress", "legacy")
    txid = market.chain.deposit(unknown, "3", 1)
    market.chain.deposit(unknown, "0.5", 1)
    market.work()

    first = coins(market)[0]
    assert (first.txid, first.address, str(first.amount), first.confirmations) == (
        txid,
        unknown,
        "3.00000000",
        2,
    )
    assert told(market) == [("3.00000000", "open"), ("0.50000000", "open")]
    assert market.alerts() == ["unexplained_coins"]
    assert rest(market) == (350_000_000, 0)

    with pytest.raises(ValidationError):
        unexplained_coins.assign_to_wallet(market.session, operator, first.id, 10**6)
    with pytest.raises(NotFoundError):
        unexplained_coins.mark_as_ours(market.session, operator, 10**6)
    for _ in range(2):
        unexplained_coins.assign_to_wallet(market.session, operator, first.id, market.provider.wallet_id)
    with pytest.raises(CoinStateError):
        unexplained_coins.assign_to_wallet(market.session, operator, first.id, market.payer.wallet_id)
    with pytest.raises(CoinStateError):
        unexplained_coins.mark_as_ours(market.session, operator, first.id)
    assert market.balances(market.provider) == ("0.00000000", "0.00000000")
    assert [coin.status for coin in coins(market)] == ["assigned", "assigned"]
    assert len(operator_actions.of_subject(market.session, f"coin:{txid}:{first.vout}")) == 1
    assert market.address_of(market.provider) != unknown

    for _ in range(2):
        market.chain.mine()
        market.work()
    assert market.balances(market.provider) == ("3.50000000", "0.00000000")
    deposits = select(func.count()).select_from(Deposit)
    assert market.session.execute(deposits).scalar_one() == 3
    market.session.commit()
    # Who was sent coins at that address by mistake may be sent more.
    market.chain.deposit(unknown, "4", 2)
    market.work()
    assert len(coins(market)) == 2
    assert market.balances(market.provider) == ("7.50000000", "0.00000000")


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_an_operator_s_own_coin_explains_itself_and_a_coin_the_chain_undid_is_gone(market: Market) -> None:
    operator = make_person(market.session, market.services, "operator").actor
    market.work()
    stock = market.session.scalars(
        select(DepositAddress.address).where(DepositAddress.purpose == "stock").limit(1)
    ).first()
    market.session.commit()
    assert stock
    market.chain.deposit(stock, "5", 1)
    market.work()
    (coin,) = coins(market)
    assert told(market) == [("5.00000000", "open")]
    assert rest(market) == (5 * 10**8, 0)
    # Nobody will be given an address that has somebody else's coins.
    assert market.session.get(DepositAddress, stock, populate_existing=True) is None

    market.chain.reorganise(1)
    market.work()
    assert told(market) == [("5.00000000", "gone")]
    with pytest.raises(CoinStateError):
        unexplained_coins.mark_as_ours(market.session, operator, coin.id)
    market.chain.mine()
    market.work()
    assert told(market) == [("5.00000000", "open")]

    for _ in range(2):
        unexplained_coins.mark_as_ours(market.session, operator, coin.id)
    market.chain.mine()
    market.work()
    assert told(market) == [("5.00000000", "ours")]
    assert rest(market) == (5 * 10**8, 0)
    assert len(operator_actions.of_subject(market.session, f"coin:{coin.txid}:{coin.vout}")) == 1
    market.session.commit()

    # What the operator moves by hand, and its change, came from nobody; only its fee is missing from their coin.
    custody = market.chain.custody
    custody.rpc("sendtoaddress", custody.rpc("getnewaddress", "", "legacy"), "2")
    market.chain.mine()
    market.work()
    assert told(market) == [("5.00000000", "ours")]
    assert rest(market)[1] < 0 < rest(market)[0]
    outside, everything = market.chain.new_outside_address(), custody.rpc("getbalance")
    custody.rpc("sendtoaddress", outside, f"{everything:.8f}", "", "", True)
    market.chain.mine()
