"""Custody at a terminal: what waits and where coins lie, and a second operator who has to show that it is them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import Result
from flask.testing import FlaskCliRunner
from sqlalchemy.orm import Session

from tests.support.money import balances, credit
from tests.support.people import PASSWORD, Person, make_person
from webapp.domain.money import Amount
from webapp.models import DepositAddress, Payout
from webapp.services import operator_actions
from webapp.services.container import Services
from webapp.services.unit_of_work import unit_of_work

ADDRESS, OTHER = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"

pytestmark = pytest.mark.settings(custody={"approval_above": "50", "daily_withdrawal_limit": "500"})


def _run(runner: FlaskCliRunner, *arguments: str, password: str = PASSWORD) -> Result:
    return runner.invoke(args=["custody", *arguments, "--json"], input=f"{password}\n")


def _read(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def _ask(session: Session, services: Services, person: Person) -> Payout:
    return services.wallets(session).payouts.withdraw(person.wallet_id, ADDRESS, Amount.parse(60))


def test_a_second_operator_decides_with_their_password_about_the_address_they_read(
    runner: FlaskCliRunner, session: Session, services: Services
) -> None:
    person = make_person(session, services)
    judge, asker = (make_person(session, services, "operator") for _ in range(2))
    credit(session, person.wallet_id, "100")
    credit(session, asker.wallet_id, "100")
    payout, own = _ask(session, services, person), _ask(session, services, asker)
    shown = _read(_run(runner, "show"))
    assert (shown["approval_above"], shown["daily_withdrawal_limit"], shown["cold_storage"]) == (
        "50.00000000",
        "500.00000000",
        "0.00000000",
    )
    assert [(each["id"], each["address"]) for each in shown["awaiting_approval"]] == [
        (str(payout.id), ADDRESS),
        (str(own.id), ADDRESS),
    ]
    assert str(payout.id) in runner.invoke(args=["custody", "show"]).output

    approve = ("approve", str(payout.id), ADDRESS, "--password", "-", "--operator")
    for attempt, words in (
        (_run(runner, *approve, judge.user.email, password="guessed it all"), "password"),
        (_run(runner, *approve, person.user.email), "only an operator"),
        (_run(runner, "approve", str(payout.id), OTHER, *approve[3:], judge.user.email), "read it again"),
        (_run(runner, "approve", str(own.id), ADDRESS, *approve[3:], asker.user.email), "another operator"),
        (_run(runner, "approve", "nonsense", ADDRESS, *approve[3:], judge.user.email), "no such payout"),
    ):
        assert attempt.exit_code == 1
        assert words in attempt.output
    assert _read(_run(runner, *approve, judge.user.email))["status"] == "queued"
    refuse = ("refuse", str(own.id), "--reason", "wrong week", "--password", "-", "--operator")
    assert _read(_run(runner, *refuse, judge.user.email))["status"] == "failed"
    assert _run(runner, *refuse, judge.user.email).exit_code == 1
    assert balances(session, asker.wallet_id) == ("100.00000000", "0.00000000")


def test_a_refill_address_is_kept_until_another_one_is_asked_for(
    runner: FlaskCliRunner, session: Session
) -> None:
    with unit_of_work(session):
        session.add_all([DepositAddress(address=ADDRESS), DepositAddress(address=OTHER)])
    first = [_read(_run(runner, "refill-address"))["address"] for _ in range(2)]
    second = _read(_run(runner, "refill-address", "--new"))["address"]
    assert first[0] == first[1] != second
    assert _read(_run(runner, "show"))["refill_address"] == second
    session.rollback()
    acts = operator_actions.of_subject(session, "cold")
    assert [(act.actor, act.action) for act in acts] == [("terminal", "take_refill_address")] * 2
    session.rollback()
    assert _run(runner, "refill-address", "--new").exit_code == 1, "none in stock, and no daemon"


def test_a_sweep_needs_somewhere_to_go_and_something_to_keep(runner: FlaskCliRunner) -> None:
    assert "Say how much is to stay" in _run(runner, "sweep-now").output
    assert "keep" in _run(runner, "sweep-now", "--keep", "all").output
