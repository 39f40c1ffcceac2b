"""The headers that every answer carries."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from tests.support.browsing import Browser
from webapp.web.headers import FIXED, OPENAPI_POLICY, PAGE_POLICY

OPEN_PATHS = ("/login", "/register", "/no-such-page")


@pytest.mark.parametrize("path", [*OPEN_PATHS, "/account"])
def test_every_answer_carries_the_security_headers(browser: Browser, path: str) -> None:
    response = browser.get(path)

    assert FIXED.items() <= dict(response.headers).items()
    assert response.headers["Content-Security-Policy"] == PAGE_POLICY
    assert "Strict-Transport-Security" not in response.headers


def test_the_policy_of_pages_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    assert PAGE_POLICY.startswith("default-src 'none';")
    assert "unsafe" not in PAGE_POLICY
    assert "http" not in PAGE_POLICY


@pytest.mark.parametrize("path", OPEN_PATHS)
def test_no_page_has_inline_script_or_style(browser: Browser, path: str) -> None:
    text = browser.get(path).text

    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", text)


def test_the_account_page_has_no_inline_script_or_style(payer: Browser) -> None:
    text = payer.get("/account").text

    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\bsrc=)", text)


def test_nothing_is_loaded_from_elsewhere(payer: Browser) -> None:
    text = payer.get("/account").text

    assert not re.search(r'(?:src|href|action|hx-[a-z]+)="(?:https?:)?//', text)


def test_the_openapi_page_has_a_policy_of_its_own(browser: Browser) -> None:
    response = browser.get("/openapi/openapi.json")

    assert response.headers["Content-Security-Policy"] == OPENAPI_POLICY
    assert "http" not in OPENAPI_POLICY


def test_transport_security_is_promised_over_https_only(browser: Browser) -> None:
    response = browser.client.get("/login", base_url="https://localhost")

    assert response.headers["Strict-Transport-Security"].startswith("max-age=31536000")


def test_pages_are_kept_by_no_cache_and_differ_for_htmx(payer: Browser) -> None:
    response = payer.get("/account")

    assert response.headers["Cache-Control"] == "no-store"
    assert "HX-Request" in response.headers["Vary"]


@pytest.mark.settings(security={"cookie_secure": True})
def test_the_cookie_of_a_secure_instance_is_bound_to_its_host(app: Flask) -> None:
    response = app.test_client().get("/login", base_url="https://localhost")

    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("__Host-duxos=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


def test_the_cookie_is_out_of_reach_for_script_and_for_other_sites(browser: Browser) -> None:
    cookie = browser.get("/login").headers["Set-Cookie"]

    assert {"HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
