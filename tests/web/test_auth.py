"""The ways in and out."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask

from tests.support.browsing import PASSWORD, Browser
from webapp.models import User, Wallet

EMAIL = "payer@example.org"


@pytest.fixture
def stranger(app: Flask, payer: Browser) -> Browser:
    """A second browser, not logged in, while the payer has an account."""
    return Browser(app)


def test_who_registers_has_a_wallet_and_is_logged_in(browser: Browser, session) -> None:
    response = browser.register(EMAIL, "provider")

    assert (response.status_code, response.location) == (303, "/")
    assert EMAIL in browser.get("/account").text
    user = session.query(User).one()
    assert (user.email, user.role) == (EMAIL, "provider")
    assert session.query(Wallet).one().user_id == user.id


@pytest.mark.parametrize("role", ["operator", "arbiter", "root", ""])
def test_nobody_registers_as_staff(browser: Browser, session, role: str) -> None:
    assert browser.register(EMAIL, role).status_code == 422
    assert session.query(User).count() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"email": "no address"}, "email-error"),
        ({"email": ""}, "Enter your e-mail address"),
        ({"password": "short", "repeated": "short"}, "10 to 200 characters"),
        ({"repeated": "something else"}, "Is not the same"),
    ],
)
def test_a_registration_that_cannot_be_keeps_what_was_typed(
    browser: Browser, change: dict[str, str], message: str
) -> None:
    typed = {"email": "typed@example.org", "password": PASSWORD, "repeated": PASSWORD, "role": "provider"}

    response = browser.post("/register", typed | change)

    assert response.status_code == 422
    assert message in response.text
    assert f'value="{(typed | change)["email"]}"' in response.text
    assert PASSWORD not in response.text


def test_an_address_has_one_account_whatever_its_case(stranger: Browser) -> None:
    response = stranger.register(EMAIL.upper())

    assert response.status_code == 422
    assert "has an account already" in response.text


def test_the_right_password_opens_a_session_and_leads_on(stranger: Browser) -> None:
    response = stranger.log_in(EMAIL, target="/account")

    assert (response.status_code, response.location) == (303, "/account")
    assert stranger.get("/account").status_code == 200


def test_a_wrong_password_and_an_unknown_address_are_answered_alike(stranger: Browser) -> None:
    wrong = stranger.log_in(EMAIL, "not the password")
    unknown = stranger.log_in("nobody@example.org", "not the password")

    assert (wrong.status_code, unknown.status_code) == (422, 422)
    assert _without_variables(wrong.text) == _without_variables(unknown.text)
    assert "not the password" not in wrong.text


@pytest.mark.parametrize(
    "target", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example"]
)
def test_the_log_in_leads_to_no_other_site(stranger: Browser, target: str) -> None:
    page = stranger.get("/login", query_string={"next": target}).text
    assert re.findall(r'name="next" [^>]*value="([^"]*)"', page)[0] == ""
    assert stranger.log_in(EMAIL, target=target).location == "/"


def test_who_is_logged_in_needs_no_log_in_page(payer: Browser) -> None:
    assert [payer.get(path).status_code for path in ("/login", "/register")] == [303, 303]


def test_a_cookie_that_was_copied_is_worth_nothing_after_the_log_out(app: Flask, payer: Browser) -> None:
    cookie = payer.client.get_cookie("duxos")
    assert cookie is not None
    payer.log_out()
    thief = Browser(app)
    thief.client.set_cookie("duxos", cookie.value)

    assert payer.get("/account").status_code == 303
    assert thief.get("/account").status_code == 303


def test_logging_out_twice_is_no_error(browser: Browser) -> None:
    assert browser.log_out().location == "/login"


def test_logging_out_by_a_link_is_not_possible(payer: Browser) -> None:
    assert payer.get("/logout").status_code == 405
    assert payer.get("/account").status_code == 200


@pytest.mark.settings(security={"session_timeout_minutes": 30})
def test_a_session_ends_when_it_is_not_used(app: Flask) -> None:
    start = datetime(2030, 1, 1, tzinfo=UTC)
    with time_machine.travel(start, tick=False) as clock:
        browser = Browser(app)
        browser.register(EMAIL)
        for minute in (20, 40, 60):
            clock.move_to(start + timedelta(minutes=minute))
            assert browser.get("/account").status_code == 200
        clock.move_to(start + timedelta(minutes=91))

        response = browser.get("/account")

    assert (response.status_code, response.location) == (303, "/login?next=/account")


def test_the_session_before_the_log_in_is_not_kept(stranger: Browser) -> None:
    before = stranger.token()
    stranger.log_in(EMAIL)

    assert stranger.post("/account/sessions/revoke-others", token=before).status_code == 400


@pytest.mark.parametrize("path", ["/login", "/register", "/logout", "/account/password", "/account/keys"])
@pytest.mark.parametrize("token", ["", "made up"])
def test_a_form_without_a_valid_token_changes_nothing(payer: Browser, path: str, token: str) -> None:
    assert payer.post(path, token=token).status_code == 400
    assert payer.get("/account").status_code == 200


@pytest.mark.settings(security={"enable_rate_limiting": True, "max_requests_per_minute": 10_000})
def test_guessing_a_password_is_slowed_down_for_that_account_only(app: Flask) -> None:
    Browser(app).register(EMAIL)
    Browser(app).register("other@example.org")
    guesser = Browser(app)

    answers = [guesser.log_in(EMAIL, f"guess {number}").status_code for number in range(11)]

    assert answers == [422] * 10 + [429]
    assert guesser.log_in("other@example.org").status_code == 303


@pytest.mark.settings(security={"enable_rate_limiting": True, "max_requests_per_minute": 10_000})
def test_too_many_requests_say_when_to_come_back(app: Flask) -> None:
    guesser = Browser(app)
    for number in range(10):
        guesser.log_in(EMAIL, f"guess {number}")

    response = guesser.log_in(EMAIL)

    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) > 0
    assert "Too many requests" in response.text


def _without_variables(page: str) -> str:
    lines = page.replace(EMAIL, "@").replace("nobody@example.org", "@").splitlines()
    return "\n".join(line for line in lines if "csrf_token" not in line and "X-CSRFToken" not in line)
