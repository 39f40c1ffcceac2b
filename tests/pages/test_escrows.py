"""Escrows in the browser, by plain form and by HTMX: created, delivered, released, refunded, and what is refused."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from tests.support.browsing import Browser
from tests.support.money import balances, fund_balance
from tests.support.people import RESULT_HASH, Pair, make_escrow, make_node, manager, signature
from webapp.domain.clock import utcnow
from webapp.models import Escrow, SigningKey, Wallet
from webapp.services.container import Services
from webapp.services.unit_of_work import unit_of_work

both_ways = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])


def _key() -> str:
    return uuid.uuid4().hex


def _terms(pair: Pair, **over: object) -> dict[str, object]:
    return {
        "idempotency_key": _key(),
        "payer_wallet_id": pair.payer.wallet_id,
        "provider_wallet_id": pair.provider.wallet_id,
        "amount": "100",
        "service_name": "gpu-render",
        "task_id": "scene 7",
    } | over


def _press(browser: Browser, escrow: Escrow, action: str, htmx: bool = False, **fields: object):
    data = {"idempotency_key": _key(), "seen": escrow.status} | fields
    return browser.post(f"/escrows/{escrow.id}/{action}", data, htmx=htmx)


def _deliver(session, services: Services, pair: Pair, escrow: Escrow) -> Escrow:
    escrows = manager(session, services, pair.provider)
    return escrows.deliver_escrow(escrow.id, RESULT_HASH, signature(pair, escrow))


def _count(session) -> int:
    session.rollback()
    return session.execute(select(func.count()).select_from(Escrow)).scalar_one()


def _now(session, escrow: Escrow) -> Escrow:
    session.rollback()
    return session.get_one(Escrow, escrow.id, populate_existing=True)


@both_ways
def test_an_escrow_is_created_and_its_page_follows(payer: Browser, pair: Pair, session, htmx: bool) -> None:
    response = payer.post("/escrows", _terms(pair), htmx=htmx)

    escrow = session.scalars(select(Escrow)).one()
    if htmx:
        assert (response.status_code, response.headers["HX-Redirect"]) == (204, f"/escrows/{escrow.id}")
    else:
        assert (response.status_code, response.location) == (303, f"/escrows/{escrow.id}")
    page = payer.get(f"/escrows/{escrow.id}").text
    assert "The escrow is created and its amount locked." in page
    assert 'value="95.00000000"' in page
    assert 'value="5.00000000"' in page
    assert balances(session, pair.payer.wallet_id) == ("900.00000000", "100.00000000")


@both_ways
@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"amount": "1000.00000001"}, "more than you have available"),
        ({"amount": "0"}, "greater than zero"),
        ({"amount": "-1"}, "plain decimal number"),
        ({"amount": "1,234"}, "can be read in two ways: write 1234 or 1.2340"),
        ({"amount": "0.000000001"}, "at most eight decimals"),
        ({"amount": "1e3"}, "plain decimal number"),
        ({"amount": ""}, "Enter an amount"),
        ({"provider_wallet_id": "seven"}, "provider_wallet_id-error"),
        ({"provider_wallet_id": "999999"}, "There is no such wallet"),
        ({"provider_wallet_id": "99999999999999999999999"}, "provider_wallet_id-error"),
        ({"payer_wallet_id": "999999"}, "payer_wallet_id"),
        ({"service_name": ""}, "Name the service"),
        ({"task_id": "x" * 129}, "task_id-error"),
        ({"expires_at": "2001-01-01T00:00"}, "Must be in the future"),
        ({"expires_at": "tomorrow"}, "expires_at-error"),
        ({"provider_node_id": "nobody"}, "Is not an active node of the provider"),
        ({"verifier_key_id": "key_nobody"}, "Is not a key that works"),
        ({"expected_result_hash": "abc"}, "expected_result_hash-error"),
    ],
)
def test_what_cannot_be_is_refused_beside_its_field_and_what_was_typed_stays(
    payer: Browser, pair: Pair, session, htmx: bool, over: dict[str, object], message: str
) -> None:
    response = payer.post("/escrows", _terms(pair, **{"task_id": "scene 7"} | over), htmx=htmx)

    assert response.status_code == 422
    assert ("<!doctype html>" in response.text) is not htmx
    assert message in response.text
    assert 'value="gpu-render"' in response.text or "service_name" in over
    assert _count(session) == 0


def test_somebody_elses_wallet_cannot_pay(provider: Browser, pair: Pair, session) -> None:
    assert provider.post("/escrows", _terms(pair)).status_code == 422
    assert _count(session) == 0


@both_ways
def test_the_same_form_sent_twice_counts_once(payer: Browser, pair: Pair, session, htmx: bool) -> None:
    terms = _terms(pair)

    first, second = (payer.post("/escrows", terms, htmx=htmx) for _ in range(2))

    where = "HX-Redirect" if htmx else "Location"
    assert first.headers[where] == second.headers[where]
    assert _count(session) == 1


def test_a_used_form_cannot_carry_other_terms(payer: Browser, pair: Pair, session) -> None:
    terms = _terms(pair)
    payer.post("/escrows", terms)

    assert payer.post("/escrows", terms | {"amount": "200"}).status_code == 422
    assert payer.post("/escrows", {**terms, "idempotency_key": ""}).status_code == 422
    assert _count(session) == 1


@pytest.mark.parametrize("path", ["/escrows", "/escrows/{id}/release", "/wallet/withdraw"])
def test_without_its_token_no_form_counts(payer: Browser, pair: Pair, session, services, path: str) -> None:
    escrow = _deliver(session, services, pair, make_escrow(session, services, pair))
    response = payer.post(path.format(id=escrow.id), {"idempotency_key": _key()}, token="")

    assert response.status_code == 400
    assert _now(session, escrow).status == "delivered"


def test_the_split_of_what_is_typed_is_told_by_the_server(payer: Browser) -> None:
    told = payer.get("/escrows/split?amount=0.00000019", htmx=True).text
    assert 'value="0.00000019"' in told  # the fund's share is rounded down
    assert 'value="0.00000000"' in told
    for text in ("", "abc", "-5", "1e9", "NaN", "9" * 40):
        response = payer.get("/escrows/split", htmx=True, query_string={"amount": text})
        assert response.status_code == 200
        assert "95\u00a0%" in response.text


@both_ways
def test_a_provider_with_a_key_delivers_without_a_signature(
    provider: Browser, pair: Pair, session, services, htmx: bool
) -> None:
    escrow = make_escrow(session, services, pair)

    response = _press(provider, escrow, "deliver", htmx, result_hash=RESULT_HASH.upper())

    assert response.status_code == (200 if htmx else 303)
    delivered = _now(session, escrow)
    assert delivered.status == "delivered"
    assert delivered.provider_signature == signature(pair, escrow)


def test_a_provider_without_a_key_is_offered_one(provider: Browser, pair: Pair, session, services) -> None:
    services.signing_keys(session).revoke(pair.key.key_id, pair.provider.actor.wallet_ids)
    escrow = make_escrow(session, services, pair)
    assert "Make a signing key for me" in provider.get(f"/escrows/{escrow.id}").text

    refused = _press(provider, escrow, "deliver", result_hash=RESULT_HASH)
    assert refused.status_code == 422
    assert _now(session, escrow).status == "active"

    _press(provider, escrow, "deliver", result_hash=RESULT_HASH, make_key="y")
    assert _now(session, escrow).status == "delivered"
    key = session.scalars(select(SigningKey).where(SigningKey.revoked_at.is_(None))).one()
    assert (key.wallet_id, key.scopes) == (pair.provider.wallet_id, ["escrow:deliver"])


def test_a_delivery_that_is_refused_makes_no_key(provider: Browser, pair: Pair, session, services) -> None:
    services.signing_keys(session).revoke(pair.key.key_id, pair.provider.actor.wallet_ids)
    escrow = make_escrow(session, services, pair, expected_result_hash="cd" * 32)

    refused = _press(provider, escrow, "deliver", result_hash=RESULT_HASH, make_key="y")

    assert refused.status_code == 422
    session.rollback()
    assert session.scalars(select(SigningKey).where(SigningKey.revoked_at.is_(None))).first() is None


def test_a_result_of_a_named_node_needs_its_key(provider: Browser, pair: Pair, session, services) -> None:
    node = make_node(session, services, pair.provider)
    services.signing_keys(session).revoke(node.key.key_id, pair.provider.actor.wallet_ids)
    escrow = make_escrow(session, services, pair, provider_node_id=node.node.id)

    refused = _press(provider, escrow, "deliver", result_hash=RESULT_HASH, make_key="y")

    assert refused.status_code == 422
    assert "the node has no key that works" in refused.text


@both_ways
def test_the_payer_releases_and_everybody_has_their_part(
    payer: Browser, pair: Pair, session, services, htmx: bool
) -> None:
    escrow = _deliver(session, services, pair, make_escrow(session, services, pair))

    response = _press(payer, escrow, "release", htmx)

    assert response.status_code == (200 if htmx else 303)
    if htmx:
        assert 'id="escrow-status"' in response.text
        assert "Released: the provider and the fund are paid." in response.text
    assert balances(session, pair.payer.wallet_id) == ("900.00000000", "0.00000000")
    assert balances(session, pair.provider.wallet_id) == ("95.00000000", "0.00000000")
    assert fund_balance(session) == "5.00000000"


@both_ways
def test_a_button_pressed_twice_counts_once(
    payer: Browser, pair: Pair, session, services, htmx: bool
) -> None:
    escrow = _deliver(session, services, pair, make_escrow(session, services, pair))
    key = _key()

    answers = [_press(payer, escrow, "release", htmx, idempotency_key=key) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200 if htmx else 303] * 2
    assert fund_balance(session) == "5.00000000"


@both_ways
def test_whoever_comes_late_is_told_what_happened(
    payer: Browser, pair: Pair, session, services, htmx: bool
) -> None:
    escrow = _deliver(session, services, pair, make_escrow(session, services, pair))
    manager(session, services, pair.provider).refund_escrow(escrow.id, "cannot do it")
    stale = {"seen": "delivered"}

    response = _press(payer, escrow, "release", htmx, **stale)

    assert response.status_code == 409
    assert "Nothing was done: the escrow is refunded by now." in response.text
    assert 'data-state="refunded"' in response.text
    assert fund_balance(session) == "0.00000000"


def test_a_button_acts_only_on_the_state_that_its_page_showed(
    payer: Browser, pair: Pair, session, services
) -> None:
    escrow = make_escrow(session, services, pair)
    _deliver(session, services, pair, escrow)

    assert _press(payer, escrow, "release", seen="active").status_code == 409
    assert _now(session, escrow).status == "delivered"


@both_ways
def test_without_a_delivery_a_release_needs_the_signed_result(
    payer: Browser, pair: Pair, session, services, htmx: bool
) -> None:
    escrow = make_escrow(session, services, pair)

    refused = _press(payer, escrow, "release", htmx)
    assert refused.status_code == 422
    wrong = _press(payer, escrow, "release", htmx, result_hash=RESULT_HASH, provider_signature="00" * 32)
    assert wrong.status_code == 422
    assert RESULT_HASH in wrong.text

    proof = {"result_hash": RESULT_HASH, "provider_signature": signature(pair, escrow)}
    assert _press(payer, escrow, "release", htmx, **proof).status_code in (200, 303)
    assert fund_balance(session) == "5.00000000"


@both_ways
def test_the_provider_gives_the_money_back_and_says_why(
    provider: Browser, pair: Pair, session, services, htmx: bool
) -> None:
    escrow = make_escrow(session, services, pair)

    assert _press(provider, escrow, "refund", htmx, reason="").status_code == 422
    assert _press(provider, escrow, "refund", htmx, reason="my card <b>broke</b>").status_code in (200, 303)

    assert balances(session, pair.payer.wallet_id) == ("1000.00000000", "0.00000000")
    assert "My card &lt;b&gt;broke&lt;/b&gt;." in provider.get(f"/escrows/{escrow.id}").text


def test_the_payer_takes_the_money_back_after_the_deadline_only(
    payer: Browser, pair: Pair, session, services
) -> None:
    escrow = make_escrow(session, services, pair)
    assert "Take back" not in payer.get(f"/escrows/{escrow.id}").text
    assert _press(payer, escrow, "refund", reason="too slow").status_code == 403

    with unit_of_work(session):
        session.execute(update(Escrow).values(expires_at=utcnow() - timedelta(seconds=1)))
    assert "Take back 100.00" in payer.get(f"/escrows/{escrow.id}").text
    assert _press(payer, escrow, "refund", reason="No result was delivered in time").status_code == 303
    assert balances(session, pair.payer.wallet_id) == ("1000.00000000", "0.00000000")


def test_nobody_can_do_what_is_not_theirs(
    visitors: dict[str, Browser], pair: Pair, session, services
) -> None:
    escrow = make_escrow(session, services, pair)
    proof = {"result_hash": RESULT_HASH, "provider_signature": signature(pair, escrow)}
    refusals = {
        ("provider", "release"): 403,
        ("payer", "deliver"): 403,
        ("payer", "refund"): 403,
        ("other", "release"): 404,
        ("other", "deliver"): 404,
        ("other", "refund"): 404,
        ("operator", "release"): 403,
        ("operator", "deliver"): 403,
        ("operator", "refund"): 403,
        ("arbiter", "release"): 403,
        ("arbiter", "refund"): 403,
        ("stranger", "release"): 303,
    }
    for (name, action), status in refusals.items():
        response = _press(visitors[name], escrow, action, reason="because", make_key="y", **proof)
        assert response.status_code == status, (name, action)
        if status == 303:
            assert response.location.startswith("/login")
    assert _now(session, escrow).status == "active"


def test_each_reader_sees_the_buttons_that_they_may_press(
    visitors: dict[str, Browser], pair: Pair, session, services
) -> None:
    escrow = make_escrow(session, services, pair)
    page = f"/escrows/{escrow.id}"
    buttons = ("Deliver the result", "Give the money back", "Release without a delivery")
    for name, expected in {
        "payer": (False, False, True),
        "provider": (True, True, False),
        "operator": (False, False, False),
        "arbiter": (False, False, False),
    }.items():
        text = visitors[name].get(page).text
        assert tuple(button in text for button in buttons) == expected, name


def test_the_timeline_refreshes_itself_until_all_is_final(
    payer: Browser, provider: Browser, pair: Pair, session, services
) -> None:
    escrow = make_escrow(session, services, pair)
    path = f"/escrows/{escrow.id}/timeline"

    same = payer.get(f"{path}?seen=active", htmx=True)
    assert same.text.lstrip().startswith('<div id="escrow-timeline"')
    assert "poll-5 from:body" in same.text

    _deliver(session, services, pair, escrow)
    changed = payer.get(f"{path}?seen=active", htmx=True)
    assert changed.headers["HX-Retarget"] == "#escrow-status"
    assert "The escrow is delivered now." in changed.text
    assert "Release 100.00" in changed.text

    manager(session, services, pair.payer).release_escrow(escrow.id)
    assert "poll-5 from:body" not in payer.get(f"{path}?seen=released", htmx=True).text


def test_the_timeline_tells_the_story_in_words(
    payer: Browser, provider: Browser, pair, session, services
) -> None:
    escrow = _deliver(session, services, pair, make_escrow(session, services, pair))
    manager(session, services, pair.payer).release_escrow(escrow.id)

    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", payer.get(f"/escrows/{escrow.id}").text))
    for words in (
        "Created",
        "By you.",
        "Result delivered",
        "By the provider.",
        "Released",
        "to the community fund.",
    ):
        assert words in text
    assert f"95.00000000 FLOP went to wallet {pair.provider.wallet_id}" in text
    other_side = provider.get(f"/escrows/{escrow.id}").text
    assert "95.00000000\u00a0FLOP went to you" in other_side


def test_the_list_keeps_its_filters_and_its_place_in_the_address(
    payer: Browser, provider: Browser, pair: Pair, session, services
) -> None:
    for _ in range(25):
        make_escrow(session, services, pair, "1")

    first = payer.get("/escrows?status=active&side=payer", htmx=True)
    assert first.text.count('role="rowheader"') == 20
    following = re.search(r'rel="next" href="([^"]+)"', first.text)
    assert following
    address = following.group(1).replace("&amp;", "&")
    assert "status=active" in address
    assert "side=payer" in address
    second = payer.get(address)
    assert second.text.count('role="rowheader"') == 5
    assert "First page" in second.text
    assert "No escrow is like that" in payer.get("/escrows?side=provider").text
    assert provider.get("/escrows?side=provider").text.count('role="rowheader"') == 20


@pytest.mark.parametrize("query", ["status=lost", "side=middle", "cursor=%21", "cursor=bm90IGEgdXVpZA"])
def test_an_address_that_makes_no_sense_is_refused(payer: Browser, query: str) -> None:
    assert payer.get(f"/escrows?{query}").status_code == 422


def test_staff_see_everybodys_escrows(visitors: dict[str, Browser], pair: Pair, session, services) -> None:
    make_escrow(session, services, pair)
    for name, count in {"operator": 1, "arbiter": 1, "other": 0, "payer": 1}.items():
        assert visitors[name].get("/escrows").text.count('role="rowheader"') == count, name


def test_no_page_asks_the_database_more_often_because_there_is_more(
    payer: Browser, pair: Pair, session, services, count_queries
) -> None:
    make_escrow(session, services, pair, "1")
    paths = ("/", "/escrows", "/wallet")
    few = [count_queries(lambda path=path: payer.get(path)) for path in paths]
    for _ in range(12):
        _deliver(session, services, pair, make_escrow(session, services, pair, "1"))
    many = [count_queries(lambda path=path: payer.get(path)) for path in paths]

    assert many == few


def test_a_frozen_wallet_says_so(payer: Browser, pair: Pair, session) -> None:
    with unit_of_work(session):
        session.execute(update(Wallet).values(is_frozen=True))

    assert "is frozen" in payer.get("/").text
    assert "This wallet is frozen" in payer.get("/wallet").text
    refused = payer.post("/escrows", _terms(pair))
    assert refused.status_code == 422
    assert "Your wallet is frozen" in refused.text


def test_a_deadline_is_read_as_utc(payer: Browser, pair: Pair, session) -> None:
    typed = f"{utcnow() + timedelta(days=2):%Y-%m-%dT%H:%M}"

    payer.post("/escrows", _terms(pair, expires_at=typed))

    assert session.scalars(select(Escrow)).one().expires_at.isoformat() == f"{typed}:00+00:00"


@both_ways
def test_a_payer_objects_and_the_provider_gives_in_on_the_page(
    visitors: dict[str, Browser], pair: Pair, session, services, htmx: bool
) -> None:
    payer = visitors["payer"]
    escrow = make_escrow(session, services, pair, "100")
    manager(session, services, pair.provider).deliver_escrow(escrow.id, RESULT_HASH, signature(pair, escrow))
    path = f"/escrows/{escrow.id}"
    assert "Something is wrong" in payer.get(path).text
    data = {"idempotency_key": uuid.uuid4().hex, "seen": "delivered", "reason": "It is noise."}

    objected = payer.post(f"{path}/dispute", data, htmx=htmx)

    assert objected.status_code == (200 if htmx else 303)
    page = payer.get(path).text
    assert "It is noise." in page
    given_in = {"idempotency_key": uuid.uuid4().hex, "seen": "disputed", "reason": "Noise it is."}
    assert visitors["arbiter"].post(f"{path}/refund", given_in, htmx=htmx).status_code == 403
    assert visitors["provider"].post(f"{path}/refund", given_in, htmx=htmx).status_code == (
        200 if htmx else 303
    )
    session.refresh(escrow)
    assert escrow.status == "refunded"
