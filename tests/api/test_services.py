"""The service catalogue over JSON: offered, found, changed, retired; and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.conftest import World
from tests.support.people import make_node
from tests.support.signing import Program, sign

pytestmark = pytest.mark.parametrize("databases", ["sqlite", "postgresql"], indirect=True)

LIMITS = {"formats": ["PNG"], "min_width": 8, "max_width": 4096}


def _offer(world: World, **over: Any) -> dict[str, Any]:
    body = {
        "name": "upscaler",
        "kind": "image",
        "limits": LIMITS,
        "price": "12.5",
        "deadline_hours": 4,
    } | over
    response = world.provider.post("/services", body)
    assert response.status_code == 201, response.text
    assert response.headers["Location"] == f"/services/{response.json['id']}"
    return response.json


def _patch(program: Program, path: str, body: dict[str, Any]) -> Any:
    return program.send(sign(program.key, "PATCH", path, json.dumps(body).encode()))


def _fields(response: Any) -> set[str]:
    assert response.status_code == 422, response.text
    return {error["field"] for error in response.json["errors"]}


def test_a_service_is_offered_found_changed_and_retired(world: World) -> None:
    made = _offer(world, description="Makes images larger\nwith care", acceptance_hours=100)
    assert made | {"created_at": "", "updated_at": ""} == {
        "id": made["id"], "name": "upscaler", "kind": "image", "provider_wallet_id": world.pair.provider.wallet_id,
        "price": "12.50000000", "limits": LIMITS, "requires_result": False, "deadline_hours": 4,
        "acceptance_hours": 100, "description": "Makes images larger\nwith care", "is_active": True,
        "created_at": "", "updated_at": "",
    }  # fmt: skip
    path = f"/services/{made['id']}"
    others = [_offer(world, name=f"service {n}", kind="text", limits={})["id"] for n in range(3)]
    assert world.payer.get(path).json == made

    def listed(query: str, program: Program = world.payer) -> list[int]:
        return [each["id"] for each in program.get(f"/services?limit=9&{query}").json["items"]]

    assert listed("text=") == [*reversed(others), made["id"]]
    assert listed("text=UPSC") == listed("text=with%20care") == listed("kind=image") == [made["id"]]
    assert listed(f"wallet_id={world.pair.payer.wallet_id}") == listed("text=%25") == []
    first = world.payer.get("/services?limit=3").json
    assert [*[each["id"] for each in first["items"]], *listed(f"cursor={first['next_cursor']}")] == listed(
        "text="
    )

    changed = _patch(world.provider, path, {"price": None, "requires_result": True, "is_active": False})
    assert changed.status_code == 200, changed.text
    assert (changed.json["price"], changed.json["limits"]) == (None, LIMITS)
    assert made["id"] not in listed("text=")
    assert world.payer.get(path).status_code == 404
    assert made["id"] not in listed(f"wallet_id={made['provider_wallet_id']}")
    assert made["id"] in listed(f"wallet_id={made['provider_wallet_id']}", world.provider)
    assert world.provider.get(path).json == changed.json


def test_only_its_provider_changes_a_service_and_a_node_never_does(world: World) -> None:
    path = f"/services/{_offer(world)['id']}"
    for program in (world.payer, world.foreigner):
        assert _patch(program, path, {"price": "1"}).status_code == 403
    own = {"name": "x", "kind": "hash", "provider_wallet_id": world.pair.provider.wallet_id}
    assert world.payer.post("/services", own).status_code == 403
    node = Program(world.app, make_node(world.session, world.services, world.pair.provider).key)
    assert _patch(node, path, {"price": "1"}).status_code == 403
    assert node.get(path).status_code == 403  # without the scope
    assert (
        world.provider.get("/services/0").status_code == world.provider.get("/services/99").status_code == 404
    )
    assert world.provider.get(f"/services/{2**70}").status_code == 404
    assert _patch(world.provider, path, {"price": "1"}).json["price"] == "1.00000000"


def test_every_wrong_field_is_named_at_once(world: World) -> None:
    body = {
        "name": " ", "kind": "image", "price": "0", "limits": {"width": 0, "formats": ["BMP"]}, "deadline_hours": 0,
        "acceptance_hours": 1, "description": "\x07",
    }  # fmt: skip
    assert _fields(world.provider.post("/services", body)) == {
        "name", "price", "limits.width", "limits.formats", "deadline_hours", "acceptance_hours", "description",
    }  # fmt: skip
    assert _fields(world.provider.post("/services", {"name": "x", "kind": "magic"})) == {"kind"}
    assert _fields(
        world.provider.post("/services", {"name": "x", "kind": "hash", "requires_result": True})
    ) == {"requires_result"}
    path = f"/services/{_offer(world)['id']}"
    assert _fields(world.provider.post("/services", {"name": "upscaler", "kind": "text"})) == {"name"}
    assert _fields(_patch(world.provider, path, {"limits": None, "is_active": None})) == {
        "limits",
        "is_active",
    }
    assert _fields(_patch(world.provider, path, {"name": "other"})) == {"name"}
    assert _fields(_patch(world.provider, path, {"deadline_hours": "4"})) == {"deadline_hours"}
    assert _fields(world.payer.get("/services?kind=magic")) == {"kind"}
    assert len(world.payer.get("/services").json["items"]) == 1


def test_an_order_costs_at_least_the_price_of_the_service(world: World) -> None:
    _offer(world, kind="hash", limits={})
    terms = world.terms(service_name="upscaler", amount="12.49999999")
    assert _fields(world.payer.post("/escrow/create", terms)) == {"amount"}
    parts = [{"title": "half", "amount": "6"}, {"title": "rest", "amount": "6.49999999"}]
    plan = {
        name: terms[name] for name in ("payer_wallet_id", "provider_wallet_id", "service_name", "task_id")
    }
    short = world.payer.post("/escrow/plans", plan | {"title": "all", "milestones": parts})
    assert all(field.endswith("amount") for field in _fields(short))
    parts[1]["amount"] = "6.5"
    assert world.payer.post("/escrow/plans", plan | {"title": "all", "milestones": parts}).status_code == 201
    assert world.payer.post("/escrow/create", terms | {"amount": "12.5"}).status_code == 201
