"""The page of the OpenAPI document in a real Chromium: it works, and asks nobody but us."""

from __future__ import annotations

from flask import Flask
from playwright.sync_api import Browser, expect

from tests.support.serving import serving


def test_the_page_lists_the_endpoints_without_help_from_elsewhere(app: Flask, chromium: Browser) -> None:
    asked: list[str] = []
    complaints: list[str] = []
    with serving(app) as origin, chromium.new_context() as visit:
        page = visit.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{origin}/openapi/")
        page.goto(f"{origin}/openapi/swagger")
        expect(page.get_by_text("/escrow/create")).to_be_visible()
        page.get_by_text("/escrow/create").click()
        expect(page.get_by_text("Idempotency-Key").first).to_be_visible()
        expect(page).to_have_title("DuxOS Escrow: the JSON endpoints")
    assert [url for url in asked if not url.startswith((origin, "data:", "blob:"))] == []
    assert complaints == []
