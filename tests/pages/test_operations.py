"""The operations page: everything an operator needs on one page, for operators alone; `/metrics` says the same."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tests.pages.conftest import logged_in
from tests.support.browsing import Browser
from tests.support.money import credit
from tests.support.people import RESULT_HASH, Pair, make_escrow, make_person, manager, signature
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.models import (
    Alert,
    ChainCursor,
    ChainTransaction,
    DaemonFigures,
    DepositAddress,
    OperatorAction,
    Outage,
    Payout,
    Reconciliation,
    UnexplainedCoin,
    Wallet,
    WorkerTask,
)
from webapp.services.container import Services
from webapp.services.payouts import halts
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_ownership import set_payout_address

ADDRESS = "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"
KEY = re.compile(r'name="idempotency_key" value="([^"]+)"')


def fill(session: Session, wallet_id: int) -> None:
    """A service that has seen something."""
    now = utcnow()
    with unit_of_work(session):
        session.add_all(
            [
                ChainCursor(id=1, since_block="aa" * 32, tip_hash="bb" * 32, tip_height=812, read_at=now),
                DaemonFigures(
                    id=1,
                    balance=Amount.parse(900),
                    immature_balance=Amount(0),
                    coins=77,
                    fee_rate=Amount.parse("0.01"),
                    block_height=812,
                    headers=815,
                ),
                WorkerTask(name="deposits", held_until=now, last_run_at=now, last_success_at=now),
                WorkerTask(name="settlement", held_until=now, last_run_at=now, last_error="<b>no</b> answer"),
                Reconciliation(
                    block_height=812,
                    block_hash="bb" * 32,
                    owed=900 * 10**8,
                    in_flight=0,
                    cold=0,
                    expected=900 * 10**8,
                    held=903 * 10**8,
                    unexplained=3 * 10**8,
                ),
                UnexplainedCoin(
                    txid="cd" * 32, vout=1, address=ADDRESS, amount=Amount.parse(3), confirmations=4
                ),
                Outage(parts="daemon", started_at=now - timedelta(hours=2), ended_at=now),
                Alert(kind="payout_stuck", subject="payout:1", detail="it has been signed for an hour"),
            ]
        )
        session.get_one(Wallet, wallet_id).is_frozen = True


def press(operator: Browser, path: str, data: dict[str, str] | None = None, **options: bool):
    """Send one of the page's forms with a key of its own."""
    found = KEY.search(operator.get("/operations").text)
    assert found
    return operator.post(
        f"/operations/{path}", {"idempotency_key": found.group(1), **(data or {})}, **options
    )


def actions(session: Session) -> list[tuple[str, str]]:
    session.rollback()
    rows = session.scalars(select(OperatorAction).order_by(OperatorAction.id))
    return [(row.action, row.subject) for row in rows]


def test_it_is_for_operators_alone(visitors: dict[str, Browser]) -> None:
    paths = ("halt", "resume", "alerts/1/acknowledge", "wallets/freeze", "wallets/1/unfreeze", "coins/1/ours")
    for name, browser in visitors.items():
        expected = {"operator": 200, "stranger": 303}.get(name, 403)
        assert browser.get("/operations").status_code == expected, name
        if name != "operator":
            for path in paths:
                assert browser.post(f"/operations/{path}").status_code in (303, 403), (name, path)


def test_a_service_is_well_when_its_worker_runs_and_nothing_waits(
    visitors: dict[str, Browser], session: Session
) -> None:
    page = visitors["operator"].get("/operations").text
    assert "All is well" not in page and "None is on its way." in page
    now = utcnow()
    with unit_of_work(session):
        session.add(WorkerTask(name="deposits", held_until=now, last_run_at=now, last_success_at=now))
    assert "All is well" in visitors["operator"].get("/operations").text


def test_what_asks_for_an_operator_is_there(
    visitors: dict[str, Browser], session: Session, services: Services, pair: Pair
) -> None:
    services.wallets(session).payouts.withdraw(pair.payer.wallet_id, ADDRESS, Amount.parse(5))
    fill(session, pair.provider.wallet_id)
    page = visitors["operator"].get("/operations").text
    for text in ("812", "Blocks behind", "903.00", "Unexplained coins", "it has been signed for an hour"):
        assert text in page
    assert f"Wallet {pair.provider.wallet_id}" in page
    assert "&lt;b&gt;no&lt;/b&gt; answer" in page and "All is well" not in page


def test_the_page_costs_the_same_however_much_waits(
    visitors: dict[str, Browser], session: Session, services: Services, pair: Pair, count_queries
) -> None:
    operator = visitors["operator"]
    operator.get("/operations")
    fill(session, pair.provider.wallet_id)
    few = count_queries(lambda: operator.get("/operations"))
    with unit_of_work(session):
        session.add_all(
            Alert(kind="payout_stuck", subject=f"payout:{number}", detail="late") for number in range(2, 60)
        )
        session.add_all(
            UnexplainedCoin(txid=f"{number:064x}", vout=0, address=ADDRESS, amount=Amount(5))
            for number in range(30)
        )
    for _ in range(8):
        services.wallets(session).payouts.withdraw(pair.payer.wallet_id, ADDRESS, Amount.parse(5))
    assert count_queries(lambda: operator.get("/operations")) == few


def test_payouts_are_halted_and_let_go_on(visitors: dict[str, Browser], session: Session) -> None:
    operator = visitors["operator"]
    refused = press(operator, "halt", {"halt-reason": " "})
    assert refused.status_code == 422 and "Say why" in refused.text
    for unreadable in ("a\0b", "see \u202egnihton", "x" * 301):
        refused = press(operator, "halt", {"halt-reason": unreadable})
        assert refused.status_code == 422 and "printable" in refused.text
    assert press(operator, "halt", {"halt-reason": "a strange payout"}).status_code == 303
    assert "Payouts are halted: operator" in operator.get("/operations").text
    session.rollback()
    [standing] = halts.standing(session)
    session.commit()
    # A halt that came after the page was drawn is not lifted by it.
    with unit_of_work(session):
        halts.halt(session, "integrity", "a gap")
    again = press(operator, "halt", {"halt-reason": "once more"}, htmx=True)
    assert "Payouts were halted already: a strange payout" in again.text
    stale = press(operator, "resume", {"seen": "9" * 5000}, htmx=True)
    assert "Nothing was lifted: what stands is operator, integrity." in stale.text
    lifted = press(operator, "resume", {"seen": str(standing.id)}, htmx=True)
    assert "Payouts are still halted: what stands is integrity." in lifted.text
    session.rollback()
    assert [halt.cause for halt in halts.standing(session)] == ["integrity"]
    assert actions(session) == [("halt_payouts", "payouts"), ("resume_payouts", "payouts")]


def test_wallets_alerts_and_coins_are_settled_once(
    visitors: dict[str, Browser], session: Session, pair: Pair
) -> None:
    operator, wallet_id = visitors["operator"], pair.provider.wallet_id
    fill(session, wallet_id)
    [alert_id] = session.scalars(select(Alert.id))
    [coin_id] = session.scalars(select(UnexplainedCoin.id))
    assert press(operator, f"wallets/{wallet_id}/unfreeze").status_code == 303
    assert press(operator, f"alerts/{alert_id}/acknowledge").status_code == 303
    again = press(operator, f"alerts/{alert_id}/acknowledge")
    assert again.status_code == 422 and "Nothing was changed" in again.text
    wrong = press(operator, f"coins/{coin_id}/assign", {f"assign-{coin_id}-wallet": "999999"})
    assert wrong.status_code == 422 and "There is no such wallet" in wrong.text
    right = press(operator, f"coins/{coin_id}/assign", {f"assign-{coin_id}-wallet": str(wallet_id)})
    assert right.status_code == 303
    freeze = {"freeze-wallet": str(wallet_id), "freeze-reason": "asked by its owner"}
    assert press(operator, "wallets/freeze", freeze).status_code == 303
    again = press(operator, "wallets/freeze", freeze | {"freeze-reason": "another call"}, htmx=True)
    assert "The wallet was frozen already: asked by its owner" in again.text
    session.rollback()
    assert session.get_one(Wallet, wallet_id, populate_existing=True).is_frozen
    assert session.get_one(UnexplainedCoin, coin_id, populate_existing=True).wallet_id == wallet_id
    assert [action for action, _ in actions(session)] == [
        "unfreeze_wallet",
        "acknowledge_alert",
        "assign_coin",
        "freeze_wallet",
    ]


@pytest.mark.settings(custody={"approval_above": "50"})
def test_a_large_payout_is_approved_for_the_address_that_was_read_or_refused(
    visitors: dict[str, Browser], session: Session, services: Services, pair: Pair
) -> None:
    operator, queue = visitors["operator"], services.wallets(session).payouts
    first, second = (queue.withdraw(pair.payer.wallet_id, ADDRESS, Amount.parse(60)) for _ in range(2))
    page = operator.get("/operations").text
    assert page.count(ADDRESS) >= 2 and "Approve" in page
    other = press(operator, f"payouts/{first.id}/approve", {"address": "mfWxJ45yp2SFn7UciZyNpvDKrzbhyfKrY8"})
    assert other.status_code == 409 and "Nothing was changed" in other.text
    assert press(operator, f"payouts/{first.id}/approve", {"address": ADDRESS}).status_code == 303
    silent = press(operator, f"payouts/{second.id}/refuse")
    assert silent.status_code == 422 and "Say why" in silent.text
    reason = {f"refuse-{second.id}-reason": "call us first"}
    assert press(operator, f"payouts/{second.id}/refuse", reason).status_code == 303
    session.rollback()
    states = {
        payout.id: (payout.status, payout.approved_by)
        for payout in session.scalars(select(Payout).execution_options(populate_existing=True))
    }
    assert states[first.id][0] == "queued" and states[first.id][1]
    assert states[second.id] == ("failed", None)
    assert "call us first" in visitors["payer"].get(f"/wallet/payouts/{second.id}").text


def test_a_number_that_no_column_holds_is_no_address(visitors: dict[str, Browser]) -> None:
    operator = visitors["operator"]
    for huge in ("0", "9" * 10, "9" * 20, "9" * 5000):
        for path in ("alerts/{}/acknowledge", "coins/{}/ours", "coins/{}/assign", "wallets/{}/unfreeze"):
            assert operator.post(f"/operations/{path.format(huge)}").status_code == 404, (path, huge)
    for huge in ("9" * 20, "9" * 5000):
        data = {"freeze-wallet": huge, "freeze-reason": "a call"}
        assert press(operator, "wallets/freeze", data).status_code == 422


def test_an_operator_does_not_decide_in_their_own_favour(
    app: Flask, session: Session, services: Services, pair: Pair
) -> None:
    owner = make_person(session, services, "operator")
    credit(session, owner.wallet_id, "20")
    operator = logged_in(app, owner)
    fill(session, owner.wallet_id)
    [coin_id] = session.scalars(select(UnexplainedCoin.id))
    own = press(operator, f"coins/{coin_id}/assign", {f"assign-{coin_id}-wallet": str(owner.wallet_id)})
    assert own.status_code == 422 and "another operator must decide this" in own.text
    assert press(operator, f"wallets/{owner.wallet_id}/unfreeze").status_code == 422
    assert actions(session) == []


@pytest.mark.settings(
    custody={"cold_address": ADDRESS, "hot_wallet_ceiling": "100", "hot_wallet_target": "50"}
)
def test_cold_storage_is_offered_and_a_press_counts_once(
    visitors: dict[str, Browser], session: Session
) -> None:
    operator = visitors["operator"]
    with unit_of_work(session):
        session.add_all([DepositAddress(address=f"address-{number}") for number in range(2)])
    page = operator.get("/operations").text
    for text in ("Cold storage", "Above 100.00", "until 50.00", "Sweep now", "Get a refill address"):
        assert text in page, text
    pressed = {"idempotency_key": "once"}
    for _ in range(2):
        assert press(operator, "refill-address", pressed).status_code == 303
    assert actions(session) == [("take_refill_address", "cold")]
    page = operator.get("/operations").text
    assert "Another refill address" in page and "address-" in page
    refused = press(operator, "sweep", htmx=True)
    assert refused.status_code in (409, 422) and "Nothing was changed" in refused.text
    assert operator.post("/operations/sweep").status_code == 422, "without a key"
    with unit_of_work(session):
        session.add(
            ChainTransaction(
                id=uuid.uuid4(),
                kind="sweep",
                status="broadcast",
                txid="cd" * 32,
                signed_hex="00",
                fee=Amount(0),
                amount=Amount.parse(40),
                size=226,
                confirmations=1,
                built_on_block="ab" * 32,
            )
        )
    page = operator.get("/operations").text
    assert "on their way there, with 1 confirmation" in page and "Sweep now" not in page
    with unit_of_work(session):
        session.execute(update(ChainTransaction).values(status="replaced"))


@pytest.mark.settings(custody={"approval_above": "40"})
def test_more_approvals_than_fit_are_counted_and_what_waits_says_so_everywhere(
    visitors: dict[str, Browser], session: Session, services: Services, pair: Pair
) -> None:
    data = {"idempotency_key": "one", "wallet": str(pair.payer.wallet_id), "address": ADDRESS}
    payer = visitors["payer"]
    made = payer.post("/wallet/withdraw", data | {"amount": "41"})
    assert "The withdrawal waits until an operator approves it." in payer.get(made.location).text
    for _ in range(20):
        services.wallets(session).payouts.withdraw(pair.payer.wallet_id, ADDRESS, Amount.parse(41))
    page = visitors["operator"].get("/operations").text
    assert "The oldest 20 of 21" in page
    assert "/operations/payouts?status=awaiting_approval" in page


@pytest.mark.settings(custody={"approval_above": "50"})
def test_the_other_party_reads_neither_why_a_payout_waits_nor_what_the_daemon_said(
    visitors: dict[str, Browser], session: Session, services: Services, pair: Pair
) -> None:
    set_payout_address(session, services.daemon, pair.provider.actor, pair.provider.wallet_id, ADDRESS)
    escrow = make_escrow(session, services, pair, "100")
    manager(session, services, pair.payer).release_escrow(escrow.id, RESULT_HASH, signature(pair, escrow))
    payer, provider, operator = (visitors[name] for name in ("payer", "provider", "operator"))

    def stories() -> list[str]:
        return [browser.get(f"/escrows/{escrow.id}").text for browser in (payer, provider)]

    for story in stories():
        assert "wait until an operator approves it" in story and "next batch" not in story
    [payout_id] = session.scalars(select(Payout.id))
    session.rollback()
    assert press(operator, f"payouts/{payout_id}/approve", {"address": ADDRESS}).status_code == 303
    with unit_of_work(session):
        session.execute(update(Payout).values(reason="no answer from 127.0.0.1:19444"))
    assert all("127.0.0.1" not in story for story in stories())
    private = "this payee is a suspect"
    with unit_of_work(session):
        session.execute(update(Payout).values(status="held", reason=f"held by an operator: {private}"))
    theirs, own = stories()
    assert private not in theirs and private in own
    form = {"seen": "held", "return-reason": private, "idempotency_key": "back"}
    assert operator.post(f"/operations/payouts/{payout_id}/do/return", form).status_code == 303
    for story in stories():
        assert private not in story and "It was not sent, and the money is back" in story
    assert private in provider.get(f"/wallet/payouts/{payout_id}").text


@pytest.mark.settings(security={"metrics_token": "a-token-of-the-monitoring"})
def test_metrics_are_for_the_bearer_of_the_token_and_for_operators(
    app: Flask, visitors: dict[str, Browser], session: Session, pair: Pair
) -> None:
    fill(session, pair.provider.wallet_id)
    scraper = app.test_client()

    def answer(header: str | None) -> tuple[int, str]:
        response = scraper.get("/metrics", headers={"Authorization": header} if header else {})
        return response.status_code, response.text

    for wrong in (None, "Bearer ", "Bearer a-token", "Basic a-token-of-the-monitoring"):
        assert answer(wrong)[0] == 401, wrong
    status, text = answer("Bearer a-token-of-the-monitoring")
    assert status == 200
    for line in (
        "duxos_chain_tip_height 812.0",
        "duxos_daemon_lag_blocks 3.0",
        'duxos_alerts{kind="payout_stuck"} 1.0',
        "duxos_reconciliation_unexplained_base_units 3e+08",
        'duxos_worker_task_failing{task="settlement"} 1.0',
        "duxos_wallets_frozen 1.0",
    ):
        assert line in text, line
    assert visitors["operator"].get("/metrics").text.startswith("# HELP")
    assert visitors["payer"].get("/metrics").status_code == 401


def test_without_a_token_no_bearer_gets_in(app: Flask) -> None:
    for header in ("Bearer ", "Bearer None", "Bearer null"):
        assert app.test_client().get("/metrics", headers={"Authorization": header}).status_code == 401
