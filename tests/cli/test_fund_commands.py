"""The fund at a terminal: its figures, and airdrops by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskCliRunner
from sqlalchemy.orm import Session

from tests.support.databases import SqliteDatabases
from tests.support.money import balances, fill_fund
from tests.support.people import make_node, make_person
from webapp.services.container import Services


@pytest.fixture
def databases(sqlite_databases: SqliteDatabases) -> SqliteDatabases:
    """SQLite only: the services are tested on both."""
    return sqlite_databases


def test_an_airdrop_is_tried_given_and_counted(
    runner: FlaskCliRunner, session: Session, services: Services
) -> None:
    owner = make_person(session, services, "provider")
    nodes = [make_node(session, services, owner).node.id for _ in range(2)]
    fill_fund(session, "30")
    named = [part for node in nodes for part in ("--node", node)]

    def run(*arguments: str) -> dict[str, Any]:
        result = runner.invoke(args=["fund", *arguments, "--json"])
        assert result.exit_code == 0, result.output
        answer: dict[str, Any] = json.loads(result.stdout)
        return answer

    tried = run("airdrop", *named, "--total", "11", "--dry-run")
    assert (tried["airdrop_id"], tried["total_distributed"]) == (None, "11.00000000")
    assert balances(session, owner.wallet_id)[0] == "0.00000000"
    given = run("airdrop", *named, "--amount-per-node", "4", "--reason", "a look")
    assert (given["successful_airdrops"], given["failed_airdrops"]) == (2, 0)
    assert [each["status"] for each in given["airdrops"]] == ["credited", "credited"]
    assert balances(session, owner.wallet_id)[0] == "8.00000000"
    status = run("status")
    assert (status["current_balance"], status["last_airdrop_amount"]) == ("22.00000000", "8.00000000")
    assert status["airdrops"] == 1 and status["last_airdrop_at"].endswith("Z")

    shown = runner.invoke(args=["fund", "airdrop", *named, "--amount-per-node", "4", "--dry-run"])
    assert f"{nodes[0]} 4.00000000 FLOP to the balance: chosen (" in shown.output
    refused = runner.invoke(args=["fund", "airdrop", "--node", "nobody", "--amount-per-node", "50"])
    assert refused.exit_code == 1
    assert refused.output == (
        "Error: nothing is given: node_ids: nobody is not registered; "
        "amount_per_node: 50.00000000 FLOP is asked for, and the fund has 22.00000000 FLOP\n"
    )
