"""The commands that operators and scripts live on: accounts, keys, nodes, the worker, the proof of the books."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskCliRunner
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.support.chain import Chain
from tests.support.money import credit
from tests.support.people import PASSWORD, make_person
from webapp.domain.money import Amount
from webapp.models import SigningKey
from webapp.services.container import Services
from webapp.services.unit_of_work import unit_of_work


def _run(runner: FlaskCliRunner, *arguments: str, given: str | None = None) -> dict[str, Any]:
    result = runner.invoke(args=[*arguments, "--json"], input=given)
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def _refused(runner: FlaskCliRunner, *arguments: str) -> str:
    result = runner.invoke(args=list(arguments))
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    return result.output


def test_a_user_is_made_with_a_wallet_and_an_address_where_coins_arrive(
    chain: Chain, runner: FlaskCliRunner, session: Session, services: Services
) -> None:
    options = ("--email", "Payer@Example.com", "--password", "-", "--role", "payer")
    made = _run(runner, "user", "create", *options, given=f"{PASSWORD}\n")
    assert set(made) == {"user_id", "wallet_id", "deposit_address"}
    assert services.identity(session).authenticate("payer@example.com", PASSWORD).id == made["user_id"]

    chain.deposit(made["deposit_address"], "12.5", 2)
    assert runner.invoke(args=["worker", "--once"]).exit_code == 0

    session.rollback()
    assert services.wallets(session).get_balance(made["wallet_id"]).available == Amount.parse("12.5")
    proof = _run(runner, "ledger-check")
    assert (proof["ok"], proof["coins_unexplained"]) == (True, "0.00000000")


def test_a_user_without_a_daemon_gets_the_address_later(runner: FlaskCliRunner) -> None:
    options = ("--email", "payer@example.com", "--password", PASSWORD, "--role", "payer")
    assert _run(runner, "user", "create", *options)["deposit_address"] is None
    assert "has an account already" in _refused(runner, "user", "create", *options)


def test_a_key_is_made_rotated_and_revoked(
    runner: FlaskCliRunner, session: Session, services: Services
) -> None:
    wallet = str(make_person(session, services).wallet_id)
    scopes = ("--scope", "escrow:create", "--scope", "escrow:read")
    made = _run(runner, "key", "create", "--wallet", wallet, *scopes, "--spend-limit", "7.5")
    assert made["scopes"] == ["escrow:read", "escrow:create"]
    session.rollback()
    assert session.get_one(SigningKey, made["key_id"]).spend_limit == Amount.parse("7.5")

    rotated = _run(runner, "key", "rotate", made["key_id"], "--overlap-hours", "0")
    assert rotated["secret"] != made["secret"]
    session.rollback()
    keys = services.signing_keys(session)
    assert [keys.find_usable(key["key_id"]) is not None for key in (made, rotated)] == [False, True]

    _run(runner, "key", "revoke", rotated["key_id"])
    session.rollback()
    assert keys.find_usable(rotated["key_id"]) is None
    session.rollback()
    assert "there is no such key" in _refused(runner, "key", "revoke", rotated["key_id"])
    assert "there is no wallet 404" in _refused(
        runner, "key", "create", "--wallet", "404", "--scope", "fund:read"
    )


def test_a_node_is_registered_once(runner: FlaskCliRunner, session: Session, services: Services) -> None:
    wallet = str(make_person(session, services, "provider").wallet_id)
    made = _run(runner, "node", "register", "--node-id", "node_001", "--wallet", wallet)
    assert set(made) == {"node_id", "key_id", "secret"}
    again = _refused(runner, "node", "register", "--node-id", "node_001", "--wallet", wallet)
    assert "a node with this id is registered" in again


@pytest.mark.broken_books
def test_a_gap_in_the_books_is_named_and_ends_with_exit_code_1(
    runner: FlaskCliRunner, session: Session, services: Services
) -> None:
    wallet_id = make_person(session, services).wallet_id
    credit(session, wallet_id, "10")
    with unit_of_work(session):
        session.execute(text("UPDATE wallets SET available = available + 1"))

    result = runner.invoke(args=["ledger-check", "--json"])

    assert result.exit_code == 1
    proof = json.loads(result.stdout)
    assert not proof["ok"]
    assert [gap["check"] for gap in proof["gaps"]] == ["wallet balance differs from its postings"]
    assert "out of reach" in proof["coins_note"]
