"""A form that is sent after its session has ended: what was typed survives the log-in, and comes back to its owner."""

from __future__ import annotations

import html
import re
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from tests.support.browsing import PASSWORD, Browser
from webapp.domain.clock import utcnow
from webapp.models import UserSession, Wallet
from webapp.services.unit_of_work import unit_of_work

ADDRESS = "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"
_FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


@pytest.fixture
def browser(app: Flask) -> Browser:
    made = Browser(app)
    made.register("ada@example.org")
    return made


def _end_sessions(session: Session) -> None:
    with unit_of_work(session):
        session.execute(update(UserSession).values(revoked_at=utcnow()))


def _address_form(session: Session) -> str:
    wallet_id = session.scalars(select(Wallet.id)).first()
    return f"/account/wallets/{wallet_id}/payout-address"


def _too_late(browser: Browser, session: Session, *, htmx: bool = False) -> TestResponse:
    """The answer to a form that is sent when its session has ended, after the detour that a browser makes by itself."""
    form, token = _address_form(session), browser.token()
    _end_sessions(session)
    fields = {"payout_address": ADDRESS, "old_password": "hush", "idempotency_key": "k1"}
    sent_on = browser.post(form, fields, htmx=htmx, token=token)
    assert sent_on.status_code == 307
    return browser.client.post(
        sent_on.location,
        data={"csrf_token": token, **fields},
        headers={"HX-Request": "true"} if htmx else {},
    )


def _hidden(page: TestResponse) -> dict[str, str]:
    return {name: html.unescape(value) for name, value in _FIELD.findall(page.text)}


def _log_in(browser: Browser, page: TestResponse, email: str = "ada@example.org") -> TestResponse:
    return browser.client.post("/login", data={**_hidden(page), "email": email, "password": PASSWORD})


def test_what_was_typed_is_sent_again_after_the_log_in(browser: Browser, session: Session) -> None:
    page = _too_late(browser, session)
    assert page.status_code == 401
    assert "What you typed is kept" in page.text

    asked = _log_in(browser, page)
    assert asked.status_code == 200
    assert ADDRESS in asked.text
    assert "hush" not in asked.text
    action = re.search(r'action="(/account/[^"]+)"', asked.text)
    assert action

    fields = _hidden(asked)
    assert fields["idempotency_key"] == "k1"
    assert browser.client.post(action.group(1), data=fields).status_code == 303
    session.rollback()
    assert session.scalars(select(Wallet.payout_address)).one() == ADDRESS


def test_htmx_offers_the_log_in_beside_the_form(browser: Browser, session: Session) -> None:
    message = _too_late(browser, session, htmx=True)
    assert message.status_code == 401
    assert message.text.startswith("<div class=")
    action = re.search(r'action="([^"]+)"', message.text)
    assert action
    log_in = browser.client.post(html.unescape(action.group(1)), data=_hidden(message))
    assert ADDRESS in _log_in(browser, log_in).text


def test_nobody_else_gets_it(app: Flask, browser: Browser, session: Session) -> None:
    other = Browser(app)
    other.register("bob@example.org")
    page = _too_late(browser, session)
    answer = _log_in(browser, page, "bob@example.org")
    assert answer.status_code == 303
    assert urlsplit(answer.location).path == "/"


@pytest.mark.parametrize("forged", ["", "x", "WzEsIi8iLCIvIixbXV0.aaaa.bbbb"])
def test_what_was_made_elsewhere_is_not_believed(browser: Browser, session: Session, forged: str) -> None:
    page = _too_late(browser, session)
    fields = {**_hidden(page), "kept_form": forged, "email": "ada@example.org", "password": PASSWORD}
    assert browser.client.post("/login", data=fields).status_code == 303


def test_a_form_from_elsewhere_is_not_kept(browser: Browser, session: Session) -> None:
    _end_sessions(session)
    assert browser.post(_address_form(session), {"payout_address": ADDRESS}, token="x").status_code == 400
    answer = browser.client.post("/login/keep?to=/account/keys", data={"csrf_token": "x", "label": "mine"})
    assert answer.status_code == 400


def test_only_paths_of_this_site_are_kept(browser: Browser, session: Session) -> None:
    token = browser.token()
    _end_sessions(session)
    for target in ("https://elsewhere.example/x", "//elsewhere.example", ""):
        data = {"csrf_token": token, "label": "mine"}
        page = browser.client.post("/login/keep", query_string={"to": target}, data=data)
        assert "kept_form" not in _hidden(page)
