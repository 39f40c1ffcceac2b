"""The service catalogue in the browser: offered, found, changed, retired, ordered; and results handed in as files."""

from __future__ import annotations

import hashlib
import html
import io
import re
import uuid
from collections.abc import Callable

import pytest
from sqlalchemy import select

from tests.support.browsing import Browser
from tests.support.people import Pair, make_escrow
from tests.support.results import picture
from webapp.models import CatalogueService, Escrow
from webapp.services.container import Services

both_ways = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
LIMITS = '{"formats": ["PNG"], "width": 64, "advisory": ["width"]}'


def _terms(pair: Pair, **over: object) -> dict[str, object]:
    return {
        "name": "image_upscaler_v1",
        "kind": "image",
        "provider_wallet_id": pair.provider.wallet_id,
        "description": "Makes <images> larger",
        "price": "12.5",
        "deadline_hours": "4",
        "limits": LIMITS,
        "requires_result": "y",
    } | over


def _offer(services: Services, session, pair: Pair, **said: object) -> CatalogueService:
    said = {"name": "image_upscaler_v1", "kind": "image", "limits": {"formats": ["PNG"]}} | said
    return services.catalogue(session).offer(pair.provider.actor, pair.provider.wallet_id, **said)


def _now(session, service_id: int) -> CatalogueService:
    session.rollback()
    return session.get_one(CatalogueService, service_id, populate_existing=True)


def _beside(page: str, name: str) -> str:
    found = re.search(rf'id="{name}-error">.*?<span>(.*?)</span>', page, re.DOTALL)
    return html.unescape(found.group(1)) if found else ""


@both_ways
def test_a_provider_offers_changes_and_retires_a_service(
    provider: Browser, payer: Browser, pair: Pair, session, htmx: bool
) -> None:
    response = provider.post("/catalogue/new", _terms(pair), htmx=htmx)
    service = session.scalars(select(CatalogueService)).one()
    path = f"/catalogue/{service.id}"
    assert (response.headers.get("HX-Redirect") if htmx else response.location) == path
    assert (str(service.price), service.requires_result, service.limits["width"]) == ("12.50000000", True, 64)

    page = payer.get(path).text
    assert "Makes &lt;images&gt; larger" in page
    assert "Exactly 64 pixels wide." in page
    assert "Noted only, and no reason to refuse: width." in page
    assert f"/escrows/new?service={service.id}" in page
    assert "Retire it" not in page
    assert path in payer.get("/catalogue?text=UPSCALER&kind=image", htmx=htmx).text
    assert path not in payer.get("/catalogue?kind=text", htmx=htmx).text
    for unreadable in ("text=a%00b", "kind=magic", "cursor=%00"):
        assert payer.get(f"/catalogue?{unreadable}", htmx=htmx).status_code == 422

    changed = provider.post(path, _terms(pair, price="", limits="", requires_result=""), htmx=htmx)
    assert changed.status_code == (200 if htmx else 303)
    service = _now(session, service.id)
    assert (service.price, service.limits, service.name) == (None, {}, "image_upscaler_v1")
    assert provider.post(f"{path}/retire", htmx=htmx).status_code == (200 if htmx else 303)
    assert payer.get(path).status_code == payer.get(f"/escrows/new?service={service.id}").status_code == 404
    assert path not in provider.get("/catalogue").text
    assert "retired" in provider.get("/catalogue?mine=yes").text
    assert provider.post(f"{path}/resume", htmx=htmx).status_code == (200 if htmx else 303)
    assert payer.get(path).status_code == 200


@both_ways
def test_what_is_wrong_stands_beside_its_field(
    provider: Browser, payer: Browser, pair: Pair, services: Services, session, htmx: bool
) -> None:
    wrong = {
        "name": "",
        "price": "much",
        "limits": '{"width": 0, "formats": ["BMP"]}',
        "acceptance_hours": "1",
    }
    page = provider.post("/catalogue/new", _terms(pair, **wrong), htmx=htmx)
    assert (page.status_code, _beside(page.text, "name")) == (422, "Name the service")
    page = provider.post("/catalogue/new", _terms(pair, **wrong | {"name": "x"}), htmx=htmx)
    assert page.status_code == 422
    assert "decimal" in _beside(page.text, "price").lower() or _beside(page.text, "price")
    assert _beside(page.text, "acceptance_hours") == "Must be a whole number of hours from 72 to 8760"
    assert _beside(page.text, "limits").startswith(
        "Width: must be a whole number from 1 to 16384; formats: must be"
    )
    assert "&#34;BMP&#34;" in page.text  # what was typed stays
    page = provider.post("/catalogue/new", _terms(pair, limits="{no"), htmx=htmx)
    assert _beside(page.text, "limits").startswith("Must be JSON")

    service = _offer(services, session, pair)
    path = f"/catalogue/{service.id}"
    page = provider.post("/catalogue/new", _terms(pair), htmx=htmx)
    assert _beside(page.text, "name").startswith("Is the name of another service")
    page = provider.post(path, {"limits": '{"colour": 1}'}, htmx=htmx)
    assert (page.status_code, _beside(page.text, "limits")[:26]) == (422, "Colour: is no rule of this")
    for action in ("", "/retire", "/resume"):
        assert payer.post(path + action, {"price": "1"}, htmx=htmx).status_code == 404
    assert _now(session, service.id).limits == {"formats": ["PNG"]}


def test_the_form_of_a_new_escrow_is_filled_in_from_the_service(
    payer: Browser, pair: Pair, services: Services, session
) -> None:
    service = _offer(services, session, pair, price="12.5", deadline_hours=4)
    page = payer.get(f"/escrows/new?service={service.id}").text
    values = dict(re.findall(r'name="(\w+)"[^>]*? value="([^"]*)"', page))
    assert values["provider_wallet_id"] == str(pair.provider.wallet_id)
    assert (values["service_name"], values["amount"]) == ("image_upscaler_v1", "12.50000000")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d", values["expires_at"])
    assert "A picture that can be decoded: PNG." in page
    sent = {name: values[name] for name in ("provider_wallet_id", "service_name", "amount", "expires_at")}
    sent |= {"idempotency_key": uuid.uuid4().hex, "payer_wallet_id": pair.payer.wallet_id, "task_id": "1"}
    assert payer.post("/escrows", sent).status_code == 303
    escrow = session.scalars(select(Escrow)).one()
    assert escrow.service_terms["service_id"] == service.id
    assert "What the result must be" in payer.get(f"/escrows/{escrow.id}").text


@both_ways
@pytest.mark.settings(escrow={"max_result_size": 20_000})
def test_a_file_is_handed_in_checked_and_reported(
    provider: Browser, payer: Browser, pair: Pair, services: Services, session, htmx: bool
) -> None:
    limits = {"formats": ["PNG"], "width": 64, "height": 32, "advisory": ["height"]}
    _offer(services, session, pair, limits=limits, requires_result=True)
    escrow = make_escrow(session, services, pair)
    path = f"/escrows/{escrow.id}"
    assert 'enctype="multipart/form-data"' in provider.get(path).text

    def deliver(data: bytes | None, **fields: object):
        sent = {"idempotency_key": uuid.uuid4().hex, "seen": "active", "make_key": "y"} | fields
        if data is not None:
            sent["result"] = (io.BytesIO(data), "result.png")
        return provider.post(f"{path}/deliver", sent, htmx=htmx)

    refused: list[tuple[Callable[[], object], str, str]] = [
        (lambda: deliver(None), "deliver-result-hash", "choose the file"),
        (lambda: deliver(None, result_hash="ab" * 32), "deliver-result", "Is needed"),
        (
            lambda: deliver(picture("JPEG", (65, 32))),
            "deliver-result",
            "format: must have the format PNG, and has JPEG",
        ),
        (lambda: deliver(picture("JPEG", (65, 32))), "deliver-result", "width: must have exactly 64"),
        (lambda: deliver(b"x" * 100_000), "deliver-result", "at most 20000 bytes"),
        (lambda: deliver(picture(), result_hash="ab" * 32), "deliver-result-hash", "is not the SHA-256"),
    ]
    for press, field, reason in refused:
        page = press()
        assert page.status_code == 422, reason
        assert (
            hashlib.sha256(picture("JPEG", (65, 32))).hexdigest() not in page.text
        )  # the next file has another
        assert reason.lower() in _beside(page.text, field).lower()
    assert deliver(b"x" * 300_000).status_code == 413
    assert "How the result was checked" not in provider.get(path).text

    assert deliver(picture(size=(64, 33))).status_code == (200 if htmx else 303)
    session.rollback()
    delivered = session.get_one(Escrow, escrow.id, populate_existing=True)
    assert (delivered.status, delivered.result_hash) == (
        "delivered",
        hashlib.sha256(picture(size=(64, 33))).hexdigest(),
    )
    page = payer.get(path).text
    assert "How the result was checked" in page
    assert "It must have exactly 32 pixels down, and has 33." in page
    assert "This rule is noted only." in page
