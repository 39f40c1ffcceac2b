"""Airdrops by hand over JSON: tried, given once, refused with every reason."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from tests.api.conftest import World
from tests.support.money import fill_fund, fund_balance
from tests.support.people import make_node, make_person
from tests.support.signing import Program
from webapp.domain.roles import Scope
from webapp.models import Airdrop, SigningKey
from webapp.services.unit_of_work import unit_of_work

pytestmark = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)

PATH = "/community-fund/airdrop"


@pytest.fixture
def operator(world: World) -> Program:
    """A program of an operator's, which may give airdrops."""
    person = make_person(world.session, world.services, "operator")
    return world.program(person, (Scope.FUND_AIRDROP.value,))


def _nodes(world: World, count: int) -> list[str]:
    return [make_node(world.session, world.services, world.pair.provider).node.id for _ in range(count)]


def _given(world: World) -> int:
    count = world.session.scalar(select(func.count()).select_from(Airdrop))
    world.session.rollback()
    return int(count or 0)


def _fields(response: TestResponse) -> dict[str, str]:
    assert response.status_code == 422, response.text
    return {error["field"]: error["message"] for error in response.json["errors"]}


def test_an_airdrop_is_tried_and_then_given_once(world: World, operator: Program) -> None:
    fill_fund(world.session, "40")
    nodes = _nodes(world, 3)
    body: dict[str, Any] = {"node_ids": nodes, "amount_per_node": 5}

    tried = operator.post(PATH, body | {"dry_run": True})
    row = {"amount": "5.00000000", "pay_to": "balance", "address": None}
    note = "has not proved yet that it has its secret, is offline"
    expected = {
        "airdrop_id": None,
        "dry_run": True,
        "successful_airdrops": 3,
        "failed_airdrops": 0,
        "total_distributed": "15.00000000",
        "airdrops": [row | {"node_id": node, "status": "chosen", "reason": note} for node in nodes],
    }
    assert (tried.status_code, tried.json) == (200, expected)
    assert (fund_balance(world.session), _given(world)) == ("40.00000000", 0)

    answers = [operator.post(PATH, body, idempotency_key="first") for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 200]
    assert answers[0].json == answers[1].json
    assert [each.headers.get("Idempotent-Replayed") for each in answers] == [None, "true"]
    given = answers[0].json
    assert uuid.UUID(given["airdrop_id"])
    assert given == expected | {
        "airdrop_id": given["airdrop_id"],
        "dry_run": False,
        "airdrops": [row | {"node_id": node, "status": "credited", "reason": ""} for node in nodes],
    }
    assert (fund_balance(world.session), _given(world)) == ("25.00000000", 1)
    assert world.balances(world.pair.provider) == ("15.00000000", "0.00000000")
    other = operator.post(PATH, body | {"amount_per_node": 6}, idempotency_key="first")
    assert other.json["type"] == "urn:duxos:problem:idempotency-mismatch"

    # A total is divided; what does not divide stays.
    divided = operator.post(PATH, {"node_ids": nodes, "total_amount": "20", "reason": "For the outage"})
    assert divided.json["total_distributed"] == "19.99999998"
    assert fund_balance(world.session) == "5.00000002"


def test_a_refusal_names_everything_and_gives_nothing_tried_or_not(world: World, operator: Program) -> None:
    fill_fund(world.session, "8")
    (node,) = _nodes(world, 1)
    body = {"node_ids": [node, node, "nobody"], "amount_per_node": "5", "reason": "x" * 301}
    for dry_run in (True, False):
        assert _fields(operator.post(PATH, body | {"dry_run": dry_run})) == {
            "node_ids": f"{node} is named more than once; nobody is not registered",
            "amount_per_node": "10.00000000 FLOP is asked for, and the fund has 8.00000000 FLOP",
            "reason": "must be 1 to 300 printable characters",
        }
    assert list(_fields(operator.post(PATH, {"node_ids": [node]}))) == ["amount_per_node", "total_amount"]
    assert _fields(operator.post(PATH, {"node_ids": [node], "amount_per_node": "1.5x"})) == {
        "amount_per_node": "must be a plain decimal number with at most eight decimals"
    }
    assert list(_fields(operator.post(PATH, {"node_ids": node, "amount_per_node": 1, "to": 2}))) == [
        "node_ids",
        "to",
    ]
    assert list(_fields(operator.post(PATH, {"node_ids": [7], "amount_per_node": 1}))) == ["node_ids.0"]
    assert (fund_balance(world.session), _given(world)) == ("8.00000000", 0)


def test_only_programs_of_present_operators_give_and_not_to_themselves(world: World) -> None:
    fill_fund(world.session, "8")
    person = make_person(world.session, world.services, "operator")
    program = world.program(person, (Scope.FUND_AIRDROP.value,), spend_limit=None)
    own = make_node(world.session, world.services, person).node.id
    refused = program.post(PATH, {"node_ids": [own], "amount_per_node": 2})
    assert (refused.status_code, refused.json["type"]) == (403, "urn:duxos:problem:permission-denied")
    assert refused.json["detail"] == f"another operator must decide this: node {own} is your own"

    # A key's spend limit holds for what it gives away, too.
    (node,) = _nodes(world, 1)
    with unit_of_work(world.session):
        world.session.get_one(
            SigningKey, program.key.key_id
        ).spend_limit = world.services.settings.wallet.dust_limit
    limited = program.post(PATH, {"node_ids": [node], "amount_per_node": 2})
    assert (limited.status_code, limited.json["type"]) == (403, "urn:duxos:problem:spend-limit")

    with unit_of_work(world.session):
        person.user.role = "payer"
    demoted = program.post(PATH, {"node_ids": [node], "amount_per_node": 2})
    assert (demoted.status_code, demoted.json["detail"]) == (
        403,
        "only an operator gives the community fund away",
    )
    assert (fund_balance(world.session), _given(world)) == ("8.00000000", 0)
