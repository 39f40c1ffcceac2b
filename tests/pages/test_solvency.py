"""The page of what is owed and held: open to everybody, and each proof to its owner alone."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from tests.pages.conftest import STRANGER
from tests.support.browsing import Browser
from tests.support.money import credit
from tests.support.people import Pair, make_escrow
from tests.support.solvency import publish_without_daemon
from webapp.domain.clock import utcnow
from webapp.domain.solvency import load, verify
from webapp.domain.solvency.verification import KINDS
from webapp.models import SolvencyStatement
from webapp.services.solvency.liabilities import Owed
from webapp.services.unit_of_work import unit_of_work


def test_before_the_first_statement_the_page_says_what_will_be_here(app) -> None:
    shown = Browser(app).get("/solvency")
    assert shown.status_code == 200
    assert "No statement yet" in shown.text
    assert Browser(app).get("/solvency/1.json").status_code == 404
    assert Browser(app).get("/solvency/" + "9" * 30).status_code == 404


def test_everybody_sees_what_is_owed_and_held_and_can_check_it(
    visitors: dict[str, Browser], session, services, pair: Pair
) -> None:
    make_escrow(session, services, pair, "250")
    statement = publish_without_daemon(session)
    for name, browser in visitors.items():
        shown = browser.get("/solvency")
        assert shown.status_code == 200, name
        assert shown.text.count('value="1000.00000000"') >= 2
        assert "100.00\u00a0%" in shown.text
        assert statement.root_hash in shown.text
        assert statement.document["message"] in shown.text
        document = browser.get(f"/solvency/{statement.id}.json")
        assert verify(load(document.text)).is_good
    stranger = visitors[STRANGER].get("/solvency").text
    assert "Log in" in stranger
    assert "wallet:" not in stranger
    assert "Proof of solvency" in visitors[STRANGER].get("/login").text
    assert "older than it should be" not in stranger

    with unit_of_work(session):
        session.execute(update(SolvencyStatement).values(published_at=utcnow() - timedelta(hours=49)))
    assert "older than it should be" in visitors[STRANGER].get("/solvency").text


def test_what_nobody_has_signed_for_is_told_apart(payer: Browser, session) -> None:
    statement = publish_without_daemon(session, cold=300 * 10**8, other=5)
    shown = payer.get("/solvency").text
    assert "300.00000000\u00a0FLOP lay in cold storage, whose address has not signed it yet" in shown
    assert "0.00000005\u00a0FLOP was in the same wallet at addresses that do not sign it" in shown
    assert "not signed</span>" in shown
    assert "held 699.99999995\u00a0FLOP" in shown
    assert verify(load(payer.get(f"/solvency/{statement.id}.json").text)).doubts != []


def test_owners_download_their_own_proof_and_nobody_elses(
    visitors: dict[str, Browser], session, services, pair: Pair
) -> None:
    make_escrow(session, services, pair, "250")
    statement = publish_without_daemon(session)
    path = f"/solvency/{statement.id}/proof.json?wallet={pair.payer.wallet_id}"

    assert path in visitors["payer"].get("/solvency").text
    assert "/solvency" in visitors["payer"].get("/wallet").text
    answer = visitors["payer"].get(path)
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
    assert answer.headers["Cache-Control"] == "no-store"
    proof = load(answer.text)
    assert verify(proof).is_good
    assert (proof["available"], proof["held"]) == ("750.00000000", "250.00000000")

    for name in ("provider", "other", "operator", "arbiter"):
        assert visitors[name].get(path).status_code == 404, name
        assert path not in visitors[name].get("/solvency").text
    assert visitors[STRANGER].get(path).status_code == 303
    mine = f"/solvency/{statement.id}/proof.json?wallet={pair.provider.wallet_id}"
    assert visitors["provider"].get(mine).status_code == 404  # nothing was owed
    assert "held nothing then" in visitors["provider"].get("/solvency").text
    for nonsense in ("", "?wallet=", "?wallet=x", "?wallet=" + "9" * 30):
        assert visitors["payer"].get(f"/solvency/{statement.id}/proof.json{nonsense}").status_code == 404
    assert visitors["payer"].get(f"/solvency/999/proof.json?wallet={pair.payer.wallet_id}").status_code == 404


def test_earlier_statements_stay_page_by_page(payer: Browser, session, pair: Pair) -> None:
    first = publish_without_daemon(session, block_height=100)
    credit(session, pair.payer.wallet_id, "5")
    for height in range(101, 112):
        publish_without_daemon(session, block_height=height)

    shown = payer.get("/solvency").text
    assert 'value="1005.00000000"' in shown
    assert f'href="/solvency/{first.id}"' not in shown
    older = shown.split('id="solvency-history-next"')[1].split('href="')[1].split('"')[0]
    part = payer.get(older, htmx=True).text
    assert part.lstrip().startswith('<section class="card" id="solvency-history"')
    assert f'href="/solvency/{first.id}"' in part
    assert "<!doctype html>" in payer.get(older).text
    assert payer.get("/solvency?cursor=nonsense").status_code == 422

    earlier = payer.get(f"/solvency/{first.id}").text
    assert 'value="1000.00000000"' in earlier
    assert "The newest statement" in earlier
    proof = payer.get(f"/solvency/{first.id}/proof.json?wallet={pair.payer.wallet_id}")
    assert verify(load(proof.text)).is_good


def test_a_proof_from_a_tree_of_several_blocks_verifies(payer: Browser, session, pair: Pair) -> None:
    own = [Owed(f"wallet:{pair.payer.wallet_id}", pair.payer.wallet_id, kind, 10**9) for kind in KINDS]
    others = [Owed(f"wallet:{number}", None, "held", 10**8) for number in range(1000, 1300)]
    statement = publish_without_daemon(session, owed=own + others)
    assert len(statement.subtrees) > 2

    proof = load(payer.get(f"/solvency/{statement.id}/proof.json?wallet={pair.payer.wallet_id}").text)

    verdict = verify(proof)
    assert verdict.is_good, verdict.lines
    assert proof["balance"] == "40.00000000"
