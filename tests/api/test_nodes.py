"""Nodes over JSON: their secrets are shown once, their owners' affairs to nobody else, and a beat counts once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from tests.api.conftest import ADDRESS, World
from tests.support.people import make_node
from tests.support.signing import Program, sign
from webapp.domain.clock import utcnow
from webapp.domain.roles import AT_TERMINAL
from webapp.models import IdempotencyKey, Node, NodeHeartbeat, RequestNonce
from webapp.services.nodes.challenges import sign_challenge
from webapp.services.signing_keys import IssuedKey

pytestmark = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)

PRIVATE = ("wallet_id", "wallet_address", "airdrop_to", "airdrop_address", "status_reason")


def _patch(program: Program, path: str, body: dict[str, Any]) -> Any:
    return program.send(sign(program.key, "PATCH", path, json.dumps(body).encode()))


def _node(world: World) -> tuple[str, Program]:
    made = make_node(world.session, world.services, world.pair.provider)
    return made.node.id, Program(world.app, made.key)


def test_a_node_is_registered_and_its_secret_shown_once(world: World) -> None:
    body = {"node_id": "node_001", "capabilities": ["gpu"], "airdrop_to": "chain", "airdrop_address": ADDRESS}
    first = world.provider.post("/nodes", body, idempotency_key="once")
    assert (first.status_code, first.headers["Location"]) == (201, "/nodes/node_001")
    made = first.json
    assert made | {"key_id": "", "secret": "", "registered_at": "", "reputation": 500} == {
        "node_id": "node_001",
        "key_id": "",
        "secret": "",
        "status": "offline",
        "health": "offline",
        "reputation": 500,
        "capabilities": ["gpu"],
        "region": "",
        "version": "",
        "last_beat_at": None,
        "load": None,
        "tasks_running": None,
        "registered_at": "",
        "verified_at": None,
        "wallet_id": world.pair.provider.wallet_id,
        "wallet_address": ADDRESS,
        "airdrop_to": "chain",
        "airdrop_address": ADDRESS,
        "status_reason": "",
    }
    again = world.provider.post("/nodes", body, idempotency_key="once")
    assert (again.status_code, again.json) == (201, made | {"secret": None})
    rotated = world.provider.post("/nodes/node_001/rotate", idempotency_key="two").json
    assert world.provider.post("/nodes/node_001/rotate", idempotency_key="two").json == rotated | {
        "secret": None
    }
    stored = world.session.scalars(select(IdempotencyKey.response_body)).all()
    assert len(stored) == 2
    assert not any(secret in each for each in stored for secret in (made["secret"], rotated["secret"]))
    for issued in (made, rotated):
        key = IssuedKey(issued["key_id"], issued["secret"], ())
        assert Program(world.app, key).get("/nodes/node_001").json["wallet_id"] is not None


def test_what_is_the_owners_own_is_shown_to_nobody_else(world: World) -> None:
    node_id, node = _node(world)
    _, sister = _node(world)
    changed = _patch(world.provider, f"/nodes/{node_id}", {"airdrop_to": "chain", "airdrop_address": ADDRESS})
    assert (changed.status_code, changed.json["wallet_address"]) == (200, ADDRESS)
    for program, sees in ((world.provider, True), (node, True), (sister, False), (world.payer, False)):
        shown = program.get(f"/nodes/{node_id}").json
        listed = program.get(f"/nodes?text={node_id}").json["items"]
        assert listed[0] == shown
        assert [shown[name] is not None for name in PRIVATE] == [sees] * len(PRIVATE)
    removed = _patch(world.provider, f"/nodes/{node_id}", {"airdrop_address": None, "region": "eu"}).json
    assert (removed["airdrop_address"], removed["airdrop_to"], removed["region"]) == (None, "chain", "eu")
    assert _patch(node, f"/nodes/{node_id}", {"region": "x"}).json["type"].endswith("missing-scope")
    refused = _patch(world.provider, f"/nodes/{node_id}", {"status": "active", "capabilities": ["A B"]})
    assert refused.status_code == 422


def test_a_beat_is_taken_from_the_node_itself_and_counts_once(world: World) -> None:
    node_id, node = _node(world)
    path, body = f"/nodes/{node_id}/heartbeat", {"load": 0.35, "tasks_running": 2, "version": "1.4.0"}
    message = sign(node.key, "POST", path, json.dumps(body).encode())
    start = utcnow()
    assert node.send(message).json == {"node_id": node_id, "health": "healthy", "next_within_seconds": 30}
    shown = world.payer.get(f"/nodes/{node_id}").json
    assert (shown["status"], shown["load"], shown["tasks_running"], shown["version"]) == (
        "active",
        "0.350",
        2,
        "1.4.0",
    )
    assert shown["verified_at"] == shown["last_beat_at"]
    with time_machine.travel(start + timedelta(seconds=200), tick=True):
        assert node.send(message).status_code == 401
        older = sign(node.key, "POST", path, b'{"load": 1}', age_seconds=250)
        assert node.send(older).status_code == 401
        assert world.payer.get(f"/nodes/{node_id}").json["last_beat_at"] == shown["last_beat_at"]
        late = world.payer.get(f"/nodes?text={node_id}&status=late").json["items"]
        assert [each["status"] for each in late] == ["late"]
        assert world.payer.get("/nodes?status=active&health=late").json["items"] == []
        # A clock that is some minutes slow is no reason to be late: the time of a beat is ours.
        slow = sign(node.key, "POST", path, b'{"load": "12"}', age_seconds=150)
        assert node.send(slow).json["health"] == "healthy"
    world.session.rollback()
    nonces = select(RequestNonce.nonce).where(RequestNonce.key_id == node.key.key_id)
    assert world.session.scalars(nonces).all() == []
    beat = world.session.get_one(NodeHeartbeat, node_id)
    assert (beat.load, beat.tasks_running, beat.version) == (12_000, 0, "")

    _, sister = _node(world)
    for stranger in (sister, world.provider, world.payer):
        assert stranger.post(path, body).status_code == 403
    for wrong in (
        {},
        {"load": -1},
        {"load": "0.0001"},
        {"load": 1, "tasks_running": "2"},
        {"load": 1, "x": 1},
    ):
        assert sister.post(path.replace(node_id, _own(world, sister)), wrong).status_code == 422
    world.services.node_registry(world.session).suspend(AT_TERMINAL, node_id, "it cheats")
    assert node.post(path, body).status_code == 401
    assert world.payer.get("/nodes?status=suspended").json["items"][0]["node_id"] == node_id


def _own(world: World, program: Program) -> str:
    found = world.services.signing_keys(world.session).find_usable(program.key.key_id)
    assert found is not None and found[0].node_id is not None
    return found[0].node_id


def test_a_challenge_is_answered_over_json(world: World) -> None:
    node_id, node = _node(world)
    asked = node.post(f"/nodes/{node_id}/challenge").json
    assert asked["expires_at"] > utcnow().isoformat()
    answer = {"challenge": asked["challenge"], "signature": "00" * 32}
    assert world.provider.post(f"/nodes/{node_id}/challenge/answer", answer).status_code == 422
    answer["signature"] = sign_challenge(node.key.secret, node_id, asked["challenge"])
    verified = world.provider.post(f"/nodes/{node_id}/challenge/answer", answer)
    assert (verified.status_code, verified.json["verified_at"] is None) == (200, False)
    world.session.rollback()
    assert world.session.scalars(select(Node.verified_at).where(Node.id == node_id)).one() is not None
