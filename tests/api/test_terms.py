"""Terms over JSON: tried out, agreed, and told with what is missing and from whom."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from tests.api.conftest import World
from webapp.domain.clock import to_rfc3339, utcnow
from webapp.domain.terms import presets

on_sqlite = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
APPROVED = {"all_of": [{"provider_signs_result": True}, {"payer_approves": True}]}
TERMS = {"release_when": APPROVED, "refund_when": {"after": {"hours": 10, "since": "creation"}}}


@on_sqlite
def test_terms_are_tried_out_without_making_anything(world: World) -> None:
    told = world.payer.post("/escrow/simulate", {"terms": TERMS}).json
    assert {each["text"] for each in told["conditions"] if each["waits_for"] == "payer"} == {
        "the payer approves the result"
    }
    first, *others = told["predictions"]
    assert first["if_nothing_happens"] and first["decision"] == "refund" and first["at"] == told["ends_by"]
    assert any(each["decision"] == "release" and each["by"] == told["ends_by"] for each in others)
    usual = world.payer.post("/escrow/simulate", {}).json
    assert {"release", "refund"} == {each["decision"] for each in usual["predictions"]}
    assert world.payer.get("/escrow/list").json["items"] == []


@on_sqlite
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"terms": {"release_when": {"payer_approves": True}}}, "terms"),
        (
            {"terms": {"release_when": {"all_of": [{"payer_approves": 1}]}}},
            "terms.release_when.all_of[0].payer_approves",
        ),
        ({"terms": TERMS, "expires_at": "2090-01-01T00:00:00Z"}, "expires_at"),
        ({"terms": []}, "terms"),
    ],
)
def test_what_does_not_hold_up_is_refused_with_its_place_in_both_endpoints(
    world: World, body: dict[str, object], field: str
) -> None:
    for path, more in (("/escrow/simulate", {}), ("/escrow/create", world.terms())):
        refused = world.payer.post(path, more | body)
        assert refused.status_code == 422, path
        assert refused.json["errors"][0]["field"].startswith(field.partition(".")[0])
    assert world.balances(world.pair.payer) == ("1000.00000000", "0.00000000")


def test_an_escrow_tells_what_is_missing_and_from_whom_until_its_terms_decide(world: World) -> None:
    made = world.payer.post("/escrow/create", world.terms(terms=TERMS))
    assert made.status_code == 201, made.text
    at = made.headers["Location"]
    assert made.json["expires_at"] == made.json["terms"]["ends_by"]
    assert world.payer.get("/escrow/list").json["items"][0]["terms"]["conditions"] is None
    assert {"approve"} == {"approve", "release", "reveal"} & made.json["links"].keys()
    approved = world.payer.post(f"{at}/approve", idempotency_key="once")
    assert approved.json["status"] == "active"
    missing = [each for each in approved.json["terms"]["conditions"] if each["waits_for"]]
    assert [(each["decides"], each["waits_for"]) for each in missing] == [
        ("release", "provider"),
        ("refund", "time"),
    ]
    assert world.payer.post(f"{at}/approve", idempotency_key="once").json == approved.json
    assert world.payer.post(f"{at}/approve").status_code == 409
    escrow = world.services.escrow_manager(world.session, world.pair.payer.actor).get_escrow(made.json["id"])
    delivered = world.provider.post(f"{at}/deliver", world.result(escrow))
    assert delivered.json["status"] == "released"
    assert delivered.json["terms"]["predictions"] == []
    assert {each["waits_for"] for each in delivered.json["terms"]["conditions"]} == {None}
    assert "approve" not in approved.json["links"]
    assert world.balances(world.pair.provider) == ("95.00000000", "0.00000000")
    usual = world.payer.post("/escrow/create", world.terms()).json
    assert usual["terms"] is None


def test_what_comes_after_the_decisive_moment_is_refused_and_finds_it_done(world: World) -> None:
    refund_at = utcnow() + timedelta(hours=1)
    escrow = world.escrow(terms=presets.auto_refund(refund_at))
    with time_machine.travel(refund_at, tick=False):
        late = world.payer.post(f"/escrow/{escrow.id}/release", {})
        assert (late.status_code, late.json["current_status"]) == (409, "refunded"), late.text
        told = world.payer.get(f"/escrow/{escrow.id}/transactions").json["items"][-1]
    assert (told["kind"], told["actor"]) == ("refunded", "worker")
    assert told["detail"]["decided_at"] == to_rfc3339(refund_at)
    assert world.balances(world.pair.payer) == ("1000.00000000", "0.00000000")
