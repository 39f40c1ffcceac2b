"""A real Chromium in front of a real server, a real daemon and a worker that ticks when the test says so.

Whatever the browser complains about (a violated Content-Security-Policy, an error of a script, a request that
fails) fails the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser, Playwright, sync_playwright
from sqlalchemy.orm import Session

from tests.browser.visits import Site
from tests.support.chain import Chain
from tests.support.databases import SqliteDatabases
from tests.support.serving import serving
from webapp import ROOT
from webapp.services.container import Services

CHROMIUM = "/usr/bin/chromium"
QUIET_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
SCREENSHOTS = ROOT / "build" / "screenshots"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder walks through pages in a browser, with a daemon behind them: give it time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(420))


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """The driver of the browser."""
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """One Chromium; each visitor gets a context of their own in it."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET_ARGUMENTS), headless=True)
    yield browser
    browser.close()


@pytest.fixture
def databases(sqlite_databases: SqliteDatabases) -> SqliteDatabases:
    """SQLite only: the pages do not know which database they stand on."""
    return sqlite_databases


@pytest.fixture
def screenshots(pytestconfig: pytest.Config) -> Path | None:
    """Where pictures are kept. Drawing them takes longer than looking at the pages, so it is done when asked for."""
    return SCREENSHOTS if pytestconfig.getoption("markexpr") == "browser" else None


@pytest.fixture
def site(
    app: Flask,
    chromium: Browser,
    session: Session,
    services: Services,
    chain: Chain,
    screenshots: Path | None,
) -> Iterator[Site]:
    """The service on a port of its own."""
    with serving(app) as address:
        opened = Site(address, app, chromium, session, services, chain, screenshots)
        yield opened
        opened.close()
