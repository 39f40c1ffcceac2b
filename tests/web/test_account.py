"""What people manage about themselves, by plain form and by HTMX."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import select

from tests.support.browsing import PASSWORD, Browser
from webapp.models import SigningKey, UserSession, Wallet

NEW_PASSWORD = "another fine password"
REGTEST_ADDRESS = "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"
MAINNET_ADDRESS = "LfmssDyX6iZvbVqHv6t9P6JWXia2JG7mdb"


@pytest.fixture
def other(app: Flask) -> Browser:
    """Somebody else, logged in."""
    visitor = Browser(app)
    visitor.register("other@example.org", "provider")
    return visitor


def _read_again(session, row: object) -> None:
    session.rollback()  # ends the snapshot that was read first
    session.refresh(row)


def _make_key(browser: Browser, *, htmx: bool = False, **fields: object):
    wallet_id = re.search(r'name="wallet_id" value="(\d+)"', browser.get("/account").text)
    assert wallet_id
    data = {"wallet_id": wallet_id.group(1), "scopes": ["escrow:read", "escrow:create"], "label": "engine"}
    return browser.post("/account/keys", data | fields, htmx=htmx)


@pytest.mark.parametrize("htmx", [False, True])
def test_a_key_is_made_and_its_secret_shown_this_once(payer: Browser, session, htmx: bool) -> None:
    response = _make_key(payer, htmx=htmx, spend_limit="500", expires_at="2099-12-31")

    key = session.scalars(select(SigningKey)).one()
    assert response.status_code == 201
    assert ("<!doctype html>" in response.text) is not htmx
    assert key.id in response.text
    assert "Your new key" in response.text
    assert (key.scopes, key.label) == (["escrow:read", "escrow:create"], "engine")
    assert (str(key.spend_limit), key.expires_at.isoformat()) == (
        "500.00000000",
        "2099-12-31T23:59:59.999999+00:00",
    )
    assert "Your new key" not in payer.get("/account").text


@pytest.mark.parametrize("htmx", [False, True])
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scopes": []}, "Choose at least one"),
        ({"scopes": ["escrow:everything"]}, "not a valid choice"),
        ({"scopes": ["fund:airdrop"]}, "not a valid choice"),
        ({"spend_limit": "-1"}, "spend_limit-error"),
        ({"spend_limit": "NaN"}, "spend_limit-error"),
        ({"expires_at": "2001-01-01"}, "Must be in the future"),
        ({"expires_at": "9999-12-32"}, "expires_at-error"),
        ({"expires_at": "soon"}, "expires_at-error"),
        ({"wallet_id": "999999"}, "Please check what was entered"),
    ],
)
def test_a_key_that_cannot_be_is_refused_beside_its_field(
    payer: Browser, session, htmx: bool, fields: dict[str, object], message: str
) -> None:
    response = _make_key(payer, htmx=htmx, **fields)

    assert response.status_code == 422
    assert message in response.text
    assert 'value="engine"' in response.text
    assert session.scalars(select(SigningKey)).first() is None


def test_a_key_of_somebody_else_can_neither_be_seen_nor_revoked(
    payer: Browser, other: Browser, session
) -> None:
    _make_key(payer)
    key = session.scalars(select(SigningKey)).one()

    assert key.id not in other.get("/account").text
    assert other.post(f"/account/keys/{key.id}/revoke").status_code == 404


@pytest.mark.parametrize("htmx", [False, True])
def test_a_key_is_revoked(payer: Browser, session, htmx: bool) -> None:
    _make_key(payer)
    key = session.scalars(select(SigningKey)).one()

    response = payer.post(f"/account/keys/{key.id}/revoke", htmx=htmx)

    assert response.status_code == (200 if htmx else 303)
    assert 'data-state="revoked"' in (response.text if htmx else payer.get("/account").text)
    _read_again(session, key)
    assert key.revoked_at is not None


def test_a_key_for_the_wallet_of_somebody_else_is_refused(payer: Browser, other: Browser, session) -> None:
    theirs = session.scalars(select(Wallet).order_by(Wallet.id.desc())).first()

    assert _make_key(payer, wallet_id=str(theirs.id)).status_code == 422


@pytest.mark.parametrize("htmx", [False, True])
def test_earnings_are_paid_out_to_an_address_or_stay(payer: Browser, session, htmx: bool) -> None:
    wallet = session.scalars(select(Wallet)).one()
    path = f"/account/wallets/{wallet.id}/payout-address"

    for typed, stored in ((f" {REGTEST_ADDRESS} ", REGTEST_ADDRESS), ("", None)):
        response = payer.post(path, {"payout_address": typed}, htmx=htmx)
        assert response.status_code == (200 if htmx else 303)
        _read_again(session, wallet)
        assert wallet.payout_address == stored


@pytest.mark.parametrize("htmx", [False, True])
@pytest.mark.parametrize("address", ["nonsense", MAINNET_ADDRESS, f"{REGTEST_ADDRESS}x"])
def test_an_address_that_cannot_be_paid_is_refused(payer: Browser, session, htmx: bool, address: str) -> None:
    wallet = session.scalars(select(Wallet)).one()

    response = payer.post(
        f"/account/wallets/{wallet.id}/payout-address", {"payout_address": address}, htmx=htmx
    )

    assert response.status_code == 422
    assert "payout_address-error" in response.text or f"payout-address-{wallet.id}-error" in response.text
    assert f'value="{address}"' in response.text
    _read_again(session, wallet)
    assert wallet.payout_address is None


def test_the_wallet_of_somebody_else_is_not_there(payer: Browser, other: Browser, session) -> None:
    theirs = session.scalars(select(Wallet).order_by(Wallet.id.desc())).first()

    response = payer.post(f"/account/wallets/{theirs.id}/payout-address", {"payout_address": REGTEST_ADDRESS})

    assert response.status_code == 404


@pytest.mark.parametrize("htmx", [False, True])
def test_another_session_is_ended_from_this_one(app: Flask, payer: Browser, session, htmx: bool) -> None:
    elsewhere = Browser(app)
    elsewhere.log_in(payer.email)
    newest = session.scalars(select(UserSession).order_by(UserSession.id.desc())).first()

    response = payer.post(f"/account/sessions/{newest.id}/revoke", htmx=htmx)

    assert response.status_code == (200 if htmx else 303)
    assert elsewhere.get("/account").status_code == 303
    assert payer.get("/account").status_code == 200


def test_the_session_of_somebody_else_is_not_there(payer: Browser, other: Browser, session) -> None:
    theirs = session.scalars(select(UserSession).order_by(UserSession.id.desc())).first()

    assert payer.post(f"/account/sessions/{theirs.id}/revoke").status_code == 404
    assert other.get("/account").status_code == 200


def test_all_other_sessions_are_ended_at_once(app: Flask, payer: Browser) -> None:
    others = [Browser(app) for _ in range(2)]
    for browser in others:
        browser.log_in(payer.email)

    payer.post("/account/sessions/revoke-others")

    assert [browser.get("/account").status_code for browser in (payer, *others)] == [200, 303, 303]


@pytest.mark.parametrize("htmx", [False, True])
def test_a_new_password_replaces_the_old_one_everywhere(app: Flask, payer: Browser, htmx: bool) -> None:
    elsewhere = Browser(app)
    elsewhere.log_in(payer.email)
    fields = {"old_password": PASSWORD, "password": NEW_PASSWORD, "repeated": NEW_PASSWORD}

    response = payer.post("/account/password", fields, htmx=htmx)

    assert response.status_code == (200 if htmx else 303)
    assert elsewhere.get("/account").status_code == 303
    assert Browser(app).log_in(payer.email, PASSWORD).status_code == 422
    assert Browser(app).log_in(payer.email, NEW_PASSWORD).status_code == 303


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"old_password": "wrong"}, "Is not the present password"),
        ({"password": "short", "repeated": "short"}, "10 to 200 characters"),
        ({"repeated": "different"}, "Is not the same"),
    ],
)
def test_a_password_change_that_cannot_be_changes_nothing(
    app: Flask, payer: Browser, change: dict[str, str], message: str
) -> None:
    fields = {"old_password": PASSWORD, "password": NEW_PASSWORD, "repeated": NEW_PASSWORD}

    response = payer.post("/account/password", fields | change, htmx=True)

    assert response.status_code == 422
    assert message in response.text
    assert Browser(app).log_in(payer.email, PASSWORD).status_code == 303
