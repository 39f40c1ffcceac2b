"""Batches whose coins a foreign transaction took and paid in part: decided by operators, exact to the base unit."""

from __future__ import annotations

import json
import re
import threading
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import select

from tests.support.browsing import Browser
from tests.support.databases import Databases, in_turn
from tests.support.market import Market
from tests.support.people import Person, make_person
from webapp.domain import accounts
from webapp.domain.exceptions import DuxosError, PayoutStateError, PermissionDeniedError
from webapp.domain.money import Amount
from webapp.domain.roles import AT_TERMINAL, Actor
from webapp.ledger import pooled
from webapp.models import ChainTransaction, Payout
from webapp.services import operator_actions
from webapp.services.container import Services
from webapp.services.database import Session
from webapp.services.payouts.foreign_evidence import Evidence
from webapp.services.payouts.operations import PayoutOperations, subject_of


@pytest.fixture
def databases(request: pytest.FixtureRequest) -> Databases:
    """One kind of database for each story, the kinds in turn unless it names one."""
    kind = getattr(request, "param", None)
    return request.getfixturevalue(f"{kind}_databases") if kind else in_turn(request)


def hands(market: Market, actor: Actor = AT_TERMINAL) -> PayoutOperations:
    market.session.rollback()
    return PayoutOperations(market.session, market.services.settings, market.services.daemon, actor)


def evidence(market: Market, payout: Payout) -> Evidence:
    found = hands(market).evidence(payout.id)
    assert found is not None
    return found


def transactions(market: Market) -> list[ChainTransaction]:
    statement = select(ChainTransaction).order_by(ChainTransaction.id)
    rows = list(market.session.scalars(statement.execution_options(populate_existing=True)))
    market.session.commit()
    return rows


def statuses(market: Market) -> list[str]:
    return [payout.status for payout in market.payouts()]


def losses(market: Market) -> str:
    """What was lost, in FLOP."""
    market.session.rollback()
    found = -pooled.balance(market.session, accounts.LOSSES)
    market.session.rollback()
    return str(Amount(found))


def deposit(market: Market, person: Person, amount: str) -> None:
    market.chain.deposit(market.address_of(person), amount, 2)
    market.move_coins()


def is_exact(market: Market) -> bool:
    """Whether books and daemon agree to the base unit, with the worker's news of the chain."""
    market.chain.sync()
    market.move_coins()
    report = market.report()
    return report.gaps == [] and report.coins is not None and report.coins.unexplained == 0


def batch_of(market: Market, people: list[Person], addresses: list[str], amount: str) -> list[Payout]:
    """Payouts in one transaction, which the network has."""
    for person, address in zip(people, addresses, strict=True):
        market.withdraw(person, address, amount)
    market.move_coins()
    market.chain.sync()
    return market.payouts()


def spend_by_hand(market: Market, pays: dict[str, str], fee: str, coins: slice = slice(None)) -> str:
    """These coins of the stored batch spent with the daemon's console; the rest comes back. The signed bytes."""
    (stored,) = transactions(market)
    custody = market.chain.custody
    points = [{"txid": point.txid, "vout": point.vout} for point in stored.inputs[coins]]
    total = sum(_value(market, each["txid"], each["vout"]) for each in points)
    rest = total - sum(map(Decimal, pays.values())) - Decimal(fee)
    outputs = {**pays, custody.rpc("getrawchangeaddress", "legacy"): f"{rest:.8f}"}
    raw = custody.rpc("createrawtransaction", points, outputs)
    signed = custody.rpc("signrawtransactionwithwallet", raw)
    assert signed["complete"], signed
    return str(signed["hex"])


def _value(market: Market, txid: str, vout: int) -> Decimal:
    raw = market.chain.custody.rpc("decoderawtransaction", market.chain.hex_of(txid))
    return Decimal(raw["vout"][vout]["value"])


def mine(market: Market, *blocks: list[str]) -> None:
    for block in blocks:
        market.chain.miner.rpc("generateblock", market.chain.new_outside_address(), block)
    market.chain.sync()


def spent_and_final(market: Market, pays: dict[str, str], fee: str = "0.01") -> str:
    """A foreign transaction (hex) with the batch's coins, deep enough and seen by the worker."""
    theirs = spend_by_hand(market, pays, fee)
    mine(market, [theirs], [])
    market.move_coins()
    return theirs


def test_what_a_foreign_transaction_paid_is_decided_payout_by_payout(market: Market) -> None:
    people = [market.payer, market.provider, *(make_person(market.session, market.services) for _ in "12")]
    for person in people:
        deposit(market, person, "20")
    places = [market.chain.new_outside_address() for _ in people]
    stranger = market.chain.new_outside_address()
    full, short, none, other = batch_of(market, people, places, "10")
    assert full.net is not None
    home = market.address_of(market.provider)
    pays = {places[0]: str(full.net), places[1]: "4", places[3]: "1.5", stranger: "0.7", home: "0.3"}
    theirs = spend_by_hand(market, pays, "0.05")
    mine(market, [theirs])
    market.move_coins()
    assert (statuses(market), "payout_conflict" in market.alerts()) == (["unknown"] * 4, True)

    early = evidence(market, short)
    assert (str(early.paid), str(early.share), early.is_final) == ("4.00000000", "4.00000000", False)
    with pytest.raises(PayoutStateError, match="1 of 2 confirmations"):
        hands(market).accept(short.id, early.txid, early.share)
    market.chain.mine(1)
    market.move_coins()
    found = evidence(market, short)
    with pytest.raises(PayoutStateError, match="reads otherwise"):
        hands(market).accept(short.id, found.txid, Amount.parse("5"))
    owner = Actor("user:9", frozenset({short.wallet_id or 0}), user_id=9, role=AT_TERMINAL.role)
    with pytest.raises(PermissionDeniedError):
        hands(market, owner).accept(short.id, found.txid, found.share)

    # What was short goes back to its payee; all that the transaction took besides is a loss until it is accepted.
    before = Decimal(market.balances(market.provider)[0])
    hands(market).accept(short.id, found.txid, found.share)
    with pytest.raises(PayoutStateError, match="confirmed"):
        hands(market).accept(short.id, found.txid, found.share)
    accepted = market.payouts()[1]
    assert (accepted.status, str(accepted.net)) == ("confirmed", "4.00000000")
    assert Decimal(market.balances(market.provider)[0]) - before == found.due.decimal - 4
    assert is_exact(market)
    assert statuses(market) == ["unknown", "confirmed", "unknown", "unknown"]

    for payout, act in ((full, "accept"), (none, "queue_again")):
        seen = evidence(market, payout)
        getattr(hands(market), act)(payout.id, seen.txid, seen.share)
        assert is_exact(market), act
    seen = evidence(market, other)
    hands(market).return_unpaid(other.id, seen.txid, seen.share, "it was for something else")
    assert is_exact(market)
    assert market.balances(people[3])[0] == "20.00000000"
    assert [row.status for row in transactions(market)][:2] == ["replaced", "confirmed"]
    # To the stranger, to a balance here, to the payee whom it was not for, to miners beyond what the two payees bear.
    borne = sum((row.fee.decimal for row in market.payouts()[:2] if row.fee), start=Decimal())
    assert (
        Decimal(losses(market)) == Decimal("0.7") + Decimal("0.3") + Decimal("1.5") + Decimal("0.05") - borne
    )
    acts = operator_actions.of_subject(market.session, subject_of(short.id))
    assert [(act.action, act.detail["paid"], act.detail["txid"]) for act in acts] == [
        ("accept_payout", "4.00000000", found.txid)
    ]
    market.chain.mine(2)
    market.move_coins()
    assert statuses(market) == ["confirmed", "confirmed", "confirmed", "failed"]
    assert market.chain.received(places[2]) == str(market.payouts()[2].net)
    assert is_exact(market)


def test_two_payouts_to_one_address_share_what_came_to_it_and_the_chain_may_change_its_mind(
    market: Market,
) -> None:
    """Decided in both orders: what the books say follows the chain, whichever transaction it holds in the end."""
    people = [market.payer, market.provider]
    for person in people:
        deposit(market, person, "20")
    market.chain.mine(6)
    market.move_coins()
    place = market.chain.new_outside_address()
    first, second = batch_of(market, people, [place, place], "10")
    assert first.net is not None and second.net is not None
    due, both = first.net.decimal, first.net + second.net
    (batch,) = transactions(market)
    ours = batch.signed_hex
    spent_and_final(market, {place: f"{due + 3}"})

    seen = evidence(market, first)
    assert (seen.rivals, seen.share, seen.paid.decimal) == (1, first.net, due + 3)
    hands(market).accept(first.id, seen.txid, seen.share)
    left = evidence(market, second)
    assert (left.counted.decimal, left.share.decimal, left.rivals) == (due, Decimal(3), 0)
    with pytest.raises(PayoutStateError, match="reads otherwise"):
        hands(market).accept(second.id, seen.txid, seen.share)
    hands(market).accept(second.id, left.txid, left.share)
    assert is_exact(market)
    given, theirs = transactions(market)
    assert (given.status, theirs.status, str(theirs.amount)) == ("replaced", "confirmed", "0.00000000")
    assert Decimal(market.balances(market.provider)[0]) == 20 - 10 + left.missing.decimal

    # Undone, it is on its way again; and then the batch that was given up is what the chain has.
    market.chain.reorganise(3)
    market.move_coins()
    assert [row.status for row in transactions(market)] == ["replaced", "broadcast"]
    assert statuses(market) == ["broadcast"] * 2
    assert is_exact(market)
    market.chain.reorganise(5, [[ours]])
    assert is_exact(market)
    adopted = transactions(market)[1]
    assert (adopted.txid, adopted.signed_hex) == (given.txid, ours)
    # The payees have all of it, and one of them has a part twice.
    assert adopted.amount == left.missing
    market.chain.mine(2)
    assert is_exact(market)
    assert (statuses(market), losses(market)) == (["confirmed"] * 2, str(left.missing))
    assert market.chain.received(place) == str(both)


def test_one_that_was_decided_in_part_and_then_undone_leaves_no_gap(market: Market) -> None:
    """The batch confirms after all: what it pays to somebody who was decided about is nobody's, until it is decided."""
    people = [market.payer, market.provider]
    for person in people:
        deposit(market, person, "20")
    market.chain.mine(6)
    market.move_coins()
    places = [market.chain.new_outside_address() for _ in people]
    first, second = batch_of(market, people, places, "10")
    (batch,) = transactions(market)
    spent_and_final(market, {places[0]: "4", places[1]: "5"})
    seen = evidence(market, first)
    hands(market).accept(first.id, seen.txid, seen.share)
    assert is_exact(market)
    assert statuses(market) == ["confirmed", "unknown"]
    with pytest.raises(PayoutStateError, match="taken its coins"):
        hands(market).rebroadcast(second.id)

    market.chain.reorganise(4, [[batch.signed_hex]])
    assert is_exact(market)
    market.chain.mine(2)
    assert is_exact(market)
    assert statuses(market) == ["unknown", "confirmed"]
    assert Decimal(losses(market)) > seen.due.decimal - 1
    again = evidence(market, first)
    assert (again.txid, again.share, again.paid) == (batch.txid, seen.share, seen.due)
    hands(market).accept(first.id, again.txid, again.share)
    assert is_exact(market)
    assert (statuses(market), losses(market)) == (["confirmed"] * 2, str(seen.missing))
    assert [row.status for row in transactions(market)] == ["confirmed", "replaced"]


def test_of_two_that_took_a_coin_each_neither_is_overlooked(market: Market) -> None:
    people = [market.payer, market.provider]
    for person in people:
        deposit(market, person, "20")
    places = [market.chain.new_outside_address() for _ in people]
    short, full = batch_of(market, people, places, "15")
    assert full.net is not None
    deep = spend_by_hand(market, {places[0]: "5"}, "0.01", slice(1))
    late = spend_by_hand(market, {places[1]: str(full.net)}, "0.01", slice(1, 2))
    mine(market, [deep], [late], [])
    market.move_coins()
    seen, other = evidence(market, short), evidence(market, full)
    assert seen.txid != other.txid
    assert (str(seen.share), other.share) == ("5.00000000", full.net)
    hands(market).accept(short.id, seen.txid, seen.share)
    # All that is left of the batch is paid by the other one, and needs no operator.
    assert is_exact(market)
    assert statuses(market) == ["confirmed", "broadcast"]
    market.chain.mine(2)
    assert is_exact(market)
    assert statuses(market) == ["confirmed"] * 2
    assert market.chain.received(places[1]) == str(full.net)


def test_one_that_pays_everybody_and_takes_more_is_adopted_with_its_loss(market: Market) -> None:
    deposit(market, market.payer, "20")
    place, stranger = market.chain.new_outside_address(), market.chain.new_outside_address()
    (payout,) = batch_of(market, [market.payer], [place], "10")
    assert payout.net is not None and payout.fee is not None
    with pytest.raises(PayoutStateError, match="broadcast"):
        hands(market).accept(payout.id, "00" * 32, payout.net)
    spent_and_final(market, {place: str(payout.net), stranger: "2"}, "0.03")
    assert is_exact(market)
    assert (statuses(market), "payout_conflict" in market.alerts()) == (["confirmed"], True)
    assert Decimal(losses(market)) == 2 + Decimal("0.03") - payout.fee.decimal
    assert hands(market).evidence(payout.id) is None


@pytest.mark.parametrize("databases", ["postgres"], indirect=True)
@pytest.mark.settings(wallet={"fee_paid_by": "fund"})
def test_two_operators_at_once_decide_once_and_a_fee_of_the_fund_is_its_own_again(market: Market) -> None:
    deposit(market, market.payer, "1050")
    market.release(market.escrow("1000"))
    deposit(market, market.provider, "20")
    people = [market.payer, market.provider]
    places = [market.chain.new_outside_address() for _ in people]
    short, unpaid = batch_of(market, people, places, "10")
    fund = Decimal(market.fund())
    spent_and_final(market, {places[0]: "9"})
    assert unpaid.fee is not None
    reserved, seen = unpaid.fee.decimal, evidence(market, short)

    told: list[str] = []
    start = threading.Barrier(2)

    def press() -> None:
        services = Services.of(market.services.settings)
        with Session(services.settings) as session:
            mine = PayoutOperations(session, services.settings, services.daemon, AT_TERMINAL)
            start.wait()
            try:
                mine.accept(short.id, seen.txid, seen.share)
            except DuxosError as error:
                told.append(error.slug)
            else:
                told.append("done")

    threads = [threading.Thread(target=press) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["done", "payout-state"]
    assert str(market.payouts()[0].gross) == "9.00000000"
    # Nothing of the other one was paid: that is seen without an operator.
    assert is_exact(market)
    assert [row.status for row in transactions(market)] == ["replaced", "confirmed", "broadcast"]
    market.chain.mine(2)
    assert is_exact(market)
    assert statuses(market) == ["confirmed"] * 2
    again = market.payouts()[1].fee
    assert again is not None
    assert Decimal(market.fund()) == fund + reserved - again.decimal


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_an_operator_reads_the_evidence_and_decides_on_the_page_and_at_the_terminal(
    market: Market, app: Flask, runner: FlaskCliRunner
) -> None:
    deposit(market, market.payer, "50")
    places = [market.chain.new_outside_address() for _ in "12"]
    market.pay_to(market.provider, places[0])
    escrow = market.release(market.escrow("10"))
    earned, asked = batch_of(market, [market.payer], [places[1]], "10")
    theirs = spent_and_final(market, {places[0]: "5", places[1]: "0.5"})
    txid = market.chain.miner.rpc("decoderawtransaction", theirs)["txid"]
    operator, provider = Browser(app), Browser(app)
    operator.log_in(make_person(market.session, market.services, "operator").user.email)
    provider.log_in(market.provider.user.email)

    path = f"/operations/payouts/{earned.id}"
    page = operator.get(path).text
    for words in (
        txid,
        "2 of 2 confirmations",
        "Paid to the address",
        'value="5.00000000">5.00<span class="money-tail">000000</span>',
        "Another transaction has spent",
    ):
        assert words in page, words
    assert set(re.findall(r'data-action="(\w+)"', page)) == {"accept", "queue_again", "return_unpaid"}
    assert "An operator" in provider.get(f"/wallet/payouts/{earned.id}").text
    pressed = {
        "idempotency_key": "first", "seen": "unknown", "accept-txid": txid, "accept-share": "5.00000000",
    }  # fmt: skip
    wrong = pressed | {"idempotency_key": "wrong", "accept-share": "6"}
    assert operator.post(f"{path}/do/accept", wrong).status_code == 409
    for _ in range(2):
        assert operator.post(f"{path}/do/accept", pressed).status_code == 303
    again = operator.post(f"{path}/do/accept", pressed | {"idempotency_key": "second"}, htmx=True)
    assert (again.status_code, "Nothing was changed" in again.text) == (409, True)
    assert "Accepted as paid" in operator.get(path).text
    assert "Paid by another transaction" in provider.get(f"/escrows/{escrow.id}").text
    market.session.rollback()
    assert "payout_accepted" in market.trail(escrow)
    assert "Part of a payout returned" in provider.get("/wallet").text

    def told(*words: str, exit_code: int = 0) -> dict[str, Any]:
        result = runner.invoke(args=["payouts", *words, "--json"])
        assert result.exit_code == exit_code, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    number = str(asked.id)
    seen = told("evidence", number)
    assert (seen["txid"], seen["share"], seen["is_final"]) == (txid, "0.50000000", True)
    assert told("accept", number, txid, "0.6", exit_code=1)["error"] == "payout-state"
    because = ("--reason", "it was for something else")
    assert told("return-unpaid", number, txid, seen["share"], *because)["status"] == "failed"
    assert told("queue-again", number, txid, seen["share"], exit_code=1)["error"] == "payout-state"
    assert told("evidence", number, exit_code=1)["error"] == "payout-state"
    assert is_exact(market)
    assert market.balances(market.payer)[0] == "40.00000000"
