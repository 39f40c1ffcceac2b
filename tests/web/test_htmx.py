"""The two answers of one view: a page or a redirect to a plain form, a partial to HTMX."""

from __future__ import annotations

import json

import pytest
from flask import Flask

from tests.support.browsing import Browser
from webapp.web.guards import public
from webapp.web.htmx import CONFIG, done, element_id, render


@pytest.fixture
def probe(app: Flask) -> Flask:
    """An app with a view that shows, one that changes something here, and one whose result is elsewhere."""
    context = {"title": "T", "detail": "D", "login_url": None}
    app.jinja_env.globals["status"] = 422
    app.add_url_rule(
        "/shown", "shown", public(lambda: render("errors/problem", "problem", status=422, **context))
    )
    app.add_url_rule(
        "/changed",
        "changed",
        public(lambda: done("/login", "problem", message="It is done.", **context)),
        methods=["POST"],
    )
    app.add_url_rule("/moved", "moved", public(lambda: done("/login")), methods=["POST"])
    return app


def test_a_page_for_a_browser_and_a_partial_for_htmx_with_the_same_status(probe: Flask) -> None:
    browser = Browser(probe)

    page, partial = browser.get("/shown"), browser.get("/shown", htmx=True)

    assert (page.status_code, partial.status_code) == (422, 422)
    assert "<!doctype html>" in page.text
    assert "<!doctype html>" not in partial.text
    assert 'class="message' in partial.text


def test_going_back_in_the_history_gets_the_whole_page(probe: Flask) -> None:
    headers = {"HX-Request": "true", "HX-History-Restore-Request": "true"}

    assert "<!doctype html>" in probe.test_client().get("/shown", headers=headers).text


def test_a_plain_form_is_redirected_and_the_message_is_on_the_next_page(probe: Flask) -> None:
    browser = Browser(probe)

    response = browser.post("/changed")

    assert (response.status_code, response.location) == (303, "/login")
    assert "It is done." in browser.get("/login").text
    assert "It is done." not in browser.get("/login").text


def test_htmx_gets_the_partial_with_the_message_in_the_live_region(probe: Flask) -> None:
    browser = Browser(probe)

    response = browser.post("/changed", htmx=True)

    assert response.status_code == 200
    assert 'id="messages"' in response.text
    assert 'hx-swap-oob="innerHTML"' in response.text
    assert "It is done." in response.text
    assert "It is done." not in browser.get("/login").text


def test_htmx_is_sent_along_where_there_is_no_partial(probe: Flask) -> None:
    response = Browser(probe).post("/moved", htmx=True)

    assert (response.status_code, response.headers["HX-Redirect"]) == (204, "/login")


def test_the_id_of_a_partial_is_its_name_with_dashes() -> None:
    assert element_id("escrow_status") == "escrow-status"


def test_htmx_is_configured_for_the_policy_and_for_our_statuses(browser: Browser) -> None:
    config = json.loads(CONFIG)

    assert config["includeIndicatorStyles"] is False
    assert config["allowEval"] is False
    rules = {rule["code"]: rule["swap"] for rule in config["responseHandling"]}
    assert rules["422|409"] is True
    assert rules["5.."] is False
    assert 'name="htmx-config"' in browser.get("/login").text


def test_scripted_requests_carry_the_csrf_token(browser: Browser) -> None:
    assert 'hx-headers=\'{"X-CSRFToken": "' in browser.get("/login").text
