"""Looking for escrows and days of a statement: what is found, kept in the address, taken away whole, and repeated."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from html import unescape

import pytest
from sqlalchemy.orm import Session

from tests.support.browsing import Browser
from tests.support.escrow_rows import make_unpaid
from tests.support.people import Pair, make_escrow
from webapp.domain.clock import utcnow
from webapp.services import escrow_queries, wallet_statement
from webapp.services.container import Services

ROW = 'role="rowheader"'


def _next(text: str) -> str:
    found = re.search(r'rel="next" href="([^"]+)"', text)
    assert found
    return unescape(found.group(1))


def _tasks(text: str) -> list[str]:
    return re.findall(r'class="row-note">(Scene_\d+)<', text)


@pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])
def test_what_is_looked_for_stays_in_the_address_from_page_to_page(
    payer: Browser, pair: Pair, session: Session, htmx: bool
) -> None:
    make_unpaid(session, pair.payer.wallet_id, pair.provider.wallet_id, 90)
    asked = "status=refunded&side=payer&text=scene&service=gpu-render&created_from=2030-01-05&sort=oldest"
    first = payer.get(f"/escrows?{asked}", htmx=htmx).text
    address = _next(first)
    assert set(asked.split("&")) < set(address.partition("?")[2].split("&"))
    tasks = _tasks(first) + _tasks(payer.get(address, htmx=htmx).text)
    assert tasks == [f"Scene_{number}" for number in range(4, 90, 2) if number % 3][:40]
    for shown in (
        'value="scene"',
        'value="2030-01-05"',
        '<option selected value="gpu-render">',
        "Clear the filters",
    ):
        assert shown in first, shown
    assert '<option selected value="oldest">' in first
    sent = payer.get("/escrows?text=scene&service=&created_from=&created_to=&sort=newest", htmx=htmx)
    assert sent.headers.get("HX-Push-Url") == ("/escrows?text=scene" if htmx else None)


def test_the_order_by_deadline_is_of_what_is_open(payer: Browser, pair: Pair, session: Session) -> None:
    make_unpaid(session, pair.payer.wallet_id, pair.provider.wallet_id, 9)
    page = payer.get("/escrows?sort=deadline").text
    assert _tasks(page) == ["Scene_0", "Scene_3", "Scene_6"]
    assert re.search(r'id="by-state-open"[^>]*aria-current="true"', page)
    assert len(_tasks(payer.get("/escrows?sort=deadline&status=refunded").text)) == 6


def test_nothing_found_says_what_was_looked_for_and_leads_back(payer: Browser) -> None:
    assert "No escrows yet" in payer.get("/escrows").text
    for query, words in {
        "text=%3Cb%3E": "“&lt;b&gt;”",
        "status=disputed&side=provider": "Disputed, I provide",
        "service=none": "service none",
        "created_from=2030-01-01&created_to=2030-01-02": "made from 1 Jan 2030 on, made up to 2 Jan 2030",
    }.items():
        page = payer.get(f"/escrows?{query}").text
        assert f"Looked for: {words}." in page
        assert "Show all escrows" in page


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("created_from=2030-02-30", "Not a valid date value."),
        ("created_from=2030-01-02&created_to=2030-01-01", "Must not be before the day it begins with"),
        ("sort=size", "Not a valid choice"),
        ("text=a%00b", "Must not contain control characters"),
        ("service=a%00b", "Must not contain control characters"),
    ],
)
def test_what_cannot_be_looked_for_is_said_beside_its_field(payer: Browser, query: str, message: str) -> None:
    for htmx in (False, True):
        answer = payer.get(f"/escrows?{query}", htmx=htmx)
        assert answer.status_code == 422
        assert message in unescape(answer.text)
    assert payer.get(f"/escrows/list.csv?{query}").status_code == 422


def test_the_whole_of_what_is_found_is_taken_away(
    visitors: dict[str, Browser], pair: Pair, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(escrow_queries, "PIECE", 7)
    made = make_unpaid(session, pair.payer.wallet_id, pair.provider.wallet_id, 40)
    make_unpaid(session, pair.payer.wallet_id, pair.provider.wallet_id, 1, task_id="=1+1", service_name="x")

    def table(who: str, query: str = "") -> list[dict[str, str]]:
        answer = visitors[who].get(f"/escrows/list.csv{query}")
        assert answer.is_streamed
        assert answer.headers["Content-Disposition"] == 'attachment; filename="duxos-escrows.csv"'
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        objects = json.loads(visitors[who].get(f"/escrows/list.json{query}").data)
        as_text = [{key: "" if v is None else str(v) for key, v in each.items()} for each in objects]
        assert [row | {"task_id": row["task_id"].lstrip("'")} for row in rows] == as_text
        return rows

    found = table("payer", "?sort=oldest&text=scene&status=refunded")
    assert [row["id"] for row in found] == [str(each) for n, each in enumerate(made) if n % 3]
    assert found[0]["amount"] == "0.00000008"
    assert [row["task_id"] for row in table("payer", "?service=x")] == ["'=1+1"]
    counts = {"payer": 41, "provider": 41, "operator": 41, "arbiter": 41, "other": 0}
    assert {name: len(table(name)) for name in counts} == counts
    assert table("provider", "?side=payer") == []
    assert visitors["stranger"].get("/escrows/list.csv").status_code == 303
    page = visitors["payer"].get("/escrows?text=scene&sort=amount").text
    assert "/escrows/list.csv?text=scene&amp;sort=amount" in page


def test_a_statement_has_its_days_its_balances_and_its_files(
    payer: Browser, provider: Browser, pair: Pair, session: Session, services: Services, monkeypatch
) -> None:
    monkeypatch.setattr(wallet_statement, "PIECE", 4)
    for number in range(6):
        make_escrow(session, services, pair, str(number + 1))
    first = payer.get("/wallet/statement").text
    assert 'value="979.00000000"' in first
    assert 'value="1000.00000000"' in first
    for _ in range(6):
        make_escrow(session, services, pair, "1")
    assert "A hundred lines, to print" in payer.get("/wallet/statement?since=2020-01-01").text
    whole = payer.get("/wallet/statement?since=2020-01-01&long=yes").text
    assert (whole.count("Locked in an escrow"), "Older" in whole, "to print" in whole) == (12, False, False)
    none = payer.get("/wallet/statement?since=2020-01-01&until=2020-12-31", htmx=True).text
    assert "Nothing moved in these days" in none
    assert "from 2020-01-01 to 2020-12-31" in none
    wrong = payer.get("/wallet/statement?since=2020-01-02&until=2020-01-01")
    assert (wrong.status_code, "Must not be before the day" in wrong.text) == (422, True)
    assert payer.get("/wallet/statement.csv?since=x").status_code == 422

    path = f"/wallet/statement.csv?wallet={pair.payer.wallet_id}"
    rows = list(csv.DictReader(io.StringIO(payer.get(path).text)))
    assert len(rows) == 13
    figures = [rows[6][name] for name in ("available_out", "held_in", "balance")]
    assert figures == ["6.00000000", "6.00000000", "979.00000000"]
    assert rows[-1]["available_in"] == rows[-1]["balance"] == "1000.00000000"
    assert len(json.loads(payer.get(path.replace(".csv", ".json")).data)) == 13
    assert payer.get(f"{path}&since=2999-01-01").text.count("\n") == 1
    assert provider.get(path).status_code == 404


def test_an_escrow_is_repeated_with_its_terms(
    visitors: dict[str, Browser], pair: Pair, session: Session, services: Services
) -> None:
    escrow = make_escrow(session, services, pair, "12.5", expected_result_hash="ab" * 32)
    assert f"/escrows/new?repeat={escrow.id}" in visitors["payer"].get(f"/escrows/{escrow.id}").text
    assert "repeat=" not in visitors["provider"].get(f"/escrows/{escrow.id}").text
    form = visitors["payer"].get(f"/escrows/new?repeat={escrow.id}").text
    fields = dict(re.findall(r'name="([a-z_]+)"[^>]* value="([^"]*)"', form))
    assert (fields["provider_wallet_id"], fields["amount"]) == (str(pair.provider.wallet_id), "12.50000000")
    assert (fields["service_name"], fields["task_id"]) == ("image_upscaler_v1", "")
    assert fields["expected_result_hash"] == ""
    assert fields["expires_at"] == "", "the usual time"
    in_a_month = utcnow() + timedelta(days=30)
    longer = make_escrow(session, services, pair, "1", expires_at=in_a_month)
    form = visitors["payer"].get(f"/escrows/new?repeat={longer.id}").text
    assert in_a_month.strftime('name="expires_at" type="datetime-local" value="%Y-%m-%d') in form
    for path in (f"/escrows/new?repeat={escrow.id}", f"/escrows/new?repeat={escrow.id}x"):
        assert visitors["other"].get(path).status_code == 404
