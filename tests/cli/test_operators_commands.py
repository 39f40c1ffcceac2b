"""What an operator does at a terminal: halting and resuming payouts, freezing wallets, putting alerts away."""

from __future__ import annotations

import json
from typing import Any

from flask.testing import FlaskCliRunner
from sqlalchemy.orm import Session

from tests.support.money import credit
from tests.support.people import make_person
from webapp.models import Wallet
from webapp.services import operator_actions
from webapp.services.container import Services
from webapp.services.payouts import halts
from webapp.services.unit_of_work import unit_of_work


def _run(runner: FlaskCliRunner, *arguments: str) -> dict[str, Any]:
    result = runner.invoke(args=[*arguments, "--json"])
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_payouts_are_halted_and_resumed(runner: FlaskCliRunner, session: Session) -> None:
    assert _run(runner, "payouts", "halt", "--reason", "moving house")["status"] == "halted"
    assert [halt.detail for halt in halts.standing(session)] == ["moving house"]
    session.rollback()
    again = _run(runner, "payouts", "halt", "--reason", "another one")
    assert again == {"status": "halted already", "reason": "moving house"}
    (halt,) = _run(runner, "payouts", "status")["halted_by"]
    assert (halt["cause"], halt["detail"], "raised_at" in halt) == ("operator", "moving house", True)
    assert "halted by  operator: moving house" in runner.invoke(args=["payouts", "status"]).output

    session.rollback()
    assert _run(runner, "payouts", "resume")["lifted"] == ["operator"]
    assert halts.standing(session) == []


def test_a_wallet_is_frozen_and_given_back(
    runner: FlaskCliRunner, session: Session, services: Services
) -> None:
    wallet_id = make_person(session, services).wallet_id
    credit(session, wallet_id, "10")
    for command, is_frozen in (("freeze", True), ("unfreeze", False)):
        assert _run(runner, "wallet", command, str(wallet_id)) == {
            "wallet_id": wallet_id,
            "is_frozen": is_frozen,
        }
        session.rollback()
        assert session.get_one(Wallet, wallet_id, populate_existing=True).is_frozen is is_frozen
    session.rollback()
    _run(runner, "wallet", "freeze", str(wallet_id), "--reason", "a call")
    again = _run(runner, "wallet", "freeze", str(wallet_id), "--reason", "another one")
    assert (again["was_frozen_already"], again["reason"]) == (True, "a call")


def test_what_no_database_can_hold_or_no_page_show_is_refused(runner: FlaskCliRunner) -> None:
    huge = "9" * 25
    for words in (
        ("alerts", "acknowledge", huge),
        ("coins", "ours", huge),
        ("coins", "assign", "1", "--wallet", huge),
        ("wallet", "unfreeze", huge),
        ("solvency", "show", huge),
        ("alerts", "list", "--limit", "0"),
    ):
        assert runner.invoke(args=list(words)).exit_code == 2, words
    for words in (("payouts", "halt"), ("wallet", "freeze", "1")):
        result = runner.invoke(args=[*words, "--reason", "see \u202egnihton"])
        assert (result.exit_code, "printable" in result.output) == (1, True), words


def test_a_wallet_that_is_not_there_is_named(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["wallet", "freeze", "404"])
    assert result.exit_code == 1
    assert "there is no wallet 404" in result.output


def test_errors_are_one_object_where_json_was_asked_for(runner: FlaskCliRunner) -> None:
    for words, exit_code, error, detail in (
        (("wallet", "freeze", "404"), 1, "not-found", "there is no wallet 404"),
        (("payouts", "halt", "--reason", ""), 1, "validation-error", "printable characters"),
        (("payouts", "halt"), 2, "usage", "Missing option '--reason'"),
        (("alerts", "list", "--limit", "0"), 2, "usage", "0 is not in the range"),
        (("payouts", "nothing"), 2, "usage", "No such command 'nothing'"),
        (("flopcoin", "setup", "--daemon", "/nowhere"), 1, "", ""),
    ):
        result = runner.invoke(args=[*words, "--json"])
        told = json.loads(result.stdout)
        assert (result.exit_code, set(told)) == (exit_code, {"error", "detail", "fields"}), words
        assert error in told["error"] and detail in told["detail"], (words, told)
    told = json.loads(runner.invoke(args=["payouts", "halt", "--reason", "", "--json"]).stdout)
    assert list(told["fields"]) == ["reason"]
    result = runner.invoke(args=["wallet", "freeze", "404"])
    assert (result.stdout, result.stderr) == ("", "Error: there is no wallet 404\n")


def test_an_alert_is_put_away_once_and_may_come_again(runner: FlaskCliRunner, session: Session) -> None:
    for _ in range(2):
        with unit_of_work(session):
            halts.raise_alert(session, "payout_conflict", "txid", "compare them by hand")
    with unit_of_work(session):
        halts.raise_alert(session, "payout_stuck", "payout:1", "late")
    listed = _run(runner, "alerts", "list", "--limit", "1")
    assert (listed["total"], len(listed["alerts"])) == (2, 1)
    assert listed["alerts"][0] | {"raised_at": ""} == {
        "id": 1,
        "kind": "payout_conflict",
        "subject": "txid",
        "detail": "compare them by hand",
        "raised_at": "",
    }
    lines = runner.invoke(args=["alerts", "list"]).output
    assert "1 payout_conflict txid: compare them by hand" in lines

    later = _run(runner, "alerts", "list")["alerts"][1]
    assert _run(runner, "alerts", "acknowledge", str(later["id"]))["status"] == "acknowledged"
    assert _run(runner, "alerts", "acknowledge", "1")["status"] == "acknowledged"
    assert _run(runner, "alerts", "list")["alerts"] == []
    assert runner.invoke(args=["alerts", "acknowledge", "1"]).exit_code == 1

    assert [act.actor for act in operator_actions.of_subject(session, "alert:1")] == ["terminal"]
    session.rollback()
    with unit_of_work(session):
        halts.raise_alert(session, "payout_conflict", "txid", "again")
    assert len(_run(runner, "alerts", "list")["alerts"]) == 1
