"""How an escrow ends, in the browser: tried out while it is typed, agreed, and brought about."""

from __future__ import annotations

import hashlib
import html
import uuid
from datetime import timedelta

import pytest
import time_machine

from tests.support.browsing import Browser
from tests.support.money import balances
from tests.support.people import RESULT_HASH, Pair, make_escrow, manager, signature
from webapp.domain.clock import utcnow
from webapp.domain.terms import presets
from webapp.models import Escrow
from webapp.services.container import Services

SECRET = "open sesame"
SHA256 = hashlib.sha256(SECRET.encode()).hexdigest()


def _press(browser: Browser, escrow: Escrow, action: str, htmx: bool = False, **fields: object):
    data = {"idempotency_key": uuid.uuid4().hex, "seen": escrow.status} | fields
    return browser.post(f"/escrows/{escrow.id}/{action}", data, htmx=htmx)


def _page(browser: Browser, escrow: Escrow) -> str:
    return html.unescape(browser.get(f"/escrows/{escrow.id}").text)


def _now(session, escrow: Escrow) -> Escrow:
    session.rollback()
    return session.get_one(Escrow, escrow.id, populate_existing=True)


@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_each_side_reads_what_is_missing_and_the_payer_approves(
    payer: Browser, provider: Browser, pair: Pair, session, services: Services, htmx: bool
) -> None:
    escrow = make_escrow(session, services, pair, terms=presets.auto_refund(utcnow() + timedelta(hours=5)))
    for browser, sentence in ((payer, "you are refunded"), (provider, "you are paid")):
        page = _page(browser, escrow)
        assert sentence in page and "By this time at the latest" in page
        assert "Release without a delivery" not in page
    assert "Approve the result" not in _page(provider, escrow)
    response = _press(payer, escrow, "approve", htmx)
    assert response.status_code == (200 if htmx else 303)
    page = _page(payer, escrow)
    assert "Approve the result" not in page and "The payer says that the result is good." in page
    assert _press(payer, escrow, "approve", htmx).status_code in (409, 422)
    manager(session, services, pair.provider).deliver_escrow(escrow.id, RESULT_HASH, signature(pair, escrow))
    assert _now(session, escrow).status == "released"
    assert "Released" in _page(payer, escrow)


def test_a_secret_is_revealed_as_it_was_typed_and_a_wrong_one_is_refused_beside_its_field(
    payer: Browser, provider: Browser, pair: Pair, session, services: Services
) -> None:
    terms = presets.hash_lock(SHA256, utcnow() + timedelta(hours=5))
    escrow = make_escrow(session, services, pair, terms=terms)
    wrong = _press(provider, escrow, "reveal", secret="open barley")
    assert wrong.status_code == 422 and "Is not the secret that the terms ask for" in wrong.text
    assert _press(provider, escrow, "reveal", secret=SECRET).status_code == 303
    assert _now(session, escrow).status == "released"
    assert SECRET.encode().hex() in _page(payer, escrow)


def test_whoever_comes_too_late_finds_what_was_decided(
    payer: Browser, pair: Pair, session, services: Services
) -> None:
    refund_at = utcnow() + timedelta(minutes=2)
    escrow = make_escrow(session, services, pair, terms=presets.auto_refund(refund_at))
    with time_machine.travel(refund_at, tick=False):
        late = _press(payer, escrow, "approve")
    assert late.status_code == 409 and "the escrow is refunded by now" in late.text
    assert balances(session, pair.payer.wallet_id) == ("1000.00000000", "0.00000000")


def test_an_open_page_is_brought_what_has_come_to_hold(
    payer: Browser, pair: Pair, session, services: Services
) -> None:
    escrow = make_escrow(session, services, pair, terms=presets.auto_refund(utcnow() + timedelta(hours=5)))
    seen = f"/escrows/{escrow.id}/timeline?seen=active"
    assert 'id="escrow-conditions"' in payer.get(f"{seen}&terms=old", htmx=True).text


def test_an_escrow_with_the_usual_terms_tells_how_it_ends(
    payer: Browser, pair: Pair, session, services: Services
) -> None:
    escrow = make_escrow(session, services, pair)
    page = _page(payer, escrow)
    assert "If nothing happens, you are refunded on" in page
    manager(session, services, pair.provider).deliver_escrow(escrow.id, RESULT_HASH, signature(pair, escrow))
    page = _page(payer, escrow)
    assert f"If nothing happens, wallet {pair.provider.wallet_id} is paid on" in page
