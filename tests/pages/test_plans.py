"""Escrows in parts in the browser: rows that come and go, all parts at once, and the page that tells how far it is."""

from __future__ import annotations

import uuid

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.browsing import Browser
from tests.support.money import balances
from tests.support.people import RESULT_HASH, Pair, manager, signature
from webapp.models import Escrow, Plan
from webapp.services.container import Services
from webapp.services.plans import MAX_PARTS

both_ways = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])


def _terms(pair: Pair, amounts: list[str], **over: object) -> dict[str, object]:
    rows = {
        f"parts-{number}-{name}": value
        for number, amount in enumerate(amounts)
        for name, value in (("title", f"Scene {number}"), ("amount", amount), ("expires_at", ""))
    }
    return {
        "idempotency_key": uuid.uuid4().hex,
        "payer_wallet_id": pair.payer.wallet_id,
        "provider_wallet_id": pair.provider.wallet_id,
        "title": "A film of the harbour",
        "service_name": "video",
        "task_id": "film 7",
        **rows,
        **over,
    }


@both_ways
def test_rows_come_and_go_and_what_was_typed_stays(payer: Browser, pair: Pair, htmx: bool) -> None:
    typed = _terms(pair, ["40", "60.5"])
    more = payer.post("/escrows/plans/rows", typed | {"rows": "3"}, htmx=htmx)
    assert more.status_code == 200
    assert 'name="parts-2-amount"' in more.text
    assert 'value="A film of the harbour"' in more.text
    assert 'value="60.5"' in more.text
    assert 'value="100.50000000"' in more.text, "the sum"
    less = payer.post("/escrows/plans/rows", typed | {"rows": "1"}, htmx=htmx).text
    assert ('name="parts-1-amount"' in less, 'name="parts-2-amount"' in less) == (True, False)
    most = payer.post("/escrows/plans/rows", typed | {"rows": "999"}, htmx=htmx).text
    assert f'name="parts-{MAX_PARTS - 1}-amount"' in most
    assert "Add a part" not in most


@both_ways
def test_a_plan_is_made_and_tells_how_far_it_is(
    payer: Browser, provider: Browser, pair: Pair, session: Session, services: Services, htmx: bool
) -> None:
    begun = payer.post(
        "/escrows/plans/begin", {"task_id": "film 7", "amount": "40", "secret": "no"}, htmx=htmx
    )
    where = begun.headers["HX-Redirect"] if htmx else begun.location
    assert where == "/escrows/plans/new?task_id=film+7&parts-0-amount=40"
    assert 'value="film 7"' in payer.get(where).text
    terms = _terms(pair, ["40", "60"])
    for _ in range(2):
        made = payer.post("/escrows/plans", terms, htmx=htmx)
        assert made.status_code == (204 if htmx else 303)
    plan = session.scalars(select(Plan)).one()
    parts = session.scalars(select(Escrow).order_by(Escrow.part_number)).all()
    path = f"/escrows/plans/{plan.id}"
    assert (made.headers["HX-Redirect"] if htmx else made.location) == path
    assert balances(session, pair.payer.wallet_id) == ("900.00000000", "100.00000000")

    manager(session, services, pair.payer).release_escrow(parts[0].id, RESULT_HASH, signature(pair, parts[0]))
    page = provider.get(path, htmx=htmx).text
    assert "A film of the harbour" in page
    assert f'href="/escrows/{parts[0].id}"' in page
    assert 'class="plan-released" x="0" y="0" width="400"' in page
    assert 'class="plan-held" x="400" y="0" width="600"' in page
    assert f"sse:escrow-{parts[1].id}" in page
    assert f"sse:escrow-{parts[0].id}" not in page
    part = payer.get(f"/escrows/{parts[1].id}").text
    assert f'Part 2 of 2 of <a href="{path}">A film of the harbour</a>: Scene 1' in part
    assert "Part 2: Scene 1" in payer.get("/escrows").text
    assert f"{plan.id},2,Scene 1" in payer.get("/escrows/list.csv").text


@both_ways
def test_what_is_wrong_stands_beside_its_field_and_nothing_is_made(
    payer: Browser, pair: Pair, session: Session, htmx: bool
) -> None:
    for over, messages in (
        ({"parts-1-amount": "x"}, ["Part 2: must be a plain decimal", 'id="parts-1-amount-error"']),
        ({"parts-0-title": ""}, ["Part 1: Name the part", 'id="parts-0-title-error"']),
        ({"parts-0-expires_at": "2001-01-01T00:00"}, ["Part 1: must be in the future"]),
        ({"parts-0-amount": "999.5"}, ["All parts together are more than you have available."]),
        ({"provider_wallet_id": "999999"}, ["There is no such wallet"]),
        ({"title": ""}, ["Name the whole"]),
    ):
        refused = payer.post("/escrows/plans", _terms(pair, ["40", "60"], **over), htmx=htmx)
        assert refused.status_code == 422, over
        assert all(message in refused.text for message in messages), (over, refused.text)
        assert 'value="film 7"' in refused.text
    session.rollback()
    assert session.scalars(select(Plan)).all() == []


def test_the_sum_of_what_is_typed_is_told_by_the_server(payer: Browser) -> None:
    told = payer.get("/escrows/plans/sum?parts-0-amount=0.00000019&parts-1-amount=0.00000019", htmx=True).text
    assert 'value="0.00000038"' in told, "each part is split by itself: nothing is left for the fund"
    assert "as soon as there are amounts" in payer.get("/escrows/plans/sum?parts-0-amount=x").text
