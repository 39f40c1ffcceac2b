"""`flask node`: a node's life from the terminal, where everything may be done."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskCliRunner
from sqlalchemy.orm import Session

from tests.support.people import make_person
from webapp.services.container import Services
from webapp.services.nodes.challenges import sign_challenge

pytestmark = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


def _run(runner: FlaskCliRunner, *arguments: str) -> dict[str, Any]:
    result = runner.invoke(args=["node", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_a_nodes_life_from_the_terminal(runner: FlaskCliRunner, session: Session, services: Services) -> None:
    wallet_id = make_person(session, services, "provider").wallet_id
    named = ("--node-id", "node_001", "--wallet", str(wallet_id))
    made = _run(runner, "register", *named, "--capability", "gpu", "--region", "eu")
    assert set(made) == {"node_id", "key_id", "secret"}
    _run(runner, "register", "--node-id", "node_002", "--wallet", str(wallet_id))

    asked = _run(runner, "challenge", "node_001")
    signature = sign_challenge(made["secret"], "node_001", asked["challenge"])
    assert _run(runner, "challenge", "node_001", asked["challenge"], signature)["verified_at"]
    shown = _run(runner, "update", "node_001", "--no-capabilities", "--region", "us", "--airdrop-to", "chain")
    assert (shown["capabilities"], shown["region"], shown["airdrop_to"]) == ([], "us", "chain")

    assert _run(runner, "suspend", "node_001", "--reason", "it cheats")["status"] == "suspended"
    assert _run(runner, "show", "node_001")["status_reason"] == "it cheats"
    listed = _run(runner, "list", "--status", "suspended", "--wallet", str(wallet_id))
    assert [each["node_id"] for each in listed["nodes"]] == ["node_001"]
    page = _run(runner, "list", "--limit", "1")
    assert page["next_cursor"]
    more = runner.invoke(args=["node", "list", "--cursor", page["next_cursor"]]).output
    assert f"node_002 offline, wallet {wallet_id}" in more
    assert _run(runner, "reinstate", "node_001", "--reason", "it was a mistake")["status"] == "offline"

    rotated = _run(runner, "rotate-secret", "node_001")
    assert rotated["secret"] != made["secret"]
    for key in (made, rotated):
        session.rollback()
        assert services.signing_keys(session).find_usable(key["key_id"])


def test_what_is_wrong_is_told_in_a_line(
    runner: FlaskCliRunner, session: Session, services: Services
) -> None:
    wallet_id = str(make_person(session, services).wallet_id)
    for words, told in (
        (("show", "node_404"), "there is no such node"),
        (("register", "--node-id", "a b", "--wallet", wallet_id), "node_id: must be"),
        (("register", "--node-id", "a", "--wallet", "404"), "there is no wallet 404"),
    ):
        result = runner.invoke(args=["node", *words])
        assert (result.exit_code, told in result.output) == (1, True), words
