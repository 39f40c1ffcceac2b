"""Changes of the fund's rules: announced with notice, recorded, withdrawn in time, and never two of one rule."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask.testing import FlaskCliRunner
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.people import make_person
from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import ConflictError, NotFoundError, ValidationError
from webapp.domain.money import Amount
from webapp.domain.roles import AT_TERMINAL
from webapp.ledger import pooled
from webapp.models import FundRuleChange, OperatorAction
from webapp.services import fund_records, fund_rules
from webapp.services.container import Services
from webapp.services.database import Session as NewSession

NOTICE = timedelta(hours=72)
ON_SQLITE = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


def refused(session: Session, settings: Settings, values: dict[str, str], reason: str = "Because") -> dict:
    with pytest.raises(ValidationError) as caught:
        fund_rules.propose(session, settings, AT_TERMINAL, values, reason)
    return dict(caught.value.fields)


def actions(session: Session) -> list[tuple[str, str]]:
    return [tuple(row) for row in session.execute(select(OperatorAction.action, OperatorAction.actor))]


def test_a_change_holds_after_the_notice_and_stands_in_the_record(
    session: Session, settings: Settings, services: Services
) -> None:
    operator = make_person(session, services, "operator")
    before = fund_rules.in_force(session, settings)
    values = {"airdrop_threshold": "250", "airdrop_shares": "reputation", "max_airdrop_nodes": "1000"}
    change = fund_rules.propose(session, settings, operator.actor, values, "  Fees have   risen ")

    assert change.changes == {
        "airdrop_threshold": {"old": "100.00000000", "new": "250.00000000"},
        "airdrop_shares": {"old": "equal", "new": "reputation"},
    }
    assert (change.reason, change.decided_by) == ("Fees have risen", operator.actor.name)
    assert abs(change.effective_at - change.decided_at - NOTICE) < timedelta(seconds=1)
    assert fund_rules.in_force(session, settings) == before
    assert fund_rules.in_force(session, settings, change.effective_at - timedelta(seconds=1)) == before
    after = fund_rules.in_force(session, settings, change.effective_at)
    assert (after.airdrop_threshold, after.airdrop_shares) == (Amount.parse(250), "reputation")
    (action,) = session.scalars(select(OperatorAction)).all()
    assert (action.action, action.subject, action.actor) == (
        "change_fund_rules",
        "fund_rules",
        operator.actor.name,
    )
    assert action.detail["changes"] == change.changes
    session.commit()

    with time_machine.travel(change.effective_at):
        assert fund_rules.pending(session) == []
        assert services.fund_manager(session).record_figures()
        assert str(fund_records.latest(session, 1)[0].airdrop_threshold) == "250.00000000"
        again = fund_rules.propose(session, settings, AT_TERMINAL, {"airdrop_threshold": "300"}, "More")
        assert again.changes == {"airdrop_threshold": {"old": "250.00000000", "new": "300.00000000"}}


@ON_SQLITE
def test_everything_that_is_wrong_is_named_at_once(session: Session, settings: Settings) -> None:
    fund_rules.propose(session, settings, AT_TERMINAL, {"settled_within_days": "20"}, "A trial")
    found = refused(
        session,
        settings,
        {
            "airdrop_threshold": "0.5",
            "airdrop_interval_hours": "0",
            "max_airdrop_nodes": "many",
            "airdrop_shares": "mine",
            "settled_within_days": "10",
            "min_settled_amount": "-1",
            "colour": "red",
        },
        " ",
    )

    assert set(found) == {
        "airdrop_threshold",
        "airdrop_interval_hours",
        "max_airdrop_nodes",
        "airdrop_shares",
        "settled_within_days",
        "min_settled_amount",
        "colour",
        "reason",
    }
    assert found["settled_within_days"].startswith("is about to change already, on 2")
    assert found["airdrop_threshold"] == "must not be less than the least that a node gets"
    assert refused(session, settings, {"min_airdrop_amount": "100.00000001"}) == {
        "min_airdrop_amount": "must not be more than the threshold"
    }
    assert refused(session, settings, {"airdrop_threshold": "100"}) == {}
    assert list(refused(session, settings, {"airdrop_interval_hours": "0000000000180000"})) == [
        "airdrop_interval_hours"
    ]
    # As it is now, it is no change, whatever else is announced.
    change = fund_rules.propose(
        session,
        settings,
        AT_TERMINAL,
        {"settled_within_days": "30", "min_settled_amount": "0"},
        "Anybody may try",
    )
    assert list(change.changes) == ["min_settled_amount"]
    fund_rules.propose(session, settings, AT_TERMINAL, {"airdrop_threshold": "5"}, "Sooner")
    assert list(refused(session, settings, {"min_airdrop_amount": "6"})) == ["min_airdrop_amount"]


def test_a_change_is_withdrawn_until_it_holds_and_only_once(session: Session, settings: Settings) -> None:
    first = fund_rules.propose(session, settings, AT_TERMINAL, {"max_nodes_per_owner": "3"}, "A trial")
    fund_rules.withdraw(session, AT_TERMINAL, first.id)
    assert fund_rules.pending(session) == []
    second = fund_rules.propose(session, settings, AT_TERMINAL, {"max_nodes_per_owner": "2"}, "Again")
    session.commit()

    for change_id, at, error in (
        (first.id, utcnow(), ConflictError),
        (second.id, second.effective_at, ConflictError),
        (2**31 - 1, utcnow(), NotFoundError),
    ):
        with time_machine.travel(at), pytest.raises(error):
            fund_rules.withdraw(session, AT_TERMINAL, change_id)
    assert fund_rules.in_force(session, settings, second.effective_at).max_nodes_per_owner == 2
    assert [action for action, _ in actions(session)] == [
        "change_fund_rules",
        "withdraw_fund_rules",
        "change_fund_rules",
    ]
    assert [change.id for change in fund_rules.list_changes(session).items] == [second.id, first.id]
    page = fund_rules.list_changes(session, limit=1)
    assert [each.id for each in fund_rules.list_changes(session, cursor=page.next_cursor).items] == [first.id]


@ON_SQLITE
def test_whoever_waits_to_withdraw_a_change_until_it_holds_is_too_late(
    session: Session, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = fund_rules.propose(session, settings, AT_TERMINAL, {"max_nodes_per_owner": "3"}, "A trial")
    with time_machine.travel(change.effective_at - timedelta(seconds=1)) as clock:
        take = pooled.lock

        def take_long(*lock: Any) -> None:
            take(*lock)
            clock.shift(2)

        monkeypatch.setattr(pooled, "lock", take_long)
        with pytest.raises(ConflictError, match="in force"):
            fund_rules.withdraw(session, AT_TERMINAL, change.id)
        assert fund_rules.in_force(session, settings).max_nodes_per_owner == 3


def test_of_two_changes_of_one_rule_at_the_same_moment_one_is_announced(
    session: Session, settings: Settings
) -> None:
    def announce(number: int) -> str:
        with NewSession(settings) as own:
            try:
                fund_rules.propose(own, settings, AT_TERMINAL, {"airdrop_threshold": f"{number}"}, "Race")
            except ValidationError as error:
                return next(iter(error.fields))
        return "announced"

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(announce, range(201, 205)))

    assert outcomes == ["airdrop_threshold"] * 3 + ["announced"]
    assert len(session.scalars(select(FundRuleChange)).all()) == 1


@ON_SQLITE
def test_the_command_shows_announces_and_withdraws(runner: FlaskCliRunner, session: Session) -> None:
    def run(*options: str) -> tuple[int, dict]:
        result = runner.invoke(args=["fund", "rules", *options, "--json"])
        return result.exit_code, json_of(result.output)

    code, shown = run()
    assert (code, shown["rules"]["airdrop_threshold"], shown["pending"]) == (0, "100.00000000", [])
    code, told = run("--set", "airdrop_threshold=250", "--set", "max_nodes_per_owner=2", "--reason", "Fees")
    (change,) = told["pending"]
    assert (code, change["decided_by"], change["reason"]) == (0, "terminal", "Fees")
    assert change["changes"]["airdrop_threshold"] == {"old": "100.00000000", "new": "250.00000000"}
    code, refused = run("--set", "airdrop_threshold=300", "--reason", "")
    assert (code, set(refused["fields"])) == (1, {"airdrop_threshold", "reason"})
    assert run("--set", "airdrop_threshold")[0] == 2
    lines = runner.invoke(args=["fund", "rules"]).output
    assert "airdrop_threshold: 100.00000000 -> 250.00000000" in lines
    assert run("--withdraw", str(change["id"]))[1]["pending"] == []
    assert run("--withdraw", str(change["id"]))[0] == 1
    assert [actor for _, actor in actions(session)] == ["terminal", "terminal"]


def json_of(output: str) -> dict:
    read = json.loads(output)
    assert isinstance(read, dict)
    return read
