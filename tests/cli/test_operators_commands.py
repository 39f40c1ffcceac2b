"""What an operator does at a terminal: halting and resuming payouts, freezing wallets, putting alerts away."""

from __future__ import annotations

import json
from typing import Any

from flask.testing import FlaskCliRunner
from sqlalchemy.orm import Session

from tests.support.money import credit
from tests.support.people import make_person
from webapp.models import Wallet
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
    assert _run(runner, "payouts", "status")["halted_by"] == ["operator: moving house"]

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


def test_a_wallet_that_is_not_there_is_named(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["wallet", "freeze", "404"])
    assert result.exit_code == 1
    assert "there is no wallet 404" in result.output


def test_an_alert_is_put_away_once_and_may_come_again(runner: FlaskCliRunner, session: Session) -> None:
    for _ in range(2):
        with unit_of_work(session):
            halts.raise_alert(session, "payout_conflict", "txid", "compare them by hand")
    assert _run(runner, "alerts", "list")["alerts"] == ["1 payout_conflict txid: compare them by hand"]

    assert _run(runner, "alerts", "acknowledge", "1")["status"] == "acknowledged"
    assert _run(runner, "alerts", "list")["alerts"] == []
    assert runner.invoke(args=["alerts", "acknowledge", "1"]).exit_code == 1

    with unit_of_work(session):
        halts.raise_alert(session, "payout_conflict", "txid", "again")
    assert len(_run(runner, "alerts", "list")["alerts"]) == 1
