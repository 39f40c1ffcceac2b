"""The page of the OpenAPI document in a real Chromium: it works, and asks nobody but us."""

from __future__ import annotations

import pytest
from flask import Flask
from playwright.sync_api import expect, sync_playwright

from tests.support.serving import serving

pytestmark = [
    pytest.mark.browser,
    pytest.mark.parametrize("databases", ["sqlite"], indirect=True),
]


def test_the_page_lists_the_endpoints_without_help_from_elsewhere(app: Flask) -> None:
    with serving(app) as origin, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        asked: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{origin}/openapi/")
        page.goto(f"{origin}/openapi/swagger")
        expect(page.get_by_text("/escrow/create")).to_be_visible()
        page.get_by_text("/escrow/create").click()
        expect(page.get_by_text("Idempotency-Key").first).to_be_visible()
        expect(page).to_have_title("DuxOS Escrow: the JSON endpoints")
        browser.close()
    assert [url for url in asked if not url.startswith((origin, "data:", "blob:"))] == []
    assert complaints == []
