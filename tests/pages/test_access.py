"""Who may see which page and do what: `docs/access.md` says it, and every address of the site keeps to it."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.routing import Rule

from tests.support.browsing import Browser
from tests.support.evidence import PDF, add, disputed
from tests.support.people import Pair, make_node
from webapp import ROOT
from webapp.domain.money import Amount
from webapp.services.container import Services
from webapp.services.plans import Milestone
from webapp.web.static_files import static_url

TABLE = ROOT / "docs" / "access.md"
VISITORS = ("payer", "provider", "other", "operator", "arbiter", "stranger")
# Made by libraries, or for programs, who are asked for signatures (tests/api).
NOT_PAGES = ("api_", "openapi", "swagger", "static", "assets")
# What everybody may do to themselves: it would end the visit, or hold it open.
NOT_TRIED = {"/logout", "/live"}
_ROW = re.compile(r"^\| `(GET|POST) ([^`]+)` \|(.*)\|$")


def table() -> dict[tuple[str, str], tuple[str, ...]]:
    """(method, address) to what each of the visitors meets."""
    rows = [_ROW.match(line) for line in Path(TABLE).read_text().splitlines()]
    return {(row[1], row[2]): tuple(cell.strip() for cell in row[3].split("|")[1:]) for row in rows if row}


def rules(app: Flask) -> dict[tuple[str, str], Rule]:
    return {
        (method, rule.rule): rule
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.startswith(NOT_PAGES)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def meets(browser: Browser, method: str, path: str, token: str, *, htmx: bool = False) -> str:
    """What a visitor meets at an address, in the words of the table."""
    if method == "GET":
        response = browser.get(path, htmx=htmx)
    else:
        response = browser.post(path, {"x": "1"}, htmx=htmx, token=token)
    location = response.location or ""
    response.close()
    if response.status_code == 401 or location.startswith("/login?"):
        return "log in"
    return {403: "no", 404: "hidden"}.get(response.status_code, "yes")


@pytest.fixture
def known(session, services: Services, pair: Pair) -> dict[str, str]:
    """Things of the payer and the provider, by the names that addresses have for them."""
    escrow = disputed(session, services, pair)
    item = add(session, services, pair.payer, escrow, "Look", PDF)
    offer = services.offers(session, pair.provider.actor).offer(escrow.id, "10")
    parts = [Milestone(title, "5") for title in ("first", "second")]
    plan = services.plans(session, pair.payer.actor).create(
        pair.payer.wallet_id, pair.provider.wallet_id, "Film", parts, service_name="video", task_id="7"
    )
    address = "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"
    payout = services.wallets(session).payouts.withdraw(pair.payer.wallet_id, address, Amount.parse(5))
    catalogue, provider = services.catalogue(session), pair.provider
    service = catalogue.offer(provider.actor, provider.wallet_id, name="upscaling", kind="image")
    return {
        "escrow_id": str(escrow.id),
        "number": str(item.number),
        "offer_id": str(offer.id),
        "plan_id": str(plan.plan.id),
        "payout_id": str(payout.id),
        "node_id": make_node(session, services, provider).node.id,
        "wallet_id": str(pair.payer.wallet_id),
        "service_id": str(service.id),
        "form": "csv",
    }


def test_the_table_has_every_page(app: Flask) -> None:
    assert set(rules(app)) == set(table())


def test_every_address_keeps_to_the_table(
    app: Flask, visitors: dict[str, Browser], known: dict[str, str]
) -> None:
    wrong, tokens = [], {visitor: visitors[visitor].token() for visitor in VISITORS}
    for (method, address), rule in rules(app).items():
        if address in NOT_TRIED:
            continue
        path = address
        for name in rule.arguments:
            value = known.get(name) or (str(uuid.UUID(int=7)) if f"<uuid:{name}>" in address else "999999")
            path = re.sub(rf"<[^<>]*\b{name}>", value, path)
        # Where there is no such thing yet, those who may see it learn just that.
        is_there = rule.arguments <= known.keys()
        for visitor, expected in zip(VISITORS, table()[method, address], strict=True):
            # What is closed to a stranger is so for HTMX, too.
            met = meets(visitors[visitor], method, path, tokens[visitor], htmx=visitor == "stranger")
            may_be_hidden = expected == "own" or not is_there
            if met != expected and not (
                expected in ("yes", "own") and met in ("yes", "hidden") and may_be_hidden
            ):
                wrong.append(f"{method} {address}: {visitor} meets {met!r} instead of {expected!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.settings(security={"enable_rate_limiting": True, "max_requests_per_minute": 5})
def test_what_a_page_is_drawn_with_does_not_count_against_its_reader(app: Flask) -> None:
    client = app.test_client()
    with app.test_request_context():
        style_sheet = static_url("site.css")

    for _ in range(10):
        with client.get(style_sheet) as response:
            assert response.status_code == 200
    assert [client.get("/login").status_code for _ in range(6)] == [200] * 5 + [429]
