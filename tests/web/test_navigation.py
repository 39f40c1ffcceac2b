"""The main navigation: what is there, and for whom."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from tests.support.browsing import PASSWORD, Browser
from webapp.domain.roles import Role
from webapp.web.guards import signed_in
from webapp.web.navigation import SURFACES

LABELS = {
    Role.PAYER: {"Dashboard", "Escrows", "Services", "Wallet", "Fund", "Nodes"},
    Role.PROVIDER: {"Dashboard", "Escrows", "Services", "Wallet", "Fund", "Nodes"},
    Role.ARBITER: {"Dashboard", "Escrows", "Services", "Wallet", "Fund", "Nodes", "Disputes"},
    Role.OPERATOR: {surface.label for surface in SURFACES},
}


def _labels(page: str) -> set[str]:
    nav = re.search(r'<nav class="site-nav" aria-label="Main">(.*?)</nav>', page, re.DOTALL)
    assert nav
    return set(re.findall(r">([A-Z][a-z]+)</a>", nav.group(1)))


@pytest.mark.parametrize("role", list(Role))
def test_each_role_finds_its_surfaces(app: Flask, services, session, role: Role) -> None:
    for number, surface in enumerate(SURFACES):
        if surface.endpoint not in app.view_functions:
            app.add_url_rule(f"/surface-{number}", surface.endpoint, signed_in(lambda: ""))
    services.identity(session).register("someone@example.org", PASSWORD, role)
    browser = Browser(app)
    browser.log_in("someone@example.org")

    assert _labels(browser.get("/account").text) == LABELS[role]


def test_a_surface_that_the_app_lacks_has_no_link(app: Flask, payer: Browser) -> None:
    present = {surface.label for surface in SURFACES if surface.endpoint in app.view_functions}

    assert _labels(payer.get("/account").text) <= present


def test_a_chain_whose_coins_have_no_value_is_named(browser: Browser) -> None:
    assert 'class="network"' in browser.get("/login").text


@pytest.mark.settings(wallet={"network": "main"})
def test_the_main_chain_needs_no_name(browser: Browser) -> None:
    assert 'class="network"' not in browser.get("/login").text
