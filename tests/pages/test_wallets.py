"""The wallet in the browser: what it shows, what can be withdrawn, and where a payout can still be sent."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from tests.support.browsing import Browser
from tests.support.money import balances, credit
from tests.support.people import RESULT_HASH, Pair, make_escrow, manager, signature
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.models import ChainCursor, DaemonFigures, Deposit, DepositAddress, Payout, Wallet, WorkerTask
from webapp.services import worker_tasks
from webapp.services.container import Services
from webapp.services.payouts.queue import return_to_wallet
from webapp.services.unit_of_work import unit_of_work

REGTEST_ADDRESS = "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"
OTHER_ADDRESS = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"
MAINNET_ADDRESS = "LfmssDyX6iZvbVqHv6t9P6JWXia2JG7mdb"

both_ways = pytest.mark.parametrize("htmx", [False, True], ids=["plain", "htmx"])


def _withdraw(browser: Browser, pair: Pair, htmx: bool = False, **over: object):
    data = {
        "idempotency_key": uuid.uuid4().hex,
        "wallet": pair.payer.wallet_id,
        "address": REGTEST_ADDRESS,
        "amount": "40",
    }
    return browser.post("/wallet/withdraw", data | over, htmx=htmx)


def _payout(session, services: Services, pair: Pair) -> Payout:
    return services.wallets(session).payouts.withdraw(
        pair.payer.wallet_id, REGTEST_ADDRESS, Amount.parse("40")
    )


def _payouts(session) -> int:
    session.rollback()
    return session.execute(select(func.count()).select_from(Payout)).scalar_one()


def _stock(session, address: str = REGTEST_ADDRESS) -> None:
    with unit_of_work(session):
        session.add(DepositAddress(address=address))


@both_ways
def test_a_withdrawal_is_queued_and_leads_to_its_page(
    payer: Browser, pair: Pair, session, htmx: bool
) -> None:
    response = _withdraw(payer, pair, htmx)

    payout = session.scalars(select(Payout)).one()
    page = f"/wallet/payouts/{payout.id}"
    assert (response.headers.get("HX-Redirect") or response.location) == page
    assert balances(session, pair.payer.wallet_id) == ("960.00000000", "0.00000000")
    shown = payer.get(page).text
    assert 'data-state="queued"' in shown
    assert "The withdrawal is queued." in shown
    assert REGTEST_ADDRESS in shown


@both_ways
@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({"amount": "1000.1"}, "more than you have available"),
        ({"amount": "0.01"}, "must be at least"),
        ({"amount": "abc"}, "plain decimal number"),
        ({"amount": ""}, "Enter an amount"),
        ({"address": ""}, "Enter an address"),
        ({"address": MAINNET_ADDRESS}, "address-error"),
        ({"address": "nonsense"}, "address-error"),
    ],
)
def test_what_cannot_be_sent_is_refused_beside_its_field(
    payer: Browser, pair: Pair, session, htmx: bool, over: dict[str, object], message: str
) -> None:
    response = _withdraw(payer, pair, htmx, **over)

    assert response.status_code == 422
    assert ("<!doctype html>" in response.text) is not htmx
    assert message.lower() in response.text.lower()
    assert _payouts(session) == 0


@both_ways
def test_a_withdrawal_sent_twice_counts_once(payer: Browser, pair: Pair, session, htmx: bool) -> None:
    key = uuid.uuid4().hex
    first, second = (_withdraw(payer, pair, htmx, idempotency_key=key) for _ in range(2))

    where = "HX-Redirect" if htmx else "Location"
    assert first.headers[where] == second.headers[where]
    assert _payouts(session) == 1
    assert _withdraw(payer, pair, idempotency_key=key, amount="50").status_code == 422


def test_nobody_withdraws_from_a_wallet_of_somebody_else(
    visitors: dict[str, Browser], pair: Pair, session
) -> None:
    for name in ("provider", "other", "operator", "arbiter"):
        assert _withdraw(visitors[name], pair).status_code == 404, name
    assert _withdraw(visitors["stranger"], pair).status_code == 303
    assert _payouts(session) == 0


@both_ways
def test_a_payout_can_be_sent_elsewhere_while_it_waits(
    payer: Browser, pair: Pair, session, services, htmx: bool
) -> None:
    payout = _payout(session, services, pair)
    data = {"idempotency_key": uuid.uuid4().hex, "seen": "queued", "address": OTHER_ADDRESS}

    response = payer.post(f"/wallet/payouts/{payout.id}/redirect", data, htmx=htmx)

    assert response.status_code == (200 if htmx else 303)
    session.refresh(payout)
    assert payout.address == OTHER_ADDRESS


@both_ways
def test_a_payout_on_its_way_cannot_be_sent_elsewhere(
    payer: Browser, pair: Pair, session, services, htmx: bool
) -> None:
    payout = _payout(session, services, pair)
    with unit_of_work(session):
        session.execute(update(Payout).values(status="claimed"))
    data = {"idempotency_key": uuid.uuid4().hex, "seen": "queued", "address": OTHER_ADDRESS}

    response = payer.post(f"/wallet/payouts/{payout.id}/redirect", data, htmx=htmx)

    assert response.status_code == 409
    assert "on its way already" in response.text
    assert 'data-state="claimed"' in response.text
    session.refresh(payout)
    assert payout.address == REGTEST_ADDRESS


@both_ways
def test_a_queued_payout_is_taken_back_once(
    payer: Browser, pair: Pair, session, services, htmx: bool
) -> None:
    before = services.wallets(session).get_balance(pair.payer.wallet_id).available
    payout = _payout(session, services, pair)
    data = {"idempotency_key": uuid.uuid4().hex, "seen": "queued"}

    responses = [payer.post(f"/wallet/payouts/{payout.id}/cancel", data, htmx=htmx) for _ in range(2)]

    assert [response.status_code for response in responses] == [200 if htmx else 303] * 2
    session.refresh(payout)
    assert (payout.status, payout.reason) == ("failed", "taken back by its owner")
    assert services.wallets(session).get_balance(pair.payer.wallet_id).available == before


def test_a_payout_that_was_taken_up_or_is_another_s_is_not_taken_back(
    payer: Browser, provider: Browser, pair: Pair, session, services
) -> None:
    path = f"/wallet/payouts/{_payout(session, services, pair).id}/cancel"
    data = {"idempotency_key": uuid.uuid4().hex, "seen": "queued"}

    assert provider.post(path, data).status_code == 404
    with unit_of_work(session):
        session.execute(update(Payout).values(status="claimed"))
    assert payer.post(path, data).status_code == 409
    with unit_of_work(session):
        session.execute(update(Payout).values(status="queued"))


def test_a_payout_goes_neither_to_nonsense_nor_by_somebody_else(
    payer: Browser, provider: Browser, pair: Pair, session, services
) -> None:
    path = f"/wallet/payouts/{_payout(session, services, pair).id}/redirect"
    data = {"idempotency_key": uuid.uuid4().hex, "seen": "queued", "address": MAINNET_ADDRESS}

    assert payer.post(path, data).status_code == 422
    assert payer.post(path, data | {"address": ""}).status_code == 422
    assert provider.post(path, data | {"address": OTHER_ADDRESS}).status_code == 404


def test_a_payouts_page_follows_it_until_it_is_final(payer: Browser, pair: Pair, session, services) -> None:
    payout = _payout(session, services, pair)
    path = f"/wallet/payouts/{payout.id}/progress?seen=queued"
    same = payer.get(path, htmx=True)
    assert same.text.lstrip().startswith('<section class="card payout-progress"')
    assert "poll-5 from:body" in same.text

    with unit_of_work(session):
        return_to_wallet(session, session.get_one(Payout, payout.id), "the daemon refuses the address")
    changed = payer.get(path, htmx=True)
    assert changed.headers["HX-Retarget"] == "#payout-status"
    assert "the money is back in your balance: the daemon refuses the address" in changed.text
    assert "poll-5 from:body" not in changed.text


def test_a_new_wallet_gets_an_address_from_the_stock_and_keeps_it(payer: Browser, session) -> None:
    assert "No address yet" in payer.get("/wallet").text
    _stock(session)

    pages = [payer.get("/wallet").text for _ in range(2)]

    assert all(REGTEST_ADDRESS in page for page in pages)
    assert "<svg viewBox" in pages[0]
    assert "style=" not in pages[0]


def test_a_deposit_fills_up_with_its_confirmations(payer: Browser, pair: Pair, session) -> None:
    _stock(session)
    payer.get("/wallet")
    with unit_of_work(session):
        deposit = Deposit(
            wallet_id=pair.payer.wallet_id,
            address=REGTEST_ADDRESS,
            txid="ab" * 32,
            vout=0,
            amount=Amount.parse("12.5"),
            confirmations=1,
        )
        session.add(deposit)

    shown = payer.get("/wallet/movements", htmx=True).text

    assert "1 of 2" in shown
    assert 'id="wallet-deposits"' in shown
    assert 'hx-swap-oob="true"' in shown
    assert 'value="12.50000000"' in shown
    assert "poll-5 from:body" in shown


def _deposits(session, pair: Pair, *rows: dict[str, object]) -> None:
    with unit_of_work(session):
        for number, row in enumerate(rows):
            known = {"wallet_id": pair.payer.wallet_id, "address": REGTEST_ADDRESS, "txid": f"{number:064}"}
            session.add(Deposit(**{**known, "vout": 0, **row}))


@pytest.mark.settings(wallet={"confirmations_by_amount": [{"amount": "100", "confirmations": 20}]})
def test_each_deposit_has_its_own_number_of_confirmations(payer: Browser, pair: Pair, session) -> None:
    _stock(session)
    payer.get("/wallet")
    block, other = "aa" * 32, "bb" * 32
    _deposits(
        session,
        pair,
        {"amount": Amount.parse("60"), "confirmations": 3, "block_hash": block},
        {"amount": Amount.parse("40"), "confirmations": 3, "block_hash": block},
        {"amount": Amount.parse("60"), "confirmations": 1, "block_hash": other},
        {"amount": Amount.parse("100"), "confirmations": 0},
        {"amount": Amount.parse("10"), "confirmations": -2},
    )

    shown = payer.get("/wallet").text

    assert [shown.count(meter) for meter in ("3 of 20", "1 of 2<", "0 of 20")] == [2, 1, 1]
    assert "Its sender spent the coins otherwise." in shown
    assert "Credited after 2 confirmations; after 20 from" in shown


@pytest.mark.broken_books  # a loss without its entries
def test_a_frozen_wallet_says_why(payer: Browser, pair: Pair, session) -> None:
    _stock(session)
    payer.get("/wallet")
    with unit_of_work(session):
        session.get_one(Wallet, pair.payer.wallet_id).is_frozen = True
    assert "took back a deposit" not in payer.get("/wallet").text
    amounts = {"amount": Amount.parse("100"), "shortfall": Amount.parse("60")}
    _deposits(session, pair, {**amounts, "status": "reversed"})

    shown = payer.get("/wallet").text

    assert "This wallet is frozen" in shown
    assert re.search("took back a deposit after .*60.* of it had been spent", shown)


def test_pages_say_how_far_the_chain_is_read_while_it_is_caught_up_with(
    payer: Browser, session: Session
) -> None:
    worker_tasks.take(session, "deposits")
    worker_tasks.finish(session, "deposits")
    amounts = {name: Amount(0) for name in ("balance", "immature_balance", "fee_rate")}
    with unit_of_work(session):
        session.add(ChainCursor(id=1, since_block="aa" * 32, tip_hash="bb" * 32, tip_height=1200))
        session.add(DaemonFigures(id=1, coins=0, block_height=1200, headers=90_000, **amounts))
    for path in ("/", "/wallet"):
        shown = payer.get(path).text
        assert '<progress value="1200" max="90000" aria-label="Blocks read">' in shown
        assert "1,200 of 90,000 blocks" in shown

    with unit_of_work(session):
        session.execute(update(ChainCursor).values(tip_height=89_998))
    assert "Blocks read" not in payer.get("/wallet").text


@pytest.mark.parametrize("path", ["/", "/wallet"])
def test_pages_say_that_the_chain_is_out_of_reach(payer: Browser, session, path: str) -> None:
    assert "The chain is out of reach" in payer.get(path).text  # the worker has never run

    worker_tasks.take(session, "deposits")
    worker_tasks.finish(session, "deposits")
    assert "The chain is out of reach" not in payer.get(path).text

    worker_tasks.take(session, "deposits")
    worker_tasks.finish(session, "deposits", "The coin daemon at 10.1.2.3 is out of reach")
    shown = payer.get(path).text
    assert "The chain is out of reach" in shown
    assert "10.1.2.3" not in shown  # where the daemon is concerns operators only

    worker_tasks.take(session, "deposits")
    worker_tasks.finish(session, "deposits")
    with unit_of_work(session):
        session.execute(update(WorkerTask).values(last_run_at=utcnow() - timedelta(minutes=5)))
    assert "The chain is out of reach" in payer.get(path).text  # the worker has stopped


def test_the_statement_explains_every_movement_page_by_page(
    payer: Browser, provider: Browser, pair: Pair, session, services
) -> None:
    for _ in range(5):
        escrow = make_escrow(session, services, pair, "10")
        manager(session, services, pair.provider).deliver_escrow(
            escrow.id, RESULT_HASH, signature(pair, escrow)
        )
        manager(session, services, pair.payer).release_escrow(escrow.id)
    first = payer.get("/wallet/statement", htmx=True).text
    assert "Locked in an escrow" in first
    assert f"Paid to wallet {pair.provider.wallet_id}" in first
    assert "The community fund’s share" in first
    assert "Older" in first
    assert "Earned" in provider.get("/wallet/statement").text


def test_an_owner_of_two_wallets_sees_one_at_a_time(payer: Browser, pair: Pair, session) -> None:
    with unit_of_work(session):
        second = Wallet(user_id=pair.payer.user.id, name="Render farm")
        session.add(second)
    credit(session, second.id, "77")

    assert 'value="1000.00000000"' in payer.get("/wallet").text
    other = payer.get(f"/wallet?wallet={second.id}").text
    assert 'value="77.00000000"' in other
    assert "Render farm" in other
    assert "Pay from" in payer.get("/escrows/new").text


@pytest.mark.parametrize("named", ["0", "-1", "abc", "9" * 30, "1.0"])
def test_a_wallet_that_is_not_there_is_not_found(payer: Browser, named: str) -> None:
    assert payer.get(f"/wallet?wallet={named}").status_code == 404
