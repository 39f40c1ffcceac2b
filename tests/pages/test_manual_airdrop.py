"""An airdrop by hand in the browser: nodes are found, it is tried, and given with the operator's password."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from tests.pages.conftest import logged_in
from tests.support.browsing import Browser
from tests.support.money import balances, fill_fund, fund_balance
from tests.support.people import PASSWORD, Person, make_person
from webapp.domain.clock import utcnow
from webapp.models import Airdrop, IdempotencyKey, Node, NodeCapability
from webapp.services.container import Services
from webapp.services.idempotency import request_hash
from webapp.services.unit_of_work import unit_of_work

NEW, GIVE = "/fund/airdrops/new", "/fund/airdrops"
ADDRESS = "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


@pytest.fixture
def operator(session: Session, services: Services) -> Person:
    return make_person(session, services, "operator")


@pytest.fixture
def browser(app: Flask, operator: Person) -> Browser:
    return logged_in(app, operator)


@pytest.fixture
def owner(session: Session, services: Services, operator: Person) -> Person:
    """Owns gpu-1 to gpu-3 and cpu-1; the operator owns one, too. The fund has 50 FLOP."""
    person = make_person(session, services, "provider")
    wallet_id, now = person.wallet_id, utcnow()
    with unit_of_work(session):
        for name in ("gpu-1", "gpu-2", "gpu-3", "cpu-1"):
            able = [NodeCapability(name=name[:3])]
            session.add(Node(id=name, wallet_id=wallet_id, verified_at=now, region="eu", capabilities=able))
        session.add(Node(id="mine", wallet_id=operator.wallet_id))
        session.add(Node(id="gone", wallet_id=wallet_id, status="suspended"))
    fill_fund(session, "50")
    return person


def _form_of(response: TestResponse, action: str) -> dict[str, str]:
    """The hidden fields of the page's form that posts there."""
    (form,) = re.findall(rf'<form[^>]*action="{action}"[^>]*>(.*?)</form>', response.text, re.DOTALL)
    fields = {unescape(name): unescape(value) for name, value in _HIDDEN.findall(form)}
    fields.pop("csrf_token")
    return fields


def _textarea(response: TestResponse) -> list[str]:
    (typed,) = re.findall(r"<textarea[^>]*>(.*?)</textarea>", response.text, re.DOTALL)
    return unescape(typed).split()


def _try(browser: Browser, **fields: Any) -> TestResponse:
    return browser.post(NEW, {"share": "each", "amount": "5", **fields})


def _given(session: Session) -> int:
    count = session.scalar(select(func.count()).select_from(Airdrop)) or 0
    session.rollback()
    return count


def test_nodes_are_found_and_added_and_what_was_typed_stays(browser: Browser, owner: Person) -> None:
    page = browser.get(NEW + "?capability=gpu&amount=7")
    assert 'value="gpu"' in page.text and 'value="7"' in page.text
    assert "the fund has 50.00000000" in page.text

    typed = {"node_ids": "cpu-1, gpu-2", "capability": "gpu", "reason": "For <the> outage", "amount": "5"}
    found = browser.post(NEW, typed | {"step": "enter", "searched": ""})
    assert found.status_code == 200
    assert re.findall(r'name="found" value="([^"]+)"', found.text) == ["gpu-1", "gpu-2", "gpu-3"]
    assert "For &lt;the&gt; outage" in found.text
    assert "No node is like that" in browser.post(NEW, typed | {"step": "find", "region": "us\x00"}).text

    added = browser.post(NEW, typed | {"step": "add", "found": ["gpu-2", "gpu-3"]})
    assert _textarea(added) == ["cpu-1", "gpu-2", "gpu-3"]
    assert "1 node is added. 3 nodes are named now." in added.text
    assert _textarea(browser.post(NEW, typed | {"step": "add-all"})) == ["cpu-1", "gpu-2", "gpu-1", "gpu-3"]

    # The Enter key looks for what is new in the search, and otherwise tries what is named.
    tried = browser.post(NEW, typed | {"step": "enter", "searched": " | gpu |  | "})
    assert "Dry run" in tried.text
    back = browser.post(NEW, _form_of(tried, NEW) | {"step": "edit"})
    assert _textarea(back) == ["cpu-1", "gpu-2"]
    assert "For &lt;the&gt; outage" in back.text and 'value="gpu"' in back.text

    wrong = _try(browser, node_ids=" ", amount="many")
    assert wrong.status_code == 422
    assert "Name at least one node" in wrong.text and "Must be a plain decimal number" in wrong.text


@pytest.mark.settings(community_fund={"max_airdrop_nodes": 2})
def test_what_cannot_be_given_is_shown_with_every_reason(
    browser: Browser, owner: Person, session: Session
) -> None:
    tried = _try(browser, node_ids="gpu-1\nmine\ngone\nnobody\ngpu-1", amount="30")
    assert tried.status_code == 422
    for words in (
        "4 of them cannot be paid",
        "is your own: another operator must decide this",
        "is suspended",
        "is not registered",
        "is named more than once",
        "5 are named, and at most 2 can be in one airdrop.",
        "120.00000000 FLOP is asked for, and the fund has 50.00000000 FLOP.",
    ):
        assert words in unescape(tried.text), words
    assert f'action="{GIVE}"' not in tried.text
    assert "More than 2 nodes match" in browser.post(NEW, {"capability": "gpu", "step": "add-all"}).text
    pressed = {
        "node_ids": "gone",
        "amount": "5",
        "share": "each",
        "password": PASSWORD,
        "idempotency_key": "k",
    }
    refused = browser.post(GIVE, pressed)
    assert refused.status_code in (409, 422) and "Nothing was given" in refused.text
    assert (fund_balance(session), _given(session)) == ("50.00000000", 0)


def test_what_is_confirmed_is_what_was_shown_and_it_is_given_once(
    browser: Browser, owner: Person, session: Session, operator: Person
) -> None:
    with unit_of_work(session):
        session.get_one(Node, "gpu-1").airdrop_to = "chain"
        session.get_one(Node, "gpu-1").airdrop_address = ADDRESS
    tried = _try(
        browser, node_ids="gpu-1 gpu-2 gpu-3", share="together", amount="10", reason="For the outage"
    )
    assert tried.status_code == 200
    for words in ("3.33333333", "9.99999999", "is offline", f'data-copy="{ADDRESS}"', "balance of wallet"):
        assert words in tried.text, words
    fields = _form_of(tried, GIVE)

    wrong = browser.post(GIVE, fields | {"password": "not the password"})
    assert wrong.status_code == 422
    assert "This is not your password" in wrong.text and "3.33333333" in wrong.text

    # The node wants its coins elsewhere by now: what was shown is not what would happen.
    with unit_of_work(session):
        session.get_one(Node, "gpu-1").airdrop_to = "balance"
    stale = browser.post(GIVE, fields | {"password": PASSWORD})
    assert stale.status_code == 409
    assert "look at it again" in stale.text and ADDRESS not in stale.text
    assert (_given(session), fund_balance(session)) == (0, "50.00000000")

    fresh = _form_of(stale, GIVE) | {"password": PASSWORD}
    pressed = [browser.post(GIVE, fresh) for _ in range(2)]
    airdrop = session.scalars(select(Airdrop)).one()
    assert [each.location for each in pressed] == [f"/fund/airdrops/{airdrop.id}"] * 2
    assert (airdrop.requested_by, airdrop.reason) == (operator.actor.name, "For the outage")
    assert (fund_balance(session), balances(session, owner.wallet_id)[0]) == ("40.00000001", "9.99999999")
    shown = browser.get(pressed[0].location)
    assert shown.status_code == 200 and "The airdrop is given." in shown.text
    # Nothing of the password is kept with the press.
    counted = {name: [value] for name, value in fresh.items() if name not in ("password", "idempotency_key")}
    stored = session.scalars(select(IdempotencyKey.request_hash)).all()
    assert stored == [request_hash(GIVE, counted)]
    session.rollback()


@pytest.mark.settings(security={"enable_rate_limiting": True, "max_requests_per_minute": 100})
def test_passwords_are_not_guessed_and_nobody_else_comes_here(
    browser: Browser, owner: Person, app: Flask, session: Session
) -> None:
    fields = _form_of(_try(browser, node_ids="gpu-1"), GIVE)
    answers = [browser.post(GIVE, fields | {"password": "guess"}).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]
    assert browser.post(GIVE, fields | {"password": PASSWORD}).status_code == 429

    other = logged_in(app, owner)
    for answer in (
        other.get(NEW),
        other.post(NEW, fields),
        other.post(GIVE, fields | {"password": PASSWORD}),
    ):
        assert answer.status_code == 403
    assert Browser(app).get(NEW).location.startswith("/login")
    assert _given(session) == 0
