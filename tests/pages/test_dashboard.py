"""The first page: guides the newcomer, tells what is asked of whom, and shows operators the state of things."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.pages.conftest import logged_in
from tests.support.browsing import Browser
from tests.support.money import credit
from tests.support.people import RESULT_HASH, Pair, make_escrow, make_person, manager, signature
from webapp.domain.money import Amount
from webapp.models import Alert
from webapp.services import worker_tasks
from webapp.services.payouts import halts as payout_halts
from webapp.services.unit_of_work import unit_of_work

ADDRESS = "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"


def test_a_new_payer_is_led_to_a_deposit_and_then_to_an_escrow(app: Flask, session, services) -> None:
    person = make_person(session, services)
    browser = logged_in(app, person)
    assert "Show my deposit address" in browser.get("/").text

    credit(session, person.wallet_id, "10")
    page = browser.get("/").text
    assert "Your coins have arrived." in page
    assert "Show my deposit address" not in page
    assert "Create your first escrow" in page


def test_a_new_provider_is_told_the_number_to_give_away(app: Flask, session, services) -> None:
    person = make_person(session, services, "provider")
    page = logged_in(app, person).get("/").text

    assert "Give your wallet number to the payer" in page
    assert f'<strong class="step-number">{person.wallet_id}</strong>' in page
    assert "Make a key" in page


def test_each_side_is_told_what_is_asked_of_it(
    payer: Browser, provider: Browser, pair: Pair, session, services
) -> None:
    escrow = make_escrow(session, services, pair)
    assert "First steps" not in payer.get("/").text
    assert f"A result of wallet {pair.provider.wallet_id}" in payer.get("/").text
    assert "Deliver a result" in provider.get("/").text

    manager(session, services, pair.provider).deliver_escrow(escrow.id, RESULT_HASH, signature(pair, escrow))
    assert "Check a result and release" in payer.get("/").text
    assert "Deliver a result" not in provider.get("/").text


def test_operators_see_the_state_of_things_and_nobody_else_does(
    visitors: dict[str, Browser], pair: Pair, session, services
) -> None:
    services.wallets(session).payouts.withdraw(pair.payer.wallet_id, ADDRESS, Amount.parse("40"))
    worker_tasks.take(session, "deposits")
    worker_tasks.finish(session, "deposits", "The coin daemon at 10.1.2.3 is out of reach")
    with unit_of_work(session):
        payout_halts.halt(session, "integrity", "1.00000000 FLOP less than there must be")
        session.add(Alert(kind="deposit_lost", subject="x", detail="wallet 9 had spent it"))

    page = visitors["operator"].get("/").text
    for words in (
        "10.1.2.3",
        "Payouts are halted: integrity",
        "Deposit lost",
        "wallet 9 had spent it",
        "Queued",
    ):
        assert words in page, words
    for name in ("payer", "provider", "other", "arbiter"):
        other = visitors[name].get("/").text
        assert "10.1.2.3" not in other, name
        assert "integrity" not in other, name
        assert "Deposit lost" not in other, name


@pytest.mark.parametrize("role", ["operator", "arbiter"])
def test_staff_is_not_asked_to_deposit(app: Flask, session, services, role: str) -> None:
    assert "First steps" not in logged_in(app, make_person(session, services, role)).get("/").text


def test_the_fund_tells_its_figures_and_how_it_works(payer: Browser, pair: Pair, session, services) -> None:
    escrow = make_escrow(session, services, pair)
    manager(session, services, pair.provider).deliver_escrow(escrow.id, RESULT_HASH, signature(pair, escrow))
    manager(session, services, pair.payer).release_escrow(escrow.id)
    services.fund_manager(session).record_figures()

    page = payer.get("/fund").text

    assert "5.00000000 of 100.00000000\u00a0FLOP" in page
    assert "95.00000000\u00a0FLOP more, and it is given back" in page
    assert "5\u00a0% of its amount comes here" in page
    assert page.count('role="rowheader"') == 2  # the hour's record and this moment, behind the chart
