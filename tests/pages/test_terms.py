"""How an escrow ends, in the browser: tried out while it is typed, agreed, and brought about."""

from __future__ import annotations

import hashlib
import html
import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from tests.support.browsing import Browser
from tests.support.money import balances
from tests.support.people import RESULT_HASH, Pair, make_escrow, make_node, manager, signature
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
    assert "Waits for your approval" not in payer.get("/").text, "nothing is delivered yet"
    response = _press(payer, escrow, "approve", htmx)
    assert response.status_code == (200 if htmx else 303)
    page = _page(payer, escrow)
    assert "Approve the result" not in page and "The payer says that the result is good." in page
    assert _press(payer, escrow, "approve", htmx).status_code in (409, 422)
    manager(session, services, pair.provider).deliver_escrow(escrow.id, RESULT_HASH, signature(pair, escrow))
    assert _now(session, escrow).status == "released"
    assert "Released" in _page(payer, escrow)


def test_the_dashboard_says_what_waits_for_an_approval(
    payer: Browser, provider: Browser, pair: Pair, session, services: Services
) -> None:
    terms = presets.auto_refund(utcnow() + timedelta(hours=5))
    escrow = make_escrow(session, services, pair, terms=terms)
    manager(session, services, pair.provider).deliver_escrow(escrow.id, RESULT_HASH, signature(pair, escrow))
    assert "Waits for your approval" in payer.get("/").text
    assert "Waits for your approval" not in provider.get("/").text
    manager(session, services, pair.payer).terms.approve(escrow.id)
    assert "Waits for your approval" not in payer.get("/").text


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


def _typed(pair: Pair, **over: object) -> dict[str, object]:
    return {
        "idempotency_key": uuid.uuid4().hex,
        "payer_wallet_id": pair.payer.wallet_id,
        "provider_wallet_id": pair.provider.wallet_id,
        "amount": "100",
        "service_name": "gpu-render",
        "task_id": "scene 7",
    } | over


SOON, LATER = ((utcnow() + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M") for days in (2, 5))
OWN = {"release_when": {"payer_approves": True}, "refund_when": {"after": {"hours": 9, "since": "creation"}}}


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ({}, "If the provider delivers a result before"),
        ({"ending": "usual", "expires_at": SOON}, "If nothing happens, you are refunded on"),
        ({"ending": "bounds", "not_before": SOON, "not_after": LATER}, "you are refunded on"),
        ({"ending": "release_at", "ends_at": SOON}, "If nothing happens, the provider is paid on"),
        ({"ending": "refund_at", "ends_at": SOON}, "you approve the result"),
        ({"ending": "secret", "ends_at": SOON, "secret_hash": SHA256}, "the provider is paid at once"),
        ({"ending": "nodes", "ends_at": SOON, "nodes": "{nodes}"}, "deliver the same result"),
        ({"ending": "own", "terms": json.dumps(OWN)}, "the provider is paid at once"),
    ],
    ids=lambda value: value.get("ending", "nothing") if isinstance(value, dict) else "",
)
def test_what_is_chosen_is_tried_out_as_it_is_typed_and_then_agreed(
    payer: Browser, pair: Pair, session, services: Services, chosen: dict[str, str], sentence: str
) -> None:
    nodes = [make_node(session, services, pair.provider).node.id for _ in range(2)]
    typed = _typed(pair, **{name: text.replace("{nodes}", "\n".join(nodes)) for name, text in chosen.items()})
    preview = payer.post("/escrows/ending", typed, htmx=True)
    assert preview.status_code == 200 and sentence in html.unescape(preview.text)
    page = payer.post("/escrows/new", typed)
    assert page.status_code == 200 and sentence in html.unescape(page.text)
    assert 'value="scene 7"' in page.text
    assert session.scalars(select(Escrow)).all() == []
    session.rollback()

    made = payer.post("/escrows", typed)
    assert made.status_code == 303, made.text
    escrow = session.scalars(select(Escrow)).one()
    assert escrow.has_own_terms is (chosen.get("ending", "usual") != "usual")
    assert "How it ends" in _page(payer, escrow)
    if escrow.has_own_terms:
        again = html.unescape(payer.get(f"/escrows/new?repeat={escrow.id}").text)
        assert '"release_when"' in again and "What happens then" in again


@pytest.mark.parametrize(
    ("chosen", "field", "message"),
    [
        ({"ending": "refund_at"}, "ends_at", "Is needed"),
        ({"ending": "refund_at", "ends_at": "2001-01-01T00:00"}, "ends_at", "Must be in the future"),
        ({"ending": "secret", "ends_at": SOON, "secret_hash": "abc"}, "secret_hash", "Must be a SHA-256"),
        ({"ending": "nodes", "ends_at": SOON, "nodes": "nobody yet"}, "nodes", "There is no active node"),
        ({"ending": "verifier", "ends_at": SOON}, "verifier_key_id", "Is needed: the terms ask"),
        ({"ending": "own", "terms": "{"}, "terms", "Must be JSON"),
        (
            {"ending": "own", "terms": '{"release_when": {"payer_approves": true}}'},
            "terms",
            "Would never end",
        ),
        ({"ending": "by magic"}, "ending", "Not a valid choice"),
        (
            {"ending": "refund_at", "ends_at": SOON, "funding": "deposit"},
            "funding",
            "Must be from the balance",
        ),
    ],
)
def test_what_does_not_hold_up_is_said_beside_its_field_and_stays_as_it_was_typed(
    payer: Browser, pair: Pair, session, chosen: dict[str, Any], field: str, message: str
) -> None:
    refused = payer.post("/escrows", _typed(pair, **chosen))
    assert refused.status_code == 422
    page = html.unescape(refused.text)
    assert f'id="{field}-error"' in page and message in page
    assert 'value="scene 7"' in page
    assert session.scalars(select(Escrow)).all() == []
    assert payer.post("/escrows/ending", _typed(pair, **chosen), htmx=True).status_code == 200
