"""Visitors with a real browser, and the site that they visit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, expect
from sqlalchemy.orm import Session

from tests.support.chain import Chain
from tests.support.people import PASSWORD
from webapp.services.container import Services
from webapp.worker import Worker

PHONE = {"width": 360, "height": 780}
DESKTOP = {"width": 1280, "height": 860}
# The browser logs every refused form (422, 409) as a failed resource; the tests read these answers themselves.
_EXPECTED_NOISE = "Failed to load resource: the server responded with a status of 4"

expect.set_options(timeout=10_000)


@dataclass
class Site:
    """The running service, its chain and its worker."""

    url: str
    app: Flask
    chromium: Browser
    session: Session
    services: Services
    chain: Chain
    screenshots: Path | None  # where to keep pictures, if anybody wants them
    complaints: list[str] = field(default_factory=list)
    _contexts: list[BrowserContext] = field(default_factory=list)

    def visitor(self, *, has_script: bool = True, **options: Any) -> Page:
        """A browser of somebody's own. `options` are Playwright's: viewport, color_scheme."""
        context = self.chromium.new_context(
            base_url=self.url,
            java_script_enabled=has_script,
            viewport=options.pop("viewport", DESKTOP),
            reduced_motion="reduce",
            **options,
        )
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("response", self._on_response)
        return page

    def work(self) -> None:
        """One round of every task of the worker."""
        with self.app.app_context():
            assert Worker(self.app).run_once()

    def work_in_vain(self) -> None:
        """A round in which something fails: the daemon is away, say."""
        with self.app.app_context():
            assert not Worker(self.app).run_once()

    def mine(self, blocks: int) -> None:
        """Blocks, and the worker's look at them."""
        self.chain.mine(blocks)
        self.work()

    def close(self) -> None:
        """Close every browser, and fail if one of them complained."""
        for context in self._contexts:
            context.close()
        assert not self.complaints, "the browser complained:\n" + "\n".join(self.complaints)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(_EXPECTED_NOISE):
            self.complaints.append(f"{message.location.get('url')}: {message.text}")

    def _on_response(self, response: Response) -> None:
        if not response.url.startswith(self.url):
            self.complaints.append(f"{response.url} is from elsewhere")
        if response.status >= 500:
            self.complaints.append(f"{response.url} answered {response.status}")


def register(page: Page, email: str, role: str) -> None:
    """Make an account through the form."""
    page.goto("/register")
    page.get_by_role("radio", name={"payer": "I buy compute", "provider": "I run nodes"}[role]).check()
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password, once more").fill(PASSWORD)
    page.get_by_role("button", name="Create the account").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


def log_in(page: Page, email: str) -> None:
    """Log in through the form."""
    page.goto("/login")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


def money(page: Page, amount: str) -> Any:
    """Everything on the page that shows this amount, such as "95.00000000"."""
    return page.locator(f'data.money[value="{amount}"]')


def assert_accessible(page: Page, *, has_other_colours_only: bool = False) -> None:
    """axe finds nothing, and nothing is wider than the window.

    With `has_other_colours_only`, this same page was found to be accessible in other colours: they alone are looked at.
    """
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if has_other_colours_only:
        options["runOnly"] = ["color-contrast", "link-in-text-block"]
    found = Axe().run(page, options=options)
    assert found.violations_count == 0, f"{page.url}\n{found.generate_report()}"
    assert_no_sideways_scroll(page)


def assert_no_sideways_scroll(page: Page) -> None:
    """Nothing sticks out of the window."""
    excess = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert excess <= 0, f"{page.url} is {excess} px too wide for {page.viewport_size}"


@contextmanager
def window(page: Page, size: dict[str, int], color_scheme: str) -> Iterator[None]:
    """The page in a window of another size and colours."""
    before = page.viewport_size
    page.set_viewport_size(size)  # type: ignore[arg-type]
    page.emulate_media(color_scheme=color_scheme)  # type: ignore[arg-type]
    yield
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(before)  # type: ignore[arg-type]
