"""Offers in the browser, by plain form and by HTMX: a split is offered, countered and accepted, and pages tell it."""

from __future__ import annotations

import re
import uuid

import pytest
from sqlalchemy.orm import Session

from tests.support.browsing import Browser
from tests.support.money import balances
from tests.support.people import Pair, make_escrow
from webapp.models import Escrow
from webapp.services.container import Services

both_ways = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])


@pytest.fixture
def escrow(session: Session, services: Services, pair: Pair) -> Escrow:
    return make_escrow(session, services, pair, "100")


def _press(browser: Browser, escrow: Escrow, path: str = "", htmx: bool = False, **fields: object):
    data = {"idempotency_key": uuid.uuid4().hex, "seen": "active"} | fields
    return browser.post(f"/escrows/{escrow.id}/offers{path}", data, htmx=htmx)


def _offer_id(page: str) -> str:
    return re.findall(r"/offers/(\d+)/(?:accept|withdraw)", page)[0]


@both_ways
def test_a_split_is_offered_countered_and_accepted(
    payer: Browser, provider: Browser, pair: Pair, escrow: Escrow, session: Session, htmx: bool
) -> None:
    page = payer.get(f"/escrows/{escrow.id}").text
    assert "either side can offer a split" in page
    made = _press(payer, escrow, htmx=htmx, share="40", message="Half of the scenes are black")
    assert made.status_code == (200 if htmx else 303)
    page = provider.get(f"/escrows/{escrow.id}").text
    assert "The payer offers this split" in page
    assert "Half of the scenes are black" in page
    assert all(f'value="{amount}"' in page for amount in ("38.00000000", "2.00000000", "60.00000000"))
    first = _offer_id(page)
    assert f'name="answers" value="{first}"' in page

    assert _press(provider, escrow, htmx=htmx, share="70", answers=first).status_code in (200, 303)
    page = payer.get(f"/escrows/{escrow.id}").text
    assert "The provider offers this split" in page
    assert "Answered by another offer" in page
    second = _offer_id(page)
    stale = _press(provider, escrow, f"/{first}/accept", htmx, share="40.00000000")
    assert stale.status_code == 409
    assert "Nothing was done: the offer was answered by another one." in stale.text

    accepted = _press(payer, escrow, f"/{second}/accept", htmx, share="70.00000000")
    assert accepted.status_code == (200 if htmx else 303)
    for browser in (payer, provider):
        page = browser.get(f"/escrows/{escrow.id}").text
        assert 'data-state="resolved"' in page
        assert "Who got what" in page
        assert (
            "Both sides agreed: 66.50000000\u00a0FLOP went to the provider, 3.50000000\u00a0FLOP to the"
            in page
        )
        assert "/accept" not in page
    assert balances(session, pair.payer.wallet_id) == ("930.00000000", "0.00000000")
    assert "Resolved" in payer.get("/escrows?status=resolved").text
    assert "66.50000000,3.50000000,30.00000000" in payer.get("/escrows/list.csv").text
    assert "Your part of a divided escrow" in payer.get("/wallet/statement").text
    assert "your part of a divided escrow" in provider.get("/wallet/statement").text


@both_ways
def test_what_was_seen_is_what_is_accepted(
    payer: Browser, provider: Browser, escrow: Escrow, session: Session, htmx: bool
) -> None:
    _press(payer, escrow, share="60")
    seen = _offer_id(provider.get(f"/escrows/{escrow.id}").text)
    _press(payer, escrow, share="6")
    refused = _press(provider, escrow, f"/{seen}/accept", htmx, share="60.00000000")
    assert refused.status_code == 409
    assert "Nothing was done: the offer was replaced by another one." in refused.text
    assert "5.70000000" in refused.text, "the fresh offer is shown"
    newer = _offer_id(provider.get(f"/escrows/{escrow.id}").text)
    assert _press(provider, escrow, f"/{newer}/accept", htmx, share="60").status_code == 409
    assert _press(provider, escrow, f"/{newer}/accept", htmx, share="x").status_code == 422
    late = _press(provider, escrow, f"/{newer}/decline", htmx, seen="delivered")
    assert "Nothing was done: the escrow is active by now." in late.text
    assert _press(provider, escrow, f"/{newer}/decline", htmx).status_code in (200, 303)
    assert _press(payer, escrow, f"/{newer}/withdraw", htmx).status_code == 409
    session.rollback()
    assert session.get_one(Escrow, escrow.id).status == "active"


@both_ways
def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(
    payer: Browser, escrow: Escrow, htmx: bool
) -> None:
    refused = _press(
        payer, escrow, htmx=htmx, share="100.00000001", message="Please", expires_at="2001-01-01T00:00"
    )
    assert refused.status_code == 422
    assert "Must be at most 100.00000000 FLOP" in refused.text
    assert "Must be in the future" in refused.text
    assert "Please" in refused.text
    assert "Enter an amount, or 0" in _press(payer, escrow, htmx=htmx, share="").text


def test_a_cancel_is_told_as_one_and_withdrawn(payer: Browser, provider: Browser, escrow: Escrow) -> None:
    _press(provider, escrow, share="0")
    page = payer.get(f"/escrows/{escrow.id}").text
    assert "Cancel it by agreement" in page
    offer = _offer_id(page)
    assert "Withdraw my offer" in provider.get(f"/escrows/{escrow.id}").text
    assert _press(provider, escrow, f"/{offer}/withdraw").status_code == 303
    page = payer.get(f"/escrows/{escrow.id}").text
    assert "Offer withdrawn" in page
    assert "One earlier offer" in page


def test_the_parts_of_what_is_typed_are_told_by_the_server(payer: Browser, escrow: Escrow) -> None:
    address = f"/escrows/{escrow.id}/offers/split"
    told = payer.get(address, htmx=True, query_string={"share": "33.33333333"}).text
    assert all(f'value="{each}"' in told for each in ("31.66666667", "1.66666666", "66.66666667"))
    for text in ("", "abc", "-1", "100.00000001", "1e1", "9" * 40):
        response = payer.get(address, htmx=True, query_string={"share": text})
        assert response.status_code == 200
        assert "as soon as there is an amount" in response.text


def test_those_who_look_on_see_the_offers_and_no_buttons(
    visitors: dict[str, Browser], escrow: Escrow
) -> None:
    _press(visitors["payer"], escrow, share="40")
    for name in ("operator", "arbiter"):
        page = visitors[name].get(f"/escrows/{escrow.id}").text
        assert "The payer offers this split" in page
        assert not re.search(r"/offers/\d+/", page)
        assert "Make this offer" not in page
    listed = visitors["provider"].get(f"/escrows/{escrow.id}/offers", htmx=True)
    assert listed.text.lstrip().startswith('<div id="escrow-offer-list"')
    assert f"sse:escrow-{escrow.id}" in listed.text
    # The form beside it is told what it answers now, and otherwise left as it is.
    answered = rf'hx-swap-oob="true">\s*<input type="hidden" name="answers" value="{_offer_id(listed.text)}">'
    assert re.search(answered, listed.text)


def test_the_page_of_an_escrow_takes_as_many_queries_with_many_offers(
    payer: Browser, escrow: Escrow, count_queries
) -> None:
    _press(payer, escrow, share="1")
    few = count_queries(lambda: payer.get(f"/escrows/{escrow.id}"))
    for share in range(2, 12):
        _press(payer, escrow, share=str(share))
    assert count_queries(lambda: payer.get(f"/escrows/{escrow.id}")) == few
