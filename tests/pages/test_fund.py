"""The fund's pages: what it holds and waits for, its charts, every airdrop with every share, and files of all of it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from tests.support.airdrops import airdrops, chain_was_read, fill_fund, let_time_pass, make_nodes
from tests.support.browsing import Browser
from tests.support.people import Pair, make_person
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.models import Airdrop, AirdropRecipient, ChainTransaction, CommunityFund, NodeHeartbeat, Payout
from webapp.services import fund_records
from webapp.services.airdrops import history
from webapp.services.airdrops.run import AirdropRun
from webapp.services.container import Services
from webapp.services.unit_of_work import unit_of_work
from webapp.web.exports import safe_cell

ADDRESS = "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"
TXID = "c0" * 32
PUBLIC = pytest.mark.settings(community_fund={"is_public": True})


def give(session: Session, services: Services, wallet_ids: list[int], amount: str = "120", **values: object):
    """An automatic airdrop to one new node of each wallet, a day after the one before; (it, the nodes)."""
    ids = make_nodes(session, wallet_ids, **values)
    fill_fund(session, amount)
    let_time_pass(session, days=2)
    chain_was_read(session)
    AirdropRun(session, services.settings).run()
    return airdrops(session)[-1], ids


def record(session: Session, hours: int) -> None:
    """A record for each of so many hours before now, in which the balance grew by 1 FLOP each time."""
    now, usual = utcnow(), {"min_airdrop_amount": Amount.parse(1), "airdrop_interval_hours": 24}
    usual |= {"airdrop_threshold": Amount.parse(100), "max_airdrop_nodes": 1000}
    rows = [
        {
            "recorded_at": now - timedelta(hours=age),
            "balance": Amount.parse(hours - age),
            "total_collected": Amount(0),
            "total_distributed": Amount(0),
            **usual,
        }
        for age in range(hours - 1, 0, -1)
    ]
    with unit_of_work(session):
        session.execute(insert(CommunityFund), rows)


def send_shares(session: Session, airdrop: Airdrop) -> None:
    """As if the worker had put every share that is to leave into one transaction with three confirmations."""
    with unit_of_work(session):
        payouts = session.scalars(select(Payout)).all()
        assert payouts
        sent = ChainTransaction(
            id=airdrop.id,
            status="broadcast",
            txid=TXID,
            signed_hex="00",
            fee=Amount(1000),
            size=200,
            confirmations=1,
            built_on_block="aa" * 32,
        )
        session.add(sent)
        session.flush()
        for index, payout in enumerate(payouts):
            payout.status, payout.transaction_id, payout.output_index = "broadcast", sent.id, index


def test_an_empty_fund_says_what_it_waits_for(payer: Browser) -> None:
    page = payer.get("/fund").text

    assert "100.00000000\u00a0FLOP more, and it is given back." in page
    assert "as soon as the threshold is reached" in page
    assert "No airdrop yet" in page
    assert "the chart begins with the first record" in page
    assert 'role="img"' not in page
    for path in ("/fund/airdrops", "/fund/rules", "/fund/history.csv", "/fund/recipients.json"):
        assert payer.get(path).status_code == 200, path
    assert payer.get("/fund/airdrops.json").json == []
    assert payer.get("/fund?days=8").status_code == 422


def test_the_charts_are_drawn_from_few_points_and_have_their_table(payer: Browser, session, services) -> None:
    record(session, 200)
    give(session, services, [make_person(session, services, "provider").wallet_id] * 3)
    page = payer.get("/fund")
    month = payer.get("/fund?days=30", htmx=True)

    assert page.text.count('role="img"') == 2
    assert 'aria-labelledby="balance-chart-title balance-chart-words"' in page.text
    assert "it holds 0.00000000\u00a0FLOP now. The threshold is 100.00000000\u00a0FLOP." in page.text
    assert "One airdrop, which gave 120.00000000\u00a0FLOP." in page.text
    assert " style=" not in page.text
    assert month.text.startswith('<section class="card" id="fund-balance"')
    for drawn in (page.text, month.text):
        line = re.search(r'class="chart-line" points="([^"]+)"', drawn)
        assert line is not None
        places = [tuple(map(int, pair.split(","))) for pair in line.group(1).split()]
        assert 50 < len(places) <= 85
        assert places == sorted(places, key=lambda place: place[0])
        assert (places[0][0], places[-1][0]) == (0, 1000)
        assert all(0 <= y <= 260 for _, y in places)
        rows = re.search(r"The fund’s balance, the newest first.*?</table>", drawn, re.DOTALL)
        assert rows is not None
        assert rows.group().count('role="rowheader"') == len(places)


def test_a_fund_that_is_due_says_why_nothing_happens(payer: Browser, session, services) -> None:
    fill_fund(session, "250")
    make_nodes(session, [make_person(session, services, "provider").wallet_id], is_alive=False)
    chain_was_read(session)
    AirdropRun(session, services.settings).run()
    page = payer.get("/fund").text

    assert "An airdrop is due, and waits" in page
    assert "It is due, and waits: " in page
    assert "100 % of the threshold" in page


def test_an_airdrop_shows_every_share_and_why_others_have_none(
    payer: Browser, session: Session, services: Services, count_queries: Callable[[Callable[[], object]], int]
) -> None:
    owners = [make_person(session, services, "provider").wallet_id for _ in range(11)]
    absent = make_nodes(session, owners[:2], is_alive=False)
    airdrop, ids = give(session, services, [owner for owner in owners for _ in range(7)])
    path = f"/fund/airdrops/{airdrop.id}"
    page = payer.get(path).text

    assert airdrop.recipient_count == 55
    assert f"<h1>Airdrop {airdrop.number}</h1>" in page
    assert airdrop.snapshot_hash in page
    assert "is offline" in page
    assert "is one of more nodes of one owner than may take part" in page
    assert page.count("into its balance") == 25
    assert all(each in page for each in absent)
    seen = set(re.findall(r'class="node-id">([^<]+)<', page))
    following = f"{path}/recipients"
    for count, htmx in ((25, True), (25, False), (5, True)):
        more = payer.get(following, htmx=htmx).text
        assert more.startswith('<section class="card airdrop-recipients"') is htmx
        assert more.count("into its balance") == count
        seen |= set(re.findall(r'class="node-id">([^<]+)<', more))
        found = re.search(r'rel="next" href="([^"]+)"', more)
        following = found.group(1) if found else ""
    assert not following
    others = payer.get(f"{path}/without-share").text
    seen |= set(re.findall(r'class="node-id">([^<]+)<', others))
    assert seen == {*ids, *absent}
    assert payer.get(f"{path}/recipients?cursor=nonsense").status_code == 422
    assert payer.get("/fund/airdrops/0198c3f9-1f07-7ac3-8a51-6b0d8e2f4c11").status_code == 404
    assert count_queries(lambda: payer.get(path)) <= 12
    assert count_queries(lambda: payer.get("/fund")) <= 26

    snapshot = payer.get(f"{path}/snapshot.json")
    assert hashlib.sha256(snapshot.data).hexdigest() == airdrop.snapshot_hash
    assert snapshot.headers["ETag"] == f'"{airdrop.snapshot_hash}"'
    assert "attachment" in snapshot.headers["Content-Disposition"]
    listed = payer.get("/fund/airdrops").text
    assert f"Airdrop {airdrop.number}</a>" in listed
    assert "Done" in listed


def test_shares_on_the_chain_show_their_transactions_and_no_account(
    payer: Browser, session: Session, services: Services
) -> None:
    owner = make_person(session, services, "provider")
    airdrop, ids = give(session, services, [owner.wallet_id] * 3, airdrop_to="chain", airdrop_address=ADDRESS)
    AirdropRun(session, services.settings).run()
    send_shares(session, airdrop)
    with unit_of_work(session):
        failed = (AirdropRecipient.node_id == ids[0]) & (AirdropRecipient.airdrop_id == airdrop.id)
        session.execute(update(AirdropRecipient).where(failed).values(reason="=cmd|' /C calc'!A0"))
    page = payer.get(f"/fund/airdrops/{airdrop.id}").text

    for path in ("/fund/figures", f"/fund/airdrops/{airdrop.id}/progress"):
        assert (
            '<progress value="0" max="3" aria-label="Shares that have arrived">'
            in payer.get(path, htmx=True).text
        )
        assert payer.get(path).location == path.rpartition("/")[0]
    assert page.count("to its address") == 3
    assert page.count(f'title="{TXID}"') == 3
    assert "1 of " in page
    assert ADDRESS not in page
    rows = list(csv.DictReader(io.StringIO(payer.get(f"/fund/airdrops/{airdrop.id}/recipients.csv").text)))
    assert {row["node_id"] for row in rows} == set(ids)
    assert {row["txid"] for row in rows} == {TXID}
    assert [row["reason"] for row in rows if row["reason"]] == ["'=cmd|' /C calc'!A0"]
    assert ADDRESS not in str(rows)
    assert not {"wallet_id", "address"} & set(rows[0])


def test_files_hold_everything_in_both_forms(
    payer: Browser, session: Session, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "PIECE", 7)
    monkeypatch.setattr(fund_records, "PIECE", 30)
    record(session, 100)
    owners = [make_person(session, services, "provider").wallet_id for _ in range(4)]
    first, _ = give(session, services, owners * 5)
    with unit_of_work(session):
        session.execute(update(NodeHeartbeat).values(last_beat_at=utcnow() - timedelta(days=1)))
    second, _ = give(session, services, owners[:2])

    for name, count in (("history", 99), ("airdrops", 2), ("recipients", 22)):
        as_csv = payer.get(f"/fund/{name}.csv")
        assert as_csv.is_streamed
        rows = list(csv.DictReader(io.StringIO(as_csv.text)))
        objects = json.loads(payer.get(f"/fund/{name}.json").data)
        assert (as_csv.mimetype, len(rows), len(objects)) == ("text/csv", count, count)
        assert rows == [{key: "" if v is None else str(v) for key, v in each.items()} for each in objects]
    assert [each["airdrop_number"] for each in objects[:3]] == [second.number] * 2 + [first.number]
    assert sum(Amount.parse(each["amount"]).base_units for each in objects) == (
        first.total.base_units + second.total.base_units
    )
    parts = json.loads(payer.get(f"/fund/airdrops/{second.id}/recipients.json").data)
    assert parts == objects[:2]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", " =1", "＝1"])
def test_a_cell_that_looks_like_a_formula_is_made_harmless(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


def test_other_cells_stay_what_they_are() -> None:
    cells = ["node-1", "a=b", "", 7, Amount.parse("1.5"), None]
    assert [safe_cell(cell) for cell in cells] == ["node-1", "a=b", "", 7, "1.50000000", ""]


PAGES = ("", "/airdrops", "/airdrops/{id}", "/airdrops/{id}/recipients", "/airdrops/{id}/without-share")
FILES = ("/history.csv", "/airdrops.json", "/recipients.csv", "/airdrops/{id}/snapshot.json")
OPEN = (*PAGES, *FILES, "/rules")


@PUBLIC
def test_a_public_fund_is_open_to_anybody_and_tells_nothing_personal(
    app: Flask, session: Session, services: Services, pair: Pair
) -> None:
    owner = make_person(session, services, "provider")
    airdrop, _ = give(session, services, [owner.wallet_id] * 2)
    stranger = Browser(app)

    for path in OPEN:
        response = stranger.get(f"/fund{path}".format(id=airdrop.id))
        assert response.status_code == 200, path
        assert owner.user.email not in response.text
        assert "wallet_id" not in response.text
    assert "Log in" in stranger.get("/fund").text
    assert 'href="/fund"' in stranger.get("/login").text
    assert stranger.post("/fund/rules").status_code == 303
    assert stranger.get("/wallet").status_code == 303


def test_a_fund_that_is_not_public_is_for_those_who_are_logged_in(
    app: Flask, payer: Browser, session: Session, services: Services
) -> None:
    airdrop, _ = give(session, services, [make_person(session, services, "provider").wallet_id])
    stranger = Browser(app)

    for path in OPEN:
        where = f"/fund{path}".format(id=airdrop.id)
        assert stranger.get(where).status_code == 303, path
        assert payer.get(where).status_code == 200, path
    assert 'href="/fund"' not in stranger.get("/login").text
