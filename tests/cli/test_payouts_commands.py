"""Single payouts at a terminal: what is shown, held, let go and given back, and what is refused in one line."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from flask.testing import FlaskCliRunner
from sqlalchemy.orm import Session

from tests.support.databases import SqliteDatabases
from tests.support.money import balances, credit
from tests.support.people import make_person
from webapp.domain.money import Amount
from webapp.services.container import Services

ADDRESS = "n3GNqMveyvaPvUbH469vDRadqpJMPc84JA"
OTHER_ADDRESS = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"


@pytest.fixture
def databases(sqlite_databases: SqliteDatabases) -> SqliteDatabases:
    """SQLite only: the services are tested on both."""
    return sqlite_databases


def _run(runner: FlaskCliRunner, *arguments: str) -> dict[str, Any]:
    result = runner.invoke(args=["payouts", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def _refused(runner: FlaskCliRunner, *arguments: str) -> str:
    result = runner.invoke(args=["payouts", *arguments])
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    return result.output


def test_a_payout_is_shown_held_let_go_and_given_back(
    runner: FlaskCliRunner, session: Session, services: Services
) -> None:
    wallet_id = make_person(session, services).wallet_id
    credit(session, wallet_id, "10")
    payout = services.wallets(session).payouts.withdraw(wallet_id, ADDRESS, Amount.parse(4))
    name = str(payout.id)

    (listed,) = _run(runner, "list", "--status", "queued")["payouts"]
    assert (listed["payout_id"], listed["gross"], listed["status"]) == (name, "4.00000000", "queued")
    assert _run(runner, "list", "--late")["payouts"] == []
    assert _run(runner, "hold", name, "--reason", "a look")["status"] == "held"
    shown = _run(runner, "show", name)
    assert shown["reason"] == "held by an operator: a look"
    assert shown["may_do"] == ["resume", "return"]
    (done,) = shown["done"]
    assert (done["actor"], done["action"], done["detail"]["reason"]) == ("terminal", "hold_payout", "a look")
    assert "terminal hold_payout" in runner.invoke(args=["payouts", "show", name]).output
    assert "its destination has changed" in _refused(runner, "let-go", name, OTHER_ADDRESS).lower()
    assert _run(runner, "let-go", name, ADDRESS)["status"] == "queued"
    assert "The payout is queued: it is in no transaction yet" in _refused(runner, "raise-fee", name)
    assert "The payout is queued" in _refused(runner, "rebroadcast", name)
    assert _run(runner, "return", name, "--reason", "as asked")["status"] == "failed"
    assert "its money is back in the balance" in _refused(runner, "return", name, "--reason", "again")

    assert balances(session, wallet_id) == ("10.00000000", "0.00000000")
    assert "there is no such payout" in _refused(runner, "show", str(uuid.uuid4()))
    lines = runner.invoke(args=["payouts", "list"]).output
    assert f"{name} failed 4.00000000 FLOP" in lines
