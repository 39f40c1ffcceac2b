"""How much a browser has to load: a first visit, and every one after it."""

from __future__ import annotations

import re

from flask import Flask
from sqlalchemy.orm import Session

from tests.support.browsing import Browser
from tests.support.escrow_rows import make_unpaid
from tests.support.people import Pair
from webapp import ROOT

FIRST_VISIT_BYTES = 200_000
LATER_VISIT_BYTES = 60_000
STYLE_SHEET_BYTES = 50 * 1024
PAGES = (
    "/",
    "/escrows",
    "/escrows/new",
    "/wallet",
    "/wallet/statement",
    "/fund",
    "/network",
    "/account",
    "/catalogue",
)
# Classes that templates put together, and those that HTMX and macros/blocks give by themselves.
PUT_TOGETHER = re.compile("tone-|chart-bar-|ladder-|for-|htmx-request")
_FILE = re.compile(r'(?:href|src)="(/assets/[^"]+)"')


def test_pages_are_light(app: Flask, payer: Browser, pair: Pair, session: Session) -> None:
    make_unpaid(session, pair.payer.wallet_id, pair.provider.wallet_id, 60)
    sizes: dict[str, int] = {}
    for path in PAGES:
        page = payer.get(path)
        assert page.status_code == 200
        for address in set(_FILE.findall(page.text)) - sizes.keys():
            with payer.client.get(address) as response:
                sizes[address] = len(response.data)
                assert "immutable" in response.headers["Cache-Control"]
        everything = len(page.data) + sum(sizes[address] for address in set(_FILE.findall(page.text)))
        assert len(page.data) < LATER_VISIT_BYTES, (path, len(page.data))
        assert everything < FIRST_VISIT_BYTES, (path, everything)


def test_the_style_sheet_has_no_rule_for_what_is_nowhere() -> None:
    sheets = list((ROOT / "static").glob("*.css"))
    rules = "".join(re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL) for sheet in sheets)
    classes = set(re.findall(r"\.([a-z][\w-]*)", re.sub(r"\{[^{}]*\}", "{}", rules)))
    files = [
        *(ROOT / "templates").rglob("*.html"),
        *(ROOT / "webapp").rglob("*.py"),
        *(ROOT / "static").glob("*.js"),
    ]
    used = set(re.findall(r"[a-z][\w-]*", "".join(file.read_text() for file in files)))

    assert {name for name in classes - used if not PUT_TOGETHER.match(name)} == set()
    assert (ROOT / "static" / "site.css").stat().st_size < STYLE_SHEET_BYTES
