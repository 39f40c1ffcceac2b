"""An escrow that is paid for at its own address, in the browser: asked for, paid, cancelled; by plain form and HTMX."""

from __future__ import annotations

import html
import re
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from tests.support.arrivals import credit_payment, see_payment, stock_addresses, take_payment_back
from tests.support.browsing import Browser
from tests.support.money import balances
from tests.support.people import Pair, make_escrow, manager
from webapp.domain.clock import utcnow
from webapp.models import Escrow
from webapp.services.unit_of_work import unit_of_work

both_ways = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
HOME = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"


def _terms(pair: Pair, **over: object) -> dict[str, object]:
    return {
        "idempotency_key": uuid.uuid4().hex,
        "payer_wallet_id": pair.payer.wallet_id,
        "provider_wallet_id": pair.provider.wallet_id,
        "amount": "12.5",
        "service_name": "gpu-render",
        "task_id": "scene 7",
        "funding": "deposit",
    } | over


@pytest.fixture
def escrow(session, services, pair: Pair) -> Escrow:
    """One of 12.5 FLOP that waits for its payment."""
    stock_addresses(session)
    return make_escrow(session, services, pair, "12.5", funding="deposit", refund_address=HOME)


def _words(page: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


@both_ways
def test_the_payer_chooses_to_pay_to_an_address_and_sees_it(
    payer: Browser, pair: Pair, session, htmx: bool
) -> None:
    form = payer.get("/escrows/new").text
    assert "By a payment to its own address" in form
    stock_addresses(session)
    typed = f"{utcnow() + timedelta(hours=3):%Y-%m-%dT%H:%M}"

    response = payer.post("/escrows", _terms(pair, fund_by=typed, refund_address=HOME), htmx=htmx)

    escrow = session.scalars(select(Escrow)).one()
    assert response.headers["HX-Redirect" if htmx else "Location"] == f"/escrows/{escrow.id}"
    assert (escrow.status, escrow.refund_address) == ("pending", HOME)
    assert escrow.fund_by.isoformat() == f"{typed}:00+00:00"
    assert balances(session, pair.payer.wallet_id) == ("1000.00000000", "0.00000000")
    page = payer.get(f"/escrows/{escrow.id}").text
    uri = f"flopcoin:{escrow.deposit_address}?amount=12.50000000&amp;label=gpu-render%2C%20scene%207"
    assert page.count(f'href="{uri}"') == 2
    assert f'data-copy="{escrow.deposit_address}"' in page
    words = _words(page)
    for sentence in ("The escrow is created. It begins when your payment has arrived.", "in 2 hours", HOME):
        assert sentence in words


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"funding": "gift"}, "Not a valid choice"),
        ({"fund_by": "2001-01-01T00:00"}, "Must be in the future"),
        ({"fund_by": "soon"}, "fund_by-error"),
        ({"refund_address": "bc1qxy2kgdygjrsqtzq2n0yrf2493p83kkfjhx0wlh"}, "SegWit"),
        ({"amount": "0.00000001"}, "Must be at least"),
        ({"amount": ""}, "Enter an amount"),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field(
    payer: Browser, pair: Pair, session, over: dict[str, object], message: str
) -> None:
    stock_addresses(session)
    response = payer.post("/escrows", _terms(pair, **over))
    assert response.status_code == 422
    assert message in response.text
    assert session.scalars(select(Escrow)).first() is None


def test_what_belongs_to_the_other_way_of_paying_is_left_out(payer: Browser, pair: Pair, session) -> None:
    payer.post("/escrows", _terms(pair, funding="balance", refund_address="x", fund_by=""))
    escrow = session.scalars(select(Escrow)).one()
    assert (escrow.status, escrow.funding, escrow.refund_address) == ("active", "balance", None)


def test_without_an_address_the_form_says_so_and_keeps_what_was_typed(
    payer: Browser, pair: Pair, session
) -> None:
    refused = payer.post("/escrows", _terms(pair))
    assert refused.status_code == 422
    assert "There is no address to pay to at the moment" in refused.text
    assert 'value="gpu-render"' in refused.text


def test_only_the_payer_sees_the_address(visitors: dict[str, Browser], pair: Pair, session, escrow) -> None:
    path = f"/escrows/{escrow.id}"
    assert escrow.deposit_address in visitors["payer"].get(path).text
    for name in ("provider", "operator", "arbiter"):
        page = visitors[name].get(path).text
        assert escrow.deposit_address not in page and HOME not in page, name
        assert "flopcoin:" not in page
        assert f"It waits for the payment of wallet {pair.payer.wallet_id}" in _words(page)
    assert visitors["other"].get(path).status_code == 404


def test_each_payment_is_told_in_plain_words(
    payer: Browser, provider: Browser, pair: Pair, session, services, escrow
) -> None:
    path, settings = f"/escrows/{escrow.id}", services.settings

    def words() -> str:
        return _words(payer.get(path).text)

    part = see_payment(session, escrow, "4", confirmations=1)
    assert "Arriving" in words() and "1 of 2" in words()
    assert "8.50 000000" in words(), "what is on its way is not asked for again"
    credit_payment(session, settings, part)
    assert "A part of it" in words() and "It counts; the rest was still missing." in words()
    rest = see_payment(session, escrow, "10")
    assert "nothing more is to be sent" in words()
    credit_payment(session, settings, rest)
    assert "1.50000000 FLOP more than that went back to you." in words()
    assert 'data-state="active"' in payer.get(path).text
    credit_payment(session, settings, see_payment(session, escrow, "3"))
    assert "Paid twice" in words()
    take_payment_back(session, part)
    assert "The chain undid it." in words()
    credit_payment(session, settings, part)
    manager(session, services, pair.provider).refund_escrow(escrow.id, "no card")
    credit_payment(session, settings, see_payment(session, escrow, "2"))
    late = see_payment(session, escrow, "1")
    assert "Too late" in words() and "goes back to you when it is confirmed" in words()
    with unit_of_work(session):
        late.confirmations = -3
    assert "Another transaction took its place" in words()
    theirs = _words(provider.get(path).text)
    for sentence in ("Payment arrived", "Paid for", "Sent back", "Payment undone by the chain", "Refunded"):
        assert sentence in theirs
    assert HOME not in theirs


def test_an_open_page_shows_the_arrival_and_is_left_alone_otherwise(
    payer: Browser, session, services, escrow
) -> None:
    page = payer.get(f"/escrows/{escrow.id}").text
    address = html.unescape(re.search(r'hx-get="([^"]*timeline[^"]*)"', page).group(1))
    quiet = payer.get(address, htmx=True)
    assert 'id="escrow-timeline"' in quiet.text and 'id="escrow-payment"' not in quiet.text

    see_payment(session, escrow, "4")
    arrived = payer.get(address, htmx=True).text
    assert 'id="escrow-payment"' in arrived and 'hx-swap-oob="true"' in arrived
    assert "Arriving" in arrived
    again = html.unescape(re.search(r'hx-get="([^"]*timeline[^"]*)"', arrived).group(1))
    assert again != address
    assert 'id="escrow-payment"' not in payer.get(again, htmx=True).text

    credit_payment(session, services.settings, see_payment(session, escrow, "8.5"))
    credit_payment(session, services.settings, see_payment(session, escrow, "4"))
    response = payer.get(again, htmx=True)
    assert response.headers["HX-Retarget"] == "#escrow-status"
    assert "The escrow is active now." in response.text


@pytest.mark.parametrize(("side", "htmx"), [("payer", False), ("provider", True)])
def test_either_side_cancels(
    payer: Browser, provider: Browser, pair: Pair, session, services, escrow, htmx: bool, side: str
) -> None:
    browser = {"payer": payer, "provider": provider}[side]
    credit_payment(session, services.settings, see_payment(session, escrow, "4"))
    path = f"/escrows/{escrow.id}"
    page = browser.get(path).text
    assert "Cancel the escrow" in page
    for action in ("release", "deliver", "dispute"):
        assert f"{path}/{action}" not in page

    data = {"idempotency_key": uuid.uuid4().hex, "seen": "pending", "reason": ""}
    assert browser.post(f"{path}/refund", data, htmx=htmx).status_code == 422
    done = browser.post(f"{path}/refund", data | {"reason": "Found another."}, htmx=htmx)

    assert done.status_code == (200 if htmx else 303)
    words = _words(browser.get(path).text)
    assert "4.00000000 FLOP went back to" in words and "Found another." in words
    # It goes home, where the payer wanted it.
    assert balances(session, pair.payer.wallet_id) == ("1000.00000000", "0.00000000")


def test_desk_list_and_statement_tell_of_it(
    payer: Browser, provider: Browser, pair: Pair, session, services, escrow
) -> None:
    assert "Waits for your payment" in payer.get("/").text
    assert f"The payment of wallet {pair.payer.wallet_id}" in provider.get("/").text
    assert "to be paid" in payer.get("/escrows?status=pending").text
    deposit = see_payment(session, escrow, "12.5")
    assert "Waits for your payment" not in payer.get("/").text
    assert "Your payment to be confirmed" in payer.get("/").text
    credit_payment(session, services.settings, deposit)
    assert "No escrow is like that" in payer.get("/escrows?status=pending").text
    statement = _words(payer.get("/wallet/statement").text)
    assert "Paid into an escrow" in statement and "from the chain to held" in statement
    assert f"/escrows/{escrow.id}" in payer.get("/wallet").text


def test_when_its_time_is_over_nothing_is_asked_for_any_more(payer: Browser, session, escrow) -> None:
    with unit_of_work(session):
        session.execute(update(Escrow).values(fund_by=utcnow() - timedelta(minutes=5)))
    words = _words(payer.get(f"/escrows/{escrow.id}").text)
    assert "The time to pay was over 5 minutes ago" in words
    assert "Open in my wallet" not in words
    assert "Waits for your payment" not in payer.get("/").text
