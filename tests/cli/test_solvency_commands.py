"""What operators do about statements and unexplained coins at a terminal."""

from __future__ import annotations

import json

import pytest
from flask.testing import FlaskCliRunner

from tests.support.databases import SqliteDatabases
from tests.support.money import credit
from tests.support.people import make_person
from tests.support.solvency import publish_without_daemon
from webapp.domain.money import Amount
from webapp.models import UnexplainedCoin
from webapp.services import operator_actions
from webapp.services.unit_of_work import unit_of_work


@pytest.fixture
def databases(sqlite_databases: SqliteDatabases) -> SqliteDatabases:
    """SQLite only: the commands do not know which database they stand on."""
    return sqlite_databases


def said(runner: FlaskCliRunner, *words: str) -> dict:
    result = runner.invoke(args=[*words, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def refused(runner: FlaskCliRunner, *words: str) -> str:
    result = runner.invoke(args=list(words))
    assert result.exit_code == 1
    return result.output


def test_a_statement_is_shown_with_the_text_that_cold_storage_signs(runner, session, services) -> None:
    credit(session, make_person(session, services).wallet_id, "12")
    statement = publish_without_daemon(session)

    shown = said(runner, "solvency", "show", str(statement.id))

    assert (shown["liabilities"], shown["reserves"]) == ("12.00000000", "12.00000000")
    assert shown["message"] == statement.document["message"]
    assert shown["cold_is_signed"] is False
    number = str(statement.id)
    assert "nothing in cold storage" in refused(runner, "solvency", "sign-cold", number, "--signature", "x")
    assert "no statement 99" in refused(runner, "solvency", "show", "99")
    assert "out of reach" in refused(runner, "solvency", "publish")


def test_coins_are_listed_and_given_to_whom_they_belong(runner, session, services) -> None:
    wallet_id = make_person(session, services).wallet_id
    with unit_of_work(session):
        for number in range(3):
            made = {"txid": f"{number:064x}", "vout": 0, "address": f"address-{number}", "block_height": 5}
            session.add(UnexplainedCoin(**made, amount=Amount.parse("1.5"), confirmations=1))
    listed = said(runner, "coins", "list")
    assert (listed["open"], listed["unexplained"], listed["rest"]) == (
        "4.50000000",
        "0.00000000",
        "-4.50000000",
    )
    few = said(runner, "coins", "list", "--limit", "2")
    assert (len(few["coins"]), few["open_coins"]) == (2, 3)
    first, second, third = (str(coin["id"]) for coin in listed["coins"])

    assert said(runner, "coins", "assign", first, "--wallet", str(wallet_id))["status"] == "assigned"
    assert said(runner, "coins", "ours", second)["status"] == "ours"
    assert "by now" in refused(runner, "coins", "ours", first)
    assert "no such wallet" in refused(runner, "coins", "assign", third, "--wallet", "999")

    assert [coin["id"] for coin in said(runner, "coins", "list")["coins"]] == [int(third)]
    assert "address-2" in runner.invoke(args=["coins", "list"]).output
    (action,) = operator_actions.of_subject(session, f"coin:{0:064x}:0")
    assert (action.action, action.detail["amount"]) == ("assign_coin", "1.50000000")
    assert action.actor == "terminal"
