"""Coins that the community fund sends to addresses which have no wallet here."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from tests.support.market import Market
from webapp.domain import accounts
from webapp.domain.exceptions import InvalidAddressError
from webapp.domain.money import Amount
from webapp.domain.roles import AT_TERMINAL
from webapp.ledger.journal import Move, post
from webapp.models import Payout, Wallet
from webapp.services.payouts import inspection
from webapp.services.payouts.operations import PayoutOperations
from webapp.services.solvency.publish import Publisher
from webapp.services.unit_of_work import unit_of_work


def give(market: Market, address: str, amount: str) -> Payout:
    """What an airdrop does for a node that is known by its address alone."""
    gift = Amount.parse(amount)
    with unit_of_work(market.session):
        payout = market.services.wallets(market.session).payouts.queue_gift(address, gift)
        assert payout is not None
        move = Move(accounts.FUND, accounts.PAYOUTS_IN_FLIGHT, gift)
        post(market.session, f"gift:{payout.id}", "airdrop", [move])
    return payout


@pytest.mark.settings(custody={"approval_above": 3})
def test_a_gift_is_paid_by_the_fund_and_goes_back_to_it(market: Market) -> None:
    market.deposit(market.payer, "300")
    market.release(market.escrow("200"))
    outside = market.chain.new_outside_address()
    sent, kept = give(market, outside, "2"), give(market, market.chain.new_outside_address(), "1.00000001")
    assert market.fund() == "6.99999999"
    assert [payout.status for payout in market.payouts()] == ["queued", "awaiting_approval"]

    with unit_of_work(market.session):  # somebody's frozen wallet has nothing to do with it
        market.session.execute(
            update(Wallet).where(Wallet.id == market.provider.wallet_id).values(is_frozen=True)
        )
    settings, daemon = market.services.settings, market.services.daemon
    market.settle()
    found = inspection.inspect(market.session, settings, inspection.get_payout(market.session, sent.id))
    assert (found.payout.status, found.is_frozen) == ("confirmed", False)
    assert found.payout.net is not None
    market.chain.sync()
    assert market.chain.miner.rpc("getreceivedbyaddress", outside, 1) == found.payout.net.decimal

    statement = Publisher(market.session, settings, daemon).publish()
    market.session.commit()
    assert statement.liabilities == Amount.parse("298").base_units, (
        "what waits for its approval is still the fund's"
    )
    PayoutOperations(market.session, settings, daemon, AT_TERMINAL).return_to_balance(
        kept.id, "not a node of ours"
    )
    assert market.fund() == "8.00000000"
    assert [payout.status for payout in market.payouts()] == ["confirmed", "failed"]


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_gift_that_cannot_arrive_is_not_begun(market: Market) -> None:
    queue = market.services.wallets(market.session).payouts
    with unit_of_work(market.session):
        assert queue.queue_gift(market.chain.new_outside_address(), Amount.parse("0.01")) is None
    with pytest.raises(InvalidAddressError), unit_of_work(market.session):
        queue.queue_gift("nowhere", Amount.parse(1))
    assert market.payouts() == []
