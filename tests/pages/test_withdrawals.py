"""A withdrawal before it is asked for: what the form says of fee, batch and limits, with script and without."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import func, select

from tests.support.browsing import Browser
from tests.support.money import balances, credit
from tests.support.people import Pair
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.models import DaemonFigures, Payout
from webapp.services import worker_tasks
from webapp.services.unit_of_work import unit_of_work

ADDRESS = "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"


@pytest.fixture(autouse=True)
def _chain_in_reach(session) -> None:
    worker_tasks.take(session, "deposits")
    worker_tasks.finish(session, "deposits")


def _preview(browser: Browser, amount: str) -> str:
    response = browser.get(f"/wallet/withdraw/preview?amount={amount}", htmx=True)
    assert response.status_code == 200
    return response.text


def test_while_an_amount_is_typed_its_fee_is_shown(payer: Browser, session) -> None:
    shown = _preview(payer, "50")
    assert 'id="withdraw-preview"' in shown
    for amount in ("50.00000000", "0.00226000", "49.99774000"):
        assert f'value="{amount}"' in shown
    assert "never more than 0.05" in shown
    assert "at least 49.95" in shown
    assert "leaves with the next batch" in shown
    for unfinished in ("", "12.", "abc", "-1"):
        assert "at most 0.05" in _preview(payer, unfinished)

    with unit_of_work(session):
        session.add(
            DaemonFigures(
                id=1,
                balance=Amount.parse(1000),
                immature_balance=Amount(0),
                coins=200,
                block_height=9,
                headers=9,
                fee_rate=Amount.parse("0.02"),
                recorded_at=utcnow(),
            )
        )
    assert 'value="0.03116000"' in _preview(payer, "50"), "ten coins of five, at twice the rate"
    assert 'value="0.05000000"' in _preview(payer, "500"), "never more than the maximum"


def test_what_stands_in_the_way_is_said_before_it_is_tried(payer: Browser) -> None:
    assert "At least 0.06000000 FLOP can be sent" in _preview(payer, "0.04")
    assert "Only 1000.00000000 FLOP is available" in _preview(payer, "1000.1")


@pytest.mark.settings(custody={"daily_withdrawal_limit": "100", "approval_above": "40"})
def test_limits_and_approvals_are_said_before(payer: Browser) -> None:
    assert "You may withdraw up to 100.00" in _preview(payer, "30")
    assert "operator must approve" not in _preview(payer, "30")
    assert "operator must approve" in _preview(payer, "41")
    assert "Only 100.00000000 FLOP is left of the 100.00000000 FLOP" in _preview(payer, "101")


@pytest.mark.settings(wallet={"fee_paid_by": "fund", "batch_min_payouts": 3})
def test_who_pays_and_what_a_payout_waits_for_is_said(payer: Browser, pair: Pair, session, services) -> None:
    shown = _preview(payer, "50")
    assert "the community fund pays it" in shown
    assert "2 more payouts are asked for. At the latest it is in 10 minutes." in shown

    payout = services.wallets(session).payouts.withdraw(pair.payer.wallet_id, ADDRESS, Amount.parse(1))
    page = payer.get(f"/wallet/payouts/{payout.id}").text
    assert "2 more payouts are asked for" in page
    assert "1 more payout is asked for" in _preview(payer, "50")


def test_without_script_a_button_shows_the_figures_and_moves_nothing(
    payer: Browser, pair: Pair, session
) -> None:
    assert '<noscript><button type="submit" class="secondary" name="preview"' in payer.get("/wallet").text
    data = {"idempotency_key": uuid.uuid4().hex, "address": ADDRESS, "amount": "50"}

    shown = payer.post("/wallet/withdraw", data | {"preview": "yes"})

    assert shown.status_code == 200
    for text in (f'value="{ADDRESS}"', 'value="50"', 'value="49.99774000"'):
        assert text in shown.text
    assert session.execute(select(func.count()).select_from(Payout)).scalar_one() == 0
    assert balances(session, pair.payer.wallet_id) == ("1000.00000000", "0.00000000")
    assert payer.post("/wallet/withdraw", data).status_code == 303, "the same form, pressed in earnest"
    refused = payer.post("/wallet/withdraw", data | {"amount": "5000", "idempotency_key": uuid.uuid4().hex})
    assert refused.status_code == 422
    assert "Only 950.00000000 FLOP is available" in refused.text


def test_the_preview_is_the_owners(provider: Browser, pair: Pair) -> None:
    path = f"/wallet/withdraw/preview?wallet={pair.payer.wallet_id}&amount=1"
    assert provider.get(path).status_code == 404


def test_a_balance_too_small_to_be_sent_says_that_it_stays(provider: Browser, pair: Pair, session) -> None:
    assert "stays here" not in provider.get("/wallet").text
    credit(session, pair.provider.wallet_id, "0.04")
    for path, htmx in (("/wallet", False), ("/wallet/movements", True)):
        shown = provider.get(path, htmx=htmx).text
        assert "0.04000000\u00a0FLOP stays here until it is at least 0.06000000\u00a0FLOP" in shown
    credit(session, pair.provider.wallet_id, "0.02")
    assert "stays here" not in provider.get("/wallet").text
