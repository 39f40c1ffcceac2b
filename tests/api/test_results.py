"""Results that are handed in with a delivery: checked by the rules that were ordered, reported, and not kept."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import rfc8785

from tests.api.conftest import World
from tests.support.people import RESULT_HASH, signature
from tests.support.results import bomb, picture
from webapp.domain.clock import utcnow
from webapp.models import Escrow
from webapp.services import audit_trail

sqlite_only = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
on_both = pytest.mark.parametrize("databases", ["sqlite", "postgresql"], indirect=True)


def _offer(world: World, kind: str, **said: Any) -> int:
    provider = world.pair.provider
    said = {"name": "image_upscaler_v1", "kind": kind, **said}
    return world.services.catalogue(world.session).offer(provider.actor, provider.wallet_id, **said).id


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _delivery(world: World, escrow: Escrow, data: bytes, **over: Any) -> dict[str, Any]:
    return {
        "result_hash": _hash(data),
        "provider_signature": signature(world.pair, escrow, _hash(data)),
        "result": base64.b64encode(data).decode(),
    } | over


def _deliver(world: World, escrow: Escrow, body: dict[str, Any]) -> Any:
    return world.provider.post(f"/escrow/{escrow.id}/deliver", body)


def _refused(response: Any) -> dict[str, str]:
    assert response.status_code == 422, response.text
    return {error["field"]: error["message"] for error in response.json["errors"]}


def _is_untouched(world: World, escrow: Escrow) -> bool:
    path = f"/escrow/{escrow.id}"
    trail = [event["kind"] for event in world.payer.get(f"{path}/transactions").json["items"]]
    missing = world.payer.get(f"{path}/report").status_code
    return (world.payer.get(path).json["status"], trail, missing) == ("active", ["created"], 404)


@on_both
def test_an_image_is_checked_against_the_order_and_the_report_stays_with_the_escrow(world: World) -> None:
    service_id = _offer(
        world, "image", limits={"formats": ["PNG"]}, requires_result=True, acceptance_hours=200
    )
    escrow = world.escrow(metadata={"image_size": "64x32"})
    data = picture()
    assert _refused(_deliver(world, escrow, _delivery(world, escrow, picture("JPEG", (60, 32))))) == {
        "result.format": "must have the format PNG, and has JPEG",
        "result.width": "must have exactly 64 pixels across, and has 60",
    }
    assert (
        "is needed"
        in _refused(_deliver(world, escrow, _delivery(world, escrow, data, result=None)))["result"]
    )
    # What the provider changes later changes nothing of what was ordered.
    provider = world.pair.provider
    changes = {"limits": {"formats": ["JPEG"]}, "requires_result": False, "is_active": False}
    world.services.catalogue(world.session).change(provider.actor, service_id, **changes)
    assert "result" in _refused(_deliver(world, escrow, _delivery(world, escrow, data, result=None)))
    assert _is_untouched(world, escrow)

    response = _deliver(world, escrow, _delivery(world, escrow, data))
    assert (response.status_code, response.json["status"]) == (200, "delivered"), response.text
    accept_by = datetime.fromisoformat(response.json["accept_by"])
    assert accept_by > utcnow() + timedelta(hours=199)
    report = world.payer.get(f"/escrow/{escrow.id}/report").json
    events = world.payer.get(f"/escrow/{escrow.id}/transactions").json["items"]
    assert report | {"findings": [], "checked_at": ""} == {
        "escrow_id": str(escrow.id), "kind": "image", "service_id": service_id, "result_hash": _hash(data),
        "size": len(data), "sent_as": "result", "findings": [], "checked_at": "", "audit_hash": events[-1]["hash"],
    }  # fmt: skip
    assert [each["rule"] for each in report["findings"]] == [
        "size",
        "image",
        "format",
        "width",
        "height",
        "mode",
    ]
    assert all(each["is_met"] for each in report["findings"])
    assert events[-1]["detail"]["report"]["findings"] == report["findings"]
    assert len(events[0]["detail"]["service_terms_hash"]) == 64
    assert list(audit_trail.broken_links(world.session)) == []
    assert world.foreigner.get(f"/escrow/{escrow.id}/report").status_code == 404
    assert world.payer.post(f"/escrow/{escrow.id}/release", {}).json["status"] == "released"
    assert world.payer.get(f"/escrow/{escrow.id}/report").json == report


@sqlite_only
def test_a_computation_is_handed_in_as_json_in_whatever_way_it_is_written(world: World) -> None:
    schema = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}
    checks = [{"at": "/total", "equals": "3.14", "tolerance": "0.005"}]
    _offer(world, "computation", limits={"schema": schema, "checks": checks})
    escrow = world.escrow()
    path = f"/escrow/{escrow.id}/deliver"

    def sent(value: str) -> bytes:
        canonical = rfc8785.dumps(json.loads(value))
        proof = {
            "result_hash": _hash(canonical),
            "provider_signature": signature(world.pair, escrow, _hash(canonical)),
        }
        return json.dumps(proof)[:-1].encode() + b', "result_json": ' + value.encode() + b"}"

    assert _refused(world.provider.post(path, sent('{"total": 3.1451}'))) == {
        "result_json.checks": "must have 3.14 ± 0.005 at /total, and has 3.1451"
    }
    assert set(_refused(world.provider.post(path, sent("{}")))) == {
        "result_json.schema",
        "result_json.checks",
    }
    assert set(_refused(world.provider.post(path, sent("null")))) == {
        "result_json.schema",
        "result_json.checks",
    }
    inexact = sent("1").replace(b": 1}", b": 0.1234567890123456789}")
    assert set(_refused(world.provider.post(path, inexact))) == {"result_json"}
    both = sent("1")[:-1] + b', "result": "Zm9v"}'
    assert set(_refused(world.provider.post(path, both))) == {"result_json"}
    assert world.provider.post(path, sent("1").replace(b": 1}", b": NaN}")).status_code == 400
    assert (
        world.provider.post(
            path, sent("1").replace(b": 1}", b": " + b"[" * 90 + b"]" * 90 + b"}")
        ).status_code
        == 400
    )
    assert _is_untouched(world, escrow)
    assert world.provider.post(path, sent('{ "total" : 3.1450, "a": [] }')).json["status"] == "delivered"
    assert world.payer.get(f"/escrow/{escrow.id}/report").json["sent_as"] == "result_json"


@sqlite_only
@pytest.mark.settings(escrow={"max_result_size": 300_000})
def test_what_is_too_large_wrong_or_harmful_is_refused_and_named(world: World) -> None:
    _offer(world, "image")
    escrow = world.escrow()
    assert _refused(_deliver(world, escrow, _delivery(world, escrow, b"x" * 300_001))) == {
        "result": "must have at most 300000 bytes"
    }
    assert _deliver(world, escrow, _delivery(world, escrow, b"x" * 600_000)).status_code == 413
    assert (
        "at most 16777216 pixels"
        in _refused(_deliver(world, escrow, _delivery(world, escrow, bomb(4097))))["result.image"]
    )
    polyglot = picture() + b"PK\x03\x04"
    assert (
        "behind it" in _refused(_deliver(world, escrow, _delivery(world, escrow, polyglot)))["result.image"]
    )
    assert "base64" in _refused(_deliver(world, escrow, _delivery(world, escrow, b"x", result="ü")))["result"]
    other = _delivery(world, escrow, picture()) | {"result": base64.b64encode(picture(mode="L")).decode()}
    assert _refused(_deliver(world, escrow, other)) == {
        "result_hash": "is not the SHA-256 of the result that was handed in"
    }
    assert "provider_signature" in _refused(
        _deliver(world, escrow, _delivery(world, escrow, picture(), provider_signature="00" * 32))
    )
    assert (
        world.payer.post(f"/escrow/{escrow.id}/deliver", _delivery(world, escrow, picture())).status_code
        == 403
    )
    assert _is_untouched(world, escrow)
    assert _deliver(world, escrow, world.result(escrow)).json["result_hash"] == RESULT_HASH  # its hash alone
    assert world.payer.get(f"/escrow/{escrow.id}/report").status_code == 404


@sqlite_only
def test_a_release_without_a_delivery_keeps_the_same_rules(world: World) -> None:
    _offer(world, "text", limits={"min_characters": 3}, requires_result=True)
    escrow = world.escrow()
    path = f"/escrow/{escrow.id}/release"
    assert "result" in _refused(world.payer.post(path, _delivery(world, escrow, b"abc", result=None)))
    assert "result.length" in _refused(world.payer.post(path, _delivery(world, escrow, b"ab")))
    assert world.payer.post(path, _delivery(world, escrow, b"abc")).json["status"] == "released"
    assert world.payer.get(f"/escrow/{escrow.id}/report").json["kind"] == "text"


@sqlite_only
def test_a_delivery_that_is_sent_again_is_answered_as_before(world: World) -> None:
    _offer(world, "text")
    escrow = world.escrow()
    body, headers = _delivery(world, escrow, b"abc"), {"Idempotency-Key": "once"}
    first = world.provider.post(f"/escrow/{escrow.id}/deliver", body, headers=headers)
    again = world.provider.post(f"/escrow/{escrow.id}/deliver", body, headers=headers)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    assert first.json == again.json


@sqlite_only
def test_an_escrow_that_orders_a_service_takes_its_deadline_and_says_what_it_cannot_ask_for(
    world: World,
) -> None:
    _offer(world, "image", limits={"formats": ["PNG"]}, deadline_hours=4)
    made = world.payer.post("/escrow/create", world.terms()).json
    left = datetime.fromisoformat(made["expires_at"]) - utcnow()
    assert timedelta(hours=3.9) < left <= timedelta(hours=4)
    named = utcnow() + timedelta(hours=9)
    terms = world.terms(expires_at=named.isoformat())
    assert datetime.fromisoformat(
        world.payer.post("/escrow/create", terms).json["expires_at"]
    ) == named.astimezone(UTC)
    wrong = world.payer.post("/escrow/create", world.terms(metadata={"image_format": "JPEG"}))
    assert set(_refused(wrong)) == {"metadata"}
    # Bytes of what the catalogue does not know are compared with their hash, and no more.
    escrow = world.services.escrow_manager(world.session, world.pair.payer.actor).create_escrow(
        world.pair.payer.wallet_id, world.pair.provider.wallet_id, "1", "something else", "t"
    )
    assert _deliver(world, escrow, _delivery(world, escrow, b"anything")).status_code == 200
    report = world.payer.get(f"/escrow/{escrow.id}/report").json
    assert (report["kind"], report["service_id"], report["size"]) == ("hash", None, 8)
