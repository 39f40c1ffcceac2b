"""The second factor: set up, asked for at the log-in, and asked for again before coins leave or rights change."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pyotp
import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from tests.support.browsing import PASSWORD, Browser
from tests.support.people import PASSWORD as PEOPLES_PASSWORD
from tests.support.people import make_person
from webapp.domain.clock import utcnow
from webapp.models import OperatorAction, SecondFactor, User, UserSession, Wallet
from webapp.services.container import Services
from webapp.services.unit_of_work import unit_of_work

EMAIL = "ada@example.org"
NEW_PASSWORD = "another correct battery"
ADDRESS = "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"
BASE = "/account/second-factor"
_SECRET = re.compile(r"\b[A-Z2-7]{32}\b")
_CODE = re.compile(r"<code>([a-z0-9-]{14})</code>")
_PENDING = re.compile(r'name="pending" value="([^"]+)"')


@pytest.fixture
def clock():
    with time_machine.travel("2030-01-01T12:00:00Z", tick=False) as traveller:
        yield traveller


@pytest.fixture
def browser(app: Flask, clock: time_machine.Traveller) -> Browser:
    made = Browser(app)
    made.register(EMAIL)
    return made


def _set_up(browser: Browser) -> tuple[pyotp.TOTP, list[str]]:
    """The authenticator and the recovery codes."""
    page = browser.post(f"{BASE}/begin")
    found = _SECRET.search(page.text)
    assert found
    totp = pyotp.TOTP(found.group())
    done = browser.post(f"{BASE}/confirm", {"code": totp.now()})
    assert done.status_code == 201
    return totp, _CODE.findall(done.text)


def _password_step(app: Flask) -> tuple[Browser, TestResponse, str]:
    browser = Browser(app)
    page = browser.post("/login", {"email": EMAIL, "password": PASSWORD, "next": "/wallet"})
    found = _PENDING.search(page.text)
    assert page.status_code == 200 and found
    return browser, page, html.unescape(found.group(1))


def _try_code(app: Flask, code: str) -> TestResponse:
    browser, _, pending = _password_step(app)
    return browser.post("/login/code", {"pending": pending, "code": code})


def test_the_log_in_asks_for_a_code_that_works_once(
    app: Flask, browser: Browser, clock: time_machine.Traveller, session: Session
) -> None:
    totp, codes = _set_up(browser)
    assert len(set(codes)) == 10
    sealed = session.scalars(select(SecondFactor.sealed_secret)).one()
    assert totp.secret not in sealed
    assert _try_code(app, totp.now()).status_code == 422, "it turned the factor on, so it is used"

    clock.shift(30)
    other, _, pending = _password_step(app)
    assert other.get("/wallet").status_code == 303, "the password alone opens nothing"
    assert other.post("/login/code", {"pending": pending, "code": "000000"}).status_code == 422
    entered = other.post("/login/code", {"pending": pending, "code": totp.now()})
    assert (entered.status_code, entered.location) == (303, "/wallet")
    assert other.get("/wallet").status_code == 200
    assert _try_code(app, totp.now()).status_code == 422

    for attempt, status in ((codes[0].upper(), 303), (codes[0], 422), (codes[1].replace("-", " "), 303)):
        assert _try_code(app, attempt).status_code == status
    browser.log_in(EMAIL)  # the confirmation of the first code has not ended its own session
    assert "8 recovery codes are left" in browser.get(BASE).text


def test_a_log_in_waits_for_its_code_five_minutes_and_for_one_password(
    app: Flask, browser: Browser, clock: time_machine.Traveller
) -> None:
    totp, _ = _set_up(browser)
    clock.shift(60)
    other, _, pending = _password_step(app)
    for forged in ("", "x", pending[:-2] + "xx"):
        assert other.post("/login/code", {"pending": forged, "code": totp.now()}).location == "/login"
    clock.shift(301)
    assert other.post("/login/code", {"pending": pending, "code": totp.now()}).location == "/login"

    other, _, pending = _password_step(app)
    fields = {"old_password": PASSWORD, "password": NEW_PASSWORD, "repeated": NEW_PASSWORD}
    assert browser.post("/account/password", fields).status_code == 303
    assert other.post("/login/code", {"pending": pending, "code": totp.now()}).location == "/login"


def test_it_counts_from_its_first_code_on(app: Flask, browser: Browser) -> None:
    first = _SECRET.search(browser.post(f"{BASE}/begin").text)
    again = _SECRET.search(browser.post(f"{BASE}/begin").text)
    assert first and again and first.group() == again.group()
    assert browser.post(f"{BASE}/confirm", {"code": "000000"}).status_code == 422
    assert Browser(app).log_in(EMAIL).status_code == 303
    assert browser.post(f"{BASE}/recovery-codes").status_code == 409


def test_turning_it_on_ends_other_sessions_and_turning_it_off_asks_no_codes(
    app: Flask, browser: Browser
) -> None:
    other = Browser(app)
    other.log_in(EMAIL)
    _set_up(browser)
    assert other.get("/wallet").status_code == 303
    assert browser.get("/wallet").status_code == 200
    assert browser.post(f"{BASE}/begin").status_code == 409
    assert browser.post(f"{BASE}/off").status_code == 303
    assert Browser(app).log_in(EMAIL).status_code == 303


@pytest.fixture
def address_form(session: Session, browser: Browser) -> str:
    return f"/account/wallets/{session.scalars(select(Wallet.id)).one()}/payout-address"


def _age(session: Session, minutes: int) -> None:
    with unit_of_work(session):
        session.execute(update(UserSession).values(confirmed_at=utcnow() - timedelta(minutes=minutes)))


def test_an_open_browser_is_not_enough_to_set_up_an_authenticator(browser: Browser, session: Session) -> None:
    _age(session, 15)
    for code in ("", "000000"):
        asked = browser.post(f"{BASE}/confirm", {"code": code})
        assert "Is it you?" in asked.text and not _SECRET.search(asked.text)
    assert session.scalars(select(SecondFactor.user_id)).first() is None

    browser.post(f"{BASE}/begin", {"proof": PASSWORD})
    _age(session, 15)
    asked = browser.post(f"{BASE}/confirm", {"code": ""})
    assert "Is it you?" in asked.text and not _SECRET.search(asked.text), "nor to read what was begun"


def test_whatever_gives_a_key_or_lets_coins_go_on_asks_who_is_there(
    app: Flask, browser: Browser, session: Session, services: Services
) -> None:
    operator = Browser(app)
    operator.log_in(make_person(session, services, "operator").user.email, PEOPLES_PASSWORD)
    _age(session, 15)
    for somebody, paths in (
        (browser, ("/account/keys", "/network/new", "/network/nodes/node-1/secret")),
        (operator, ("/operations/resume", "/operations/wallets/1/unfreeze")),
    ):
        for path in paths:
            asked = somebody.post(path)
            assert (asked.status_code, "Is it you?" in asked.text) == (200, True), path


def test_after_a_while_the_password_is_asked_again(
    browser: Browser, session: Session, address_form: str
) -> None:
    fields = {"payout_address": ADDRESS}
    _age(session, 15)
    for htmx in (False, True):
        asked = browser.post(address_form, fields, htmx=htmx)
        assert asked.status_code == 200
        assert "Is it you?" in asked.text and f'value="{ADDRESS}"' in asked.text
    wrong = browser.post(address_form, {**fields, "proof": "not my password"})
    assert wrong.status_code == 422 and "This is not your password" in wrong.text
    assert session.scalars(select(Wallet.payout_address)).one() is None

    session.rollback()
    assert browser.post(address_form, {**fields, "proof": PASSWORD}).status_code == 303
    session.rollback()
    assert session.scalars(select(Wallet.payout_address)).one() == ADDRESS
    assert browser.post(address_form, {"payout_address": ""}).status_code == 303, "not twice in a row"


def test_those_with_a_second_factor_are_asked_for_a_code(
    browser: Browser, session: Session, address_form: str, clock: time_machine.Traveller
) -> None:
    totp, _ = _set_up(browser)
    clock.shift(60)
    _age(session, 16)
    fields = {"payout_address": ADDRESS}
    assert "Code of your authenticator" in browser.post(address_form, fields).text
    assert browser.post(address_form, {**fields, "proof": PASSWORD}).status_code == 422
    assert browser.post(address_form, {**fields, "proof": totp.now()}).status_code == 303


@pytest.mark.settings(security={"enable_rate_limiting": True, "max_requests_per_minute": 1000})
def test_codes_and_passwords_cannot_be_guessed(app: Flask, browser: Browser, session: Session) -> None:
    _set_up(browser)
    other, _, pending = _password_step(app)
    tries = [other.post("/login/code", {"pending": pending, "code": "000000"}).status_code for _ in range(11)]
    assert tries == [422] * 10 + [429]

    _age(session, 16)
    tries = [browser.post(f"{BASE}/off", {"proof": "000000"}).status_code for _ in range(11)]
    assert tries == [422] * 10 + [429]
    assert session.scalars(select(User.email)).one() == EMAIL


def test_an_operator_helps_those_who_lost_it(
    app: Flask, browser: Browser, runner: FlaskCliRunner, session: Session
) -> None:
    _set_up(browser)
    done = runner.invoke(args=["user", "reset-second-factor", "--email", "Ada@example.org", "--json"])
    assert done.exit_code == 0 and '"second_factor": "off"' in done.output
    assert browser.get("/wallet").status_code == 303
    assert Browser(app).log_in(EMAIL).status_code == 303
    assert session.scalars(select(OperatorAction.action)).all() == ["reset_second_factor"]
    unknown = runner.invoke(args=["user", "reset-second-factor", "--email", "nobody@example.org"])
    assert unknown.exit_code == 1
