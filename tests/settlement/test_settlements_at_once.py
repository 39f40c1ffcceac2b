"""Several settlements at the same moment, without the lease that normally keeps them apart: still one payment each."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import delete, update

from tests.support.market import Market
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import WalletIntegrationError
from webapp.domain.money import Amount
from webapp.models import ChainTransaction, ChainTransactionInput, Payout
from webapp.services.daemon.answers import OutPoint
from webapp.services.database import Session
from webapp.services.payouts import claims as payout_claims
from webapp.services.payouts.claims import claim_due
from webapp.services.payouts.transactions import InputsTakenError, SignedTransaction, store
from webapp.services.settlement import Settlement
from webapp.services.unit_of_work import unit_of_work


@pytest.mark.settings(wallet={"max_payouts_per_transaction": 2})
def test_four_settlements_at_once_pay_everyone_once(market: Market) -> None:
    for _ in range(4):
        market.deposit(market.payer, "25")
    for _ in range(12):
        market.withdraw(market.payer, market.chain.new_outside_address(), "2")
    start = threading.Barrier(4)

    def settle(_: int) -> None:
        with Session(market.services.settings) as session:
            settlement = Settlement(session, market.services.settings, market.services.daemon)
            start.wait()
            try:
                settlement.run()
            except WalletIntegrationError:
                session.rollback()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(settle, range(4)))
    for _ in range(6):
        make_due(market)
        market.work()
        market.chain.mine(2)
    market.work()
    payouts = market.payouts()
    assert [payout.status for payout in payouts] == ["confirmed"] * 12
    for payout in payouts:
        assert market.chain.received(payout.address) == str(payout.net)
    assert market.balances(market.payer) == ("76.00000000", "0.00000000")


def make_due(market: Market) -> None:
    """Let the pause before the next attempt be over."""
    market.session.rollback()
    with unit_of_work(market.session):
        market.session.execute(update(Payout).values(next_attempt_at=Payout.created_at))


def test_a_worker_that_was_too_slow_finds_its_claim_gone_and_sends_nothing(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.deposit(market.payer, "100")
    outside = market.chain.new_outside_address()
    market.withdraw(market.payer, outside, "5")
    slow = Settlement(market.session, market.services.settings, market.services.daemon)
    settings = market.services.settings
    real = market.services.daemon.sign

    def take_over_first(transaction_hex: str) -> str:
        signed = real(transaction_hex)
        monkeypatch.undo()
        with Session(settings) as session:
            with unit_of_work(session):
                session.execute(update(Payout).values(claimed_until=utcnow()))
            assert payout_claims.release_abandoned(session) == 1
            claim = claim_due(session, settings.wallet)
            assert len(claim.payouts) == 1
            seen.append(claim.token)
        return signed

    seen: list[str] = []
    monkeypatch.setattr(market.services.daemon, "sign", take_over_first)
    slow.run()
    (payout,) = market.payouts()
    assert (payout.status, payout.claim_token) == ("claimed", seen[0]), "the other's claim stands"
    assert market.chain.custody.rpc("listlockunspent") == []
    with Session(settings) as session, unit_of_work(session):
        session.execute(update(Payout).values(claimed_until=utcnow()))
    market.settle()
    assert [each.status for each in market.payouts()] == ["confirmed"]
    assert market.chain.received(outside) == str(market.payouts()[0].net)


def test_of_two_transactions_built_from_the_same_coins_at_once_only_one_is_stored(market: Market) -> None:
    signed = SignedTransaction(
        "11" * 32, "00", Amount(1), 200, None, (OutPoint("22" * 32, 0), OutPoint("33" * 32, 1)), "44" * 32
    )
    is_stored, may_commit = threading.Event(), threading.Event()

    def store_slowly() -> None:
        with Session(market.services.settings) as session:
            with unit_of_work(session):
                store(session, signed, "payouts")
                is_stored.set()
                may_commit.wait(10)
            ended.append("stored")

    def store_too() -> None:
        with Session(market.services.settings) as session:
            try:
                with unit_of_work(session):
                    store(session, replace(signed, txid="55" * 32, inputs=signed.inputs[:1]), "merge")
            except InputsTakenError:
                ended.append("refused")

    ended: list[str] = []
    with ThreadPoolExecutor(2) as threads:
        threads.submit(store_slowly)
        assert is_stored.wait(10)
        second = threads.submit(store_too)
        time.sleep(0.2)
        assert not second.done(), "it waits for the first one"
        may_commit.set()
    assert ended == ["stored", "refused"]
    market.session.execute(delete(ChainTransactionInput))
    market.session.execute(delete(ChainTransaction))
    market.session.commit()
