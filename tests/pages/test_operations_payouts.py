"""Single payouts under operators' hands: who gets there, which buttons each state has, and that a press counts once."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from tests.support.browsing import Browser
from tests.support.money import balances
from tests.support.people import Pair
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.domain.payout_states import ON_EVIDENCE, STATES, OwnerAction, PayoutStatus, state_of
from webapp.models import ChainTransaction, OperatorAction, Payout
from webapp.services.container import Services
from webapp.services.unit_of_work import unit_of_work

ADDRESS = "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"
OTHER_ADDRESS = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"

both_ways = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])


@pytest.fixture
def payout_id(session, services: Services, pair: Pair) -> uuid.UUID:
    """Forty of the payer's FLOP, queued."""
    queue = services.wallets(session).payouts
    return queue.withdraw(pair.payer.wallet_id, ADDRESS, Amount.parse("40"), pair.payer.actor).id


def put_into(session, payout_id: uuid.UUID, status: str, **values: object) -> None:
    """Have the payout stand in a state, with a transaction where that state has one."""
    with unit_of_work(session):
        transaction_id = None
        if status in ("signed", "broadcast", "unknown", "confirmed"):
            transaction_id = uuid.uuid4()
            session.add(
                ChainTransaction(
                    id=transaction_id,
                    status="signed" if status == "confirmed" else status,
                    txid="cd" * 32,
                    signed_hex="00",
                    fee=Amount.parse("0.002"),
                    size=226,
                    change_index=1,
                    built_on_block="ab" * 32,
                )
            )
            session.flush()
            values |= {"fee": Amount.parse("0.002"), "net": Amount.parse("39.998")}
        values |= {"status": status, "transaction_id": transaction_id}
        session.execute(update(Payout).where(Payout.id == payout_id).values(**values))


def put_back(session, payout_id: uuid.UUID) -> None:
    """What the books know it as, so that they agree in the end."""
    put_into(session, payout_id, "queued", fee=None, net=None, is_return_requested=False)
    with unit_of_work(session):
        session.execute(update(ChainTransaction).values(status="replaced"))


def do(browser: Browser, payout_id: uuid.UUID, action: str, htmx: bool = False, **fields: str):
    """Press a button of the page, with a key of its own unless one is given."""
    data = {"idempotency_key": uuid.uuid4().hex, "seen": _seen(browser, payout_id), **fields}
    return browser.post(f"/operations/payouts/{payout_id}/do/{action}", data, htmx=htmx)


def _seen(browser: Browser, payout_id: uuid.UUID) -> str:
    found = re.search(r'name="seen" value="(\w+)"', browser.get(f"/operations/payouts/{payout_id}").text)
    return found.group(1) if found else ""


def actions_on(page: str) -> set[str]:
    return set(re.findall(r'data-action="(\w+)"', page))


def count_actions(session) -> int:
    session.rollback()
    return session.execute(select(func.count()).select_from(OperatorAction)).scalar_one()


def test_operators_alone_see_and_touch_payouts(visitors: dict[str, Browser], payout_id, session) -> None:
    for path in ("/operations/payouts", "/operations/payouts?late=yes", f"/operations/payouts/{payout_id}"):
        for name, browser in visitors.items():
            expected = {"operator": 200, "stranger": 303}.get(name, 403)
            assert browser.get(path).status_code == expected, (path, name)
    for name, browser in visitors.items():
        expected = {"operator": 303, "stranger": 303}.get(name, 403)
        assert do(browser, payout_id, "hold", **{"hold-reason": "a look"}).status_code == expected, name
    assert count_actions(session) == 1
    assert visitors["operator"].get(f"/operations/payouts/{uuid.uuid4()}").status_code == 404
    assert do(visitors["operator"], payout_id, "explode").status_code == 404
    put_back(session, payout_id)


def test_every_state_has_its_own_buttons_and_says_why_it_is_there(
    visitors: dict[str, Browser], payer: Browser, payout_id, session
) -> None:
    for status in PayoutStatus:
        put_into(session, payout_id, status.value)
        page = visitors["operator"].get(f"/operations/payouts/{payout_id}").text
        # Without evidence of another transaction there is nothing to decide about one.
        expected = {action.value for action in STATES[status].may_do.difference(ON_EVIDENCE)}
        assert actions_on(page) == expected, status
        own = payer.get(f"/wallet/payouts/{payout_id}").text
        assert ("Change the address" in own) == (OwnerAction.REDIRECT in state_of(status).owner_may_do)
        assert ("Cancel the payout" in own) == (OwnerAction.TAKE_BACK in state_of(status).owner_may_do)
        for shown in (page, own):
            assert f'data-state="{status}"' in shown
            assert ("Usually by" in shown) == (STATES[status].deadline is not None)
            assert "longer than usual" not in shown
        if STATES[status].deadline is not None:
            long_ago = utcnow() - timedelta(days=30)
            put_into(session, payout_id, status.value, status_since=long_ago, claimed_until=long_ago)
            assert "This takes longer than usual" in payer.get(f"/wallet/payouts/{payout_id}").text
            late = visitors["operator"].get("/operations/payouts?late=yes").text
            assert str(payout_id) in late
            assert "Late (1)" in late
            put_into(session, payout_id, status.value, status_since=utcnow(), claimed_until=None)
    put_back(session, payout_id)


@both_ways
def test_a_button_pressed_twice_counts_once_and_a_stale_one_says_where_the_payout_is(
    visitors: dict[str, Browser], payout_id, session, htmx: bool
) -> None:
    operator = visitors["operator"]
    pressed = {"idempotency_key": "first", "hold-reason": "a look", "seen": "queued"}
    for _ in range(2):
        response = do(operator, payout_id, "hold", htmx, **pressed)
        assert response.status_code == (200 if htmx else 303)
    assert count_actions(session) == 1
    stale = do(operator, payout_id, "hold", htmx, **{"hold-reason": "another look"})
    assert stale.status_code == 409
    assert "Nothing was changed. The payout is held: it can be let go or returned." in stale.text
    drawn_earlier = do(operator, payout_id, "return", htmx, **{"return-reason": "at once", "seen": "queued"})
    assert drawn_earlier.status_code == 409
    assert "Nothing was changed. The payout has moved on: it is held now." in drawn_earlier.text
    for address in (OTHER_ADDRESS, "", "\0"):
        assert do(operator, payout_id, "resume", htmx, **{"resume-address": address}).status_code == 409
    let_go = do(operator, payout_id, "resume", htmx, **{"resume-address": ADDRESS})
    assert let_go.status_code == (200 if htmx else 303)
    assert 'timeline-title">Let go' in operator.get(f"/operations/payouts/{payout_id}").text
    assert count_actions(session) == 2


@both_ways
def test_money_is_given_back_once_and_for_a_reason_that_its_owner_reads(
    visitors: dict[str, Browser], payer: Browser, pair: Pair, payout_id, session, htmx: bool
) -> None:
    operator = visitors["operator"]
    for unreadable in ("", "a\0b", "see \u202egnihton", "x" * 301):
        assert do(operator, payout_id, "return", htmx, **{"return-reason": unreadable}).status_code == 422
    assert balances(session, pair.payer.wallet_id)[0] == "960.00000000"
    pressed = {"idempotency_key": "once", "seen": "queued", "return-reason": "the address is a known thief’s"}
    for _ in range(2):
        assert do(operator, payout_id, "return", htmx, **pressed).status_code == (200 if htmx else 303)
    assert balances(session, pair.payer.wallet_id)[0] == "1000.00000000"
    assert "the address is a known thief’s" in payer.get(f"/wallet/payouts/{payout_id}").text
    assert do(operator, payout_id, "return", htmx, **{"return-reason": "again"}).status_code == 409
    assert count_actions(session) == 1


def test_without_a_daemon_nothing_is_changed_and_the_page_says_so(
    visitors: dict[str, Browser], payout_id, session
) -> None:
    operator = visitors["operator"]
    put_into(session, payout_id, "unknown")
    for action, fields in (
        ("rebroadcast", {}),
        ("return", {"return-reason": "please"}),
    ):
        response = do(operator, payout_id, action, **fields)
        assert response.status_code == 409
        assert "Nothing was changed." in response.text
    put_into(session, payout_id, "broadcast")
    assert do(operator, payout_id, "raise_fee", **{"raise_fee-rate": "dear"}).status_code == 422
    page = operator.get(f"/operations/payouts/{payout_id}").text
    assert 'name="raise_fee-rate"' in page
    assert 'value="0.01327433"' in page, "half as much again as 0.002 for 226 bytes"
    assert do(operator, payout_id, "raise_fee", **{"raise_fee-rate": "0.02"}).status_code == 409
    assert count_actions(session) == 0
    put_back(session, payout_id)


@pytest.mark.settings(custody={"approval_above": "5"})
def test_an_approval_is_for_the_address_that_was_read(
    visitors: dict[str, Browser], pair: Pair, payout_id, session, services: Services
) -> None:
    operator = visitors["operator"]
    assert 'data-state="awaiting_approval"' in operator.get(f"/operations/payouts/{payout_id}").text
    queue = services.wallets(session).payouts
    queue.redirect(payout_id, pair.payer.actor.wallet_ids, OTHER_ADDRESS)
    assert do(operator, payout_id, "approve", **{"approve-address": ADDRESS}).status_code == 409
    assert do(operator, payout_id, "approve", **{"approve-address": OTHER_ADDRESS}).status_code == 303
    session.rollback()
    assert session.get_one(Payout, payout_id, populate_existing=True).status == "queued"


def test_the_list_goes_page_by_page_and_by_state(
    visitors: dict[str, Browser], pair: Pair, session, services: Services, count_queries
) -> None:
    queue = services.wallets(session).payouts
    for _ in range(21):
        queue.withdraw(pair.payer.wallet_id, ADDRESS, Amount.parse("2"), pair.payer.actor)
    operator = visitors["operator"]
    first = operator.get("/operations/payouts?status=queued").text
    assert first.count('<tr role="row">') == 21, "the head and twenty"
    (following,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = operator.get(following.replace("&amp;", "&")).text
    assert second.count('<tr role="row">') == 2
    assert "First page" in second
    assert "No payout is like that" in operator.get("/operations/payouts?status=held").text
    assert operator.get("/operations/payouts?status=nonsense").status_code == 422
    assert operator.get("/operations/payouts?cursor=nonsense").status_code == 422
    few = count_queries(lambda: operator.get("/operations/payouts?status=queued"))
    for _ in range(3):
        queue.withdraw(pair.payer.wallet_id, ADDRESS, Amount.parse("2"), pair.payer.actor)
    assert count_queries(lambda: operator.get("/operations/payouts?status=queued")) == few


def test_what_is_said_of_a_payout_in_the_way_is_for_those_whom_it_concerns(
    visitors: dict[str, Browser], payer: Browser, payout_id, session
) -> None:
    words = "no answer from 127.0.0.1:19444"
    put_into(session, payout_id, "queued", attempts=3, reason=words)
    assert words in visitors["operator"].get(f"/operations/payouts/{payout_id}").text
    own = payer.get(f"/wallet/payouts/{payout_id}").text
    assert "127.0.0.1" not in own
