"""Offers over JSON: a negotiation of two programs from the first offer to the division."""

from __future__ import annotations

import pytest

from tests.api.conftest import World
from webapp.domain.clock import to_rfc3339, utcnow
from webapp.services.offer_terms import MAX_MESSAGE_LENGTH

on_sqlite = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


def test_two_programs_agree_and_the_document_tells_the_parts(world: World) -> None:
    escrow = world.escrow()
    path = f"/escrow/{escrow.id}/offers"
    offered = world.payer.post(path, {"share": "33.33333333", "message": "A third"})
    assert offered.status_code == 201
    assert offered.headers["Location"] == f"{path}/{offered.json['id']}"
    assert world.provider.get(offered.headers["Location"]).json == offered.json
    assert (
        offered.json.items()
        >= {
            "side": "payer",
            "share": "33.33333333",
            "provider_amount": "31.66666667",
            "community_amount": "1.66666666",
            "refunded_amount": "66.66666667",
            "message": "A third",
            "answers": None,
            "status": "open",
            "expires_at": None,
        }.items()
    )
    counter = world.provider.post(path, {"share": 50, "answers": offered.json["id"]})
    assert counter.json["answers"] == offered.json["id"]
    refused = world.provider.post(f"{path}/{offered.json['id']}/accept", {"share": "33.33333333"})
    assert (refused.status_code, refused.json["type"]) == (409, "urn:duxos:problem:offer-state")
    seen_wrong = world.payer.post(f"{path}/{counter.json['id']}/accept", {"share": "33.33333333"})
    assert seen_wrong.status_code == 409
    accepted = world.payer.post(f"{path}/{counter.json['id']}/accept", {"share": "50"})
    assert accepted.status_code == 200
    assert (
        accepted.json.items()
        >= {
            "status": "resolved",
            "provider_amount": "95.00000000",
            "resolved_provider_amount": "47.50000000",
            "resolved_community_amount": "2.50000000",
            "refunded_amount": "50.00000000",
        }.items()
    )
    listed = world.payer.get(path).json["items"]
    assert [(each["share"], each["status"]) for each in listed] == [
        ("50.00000000", "accepted"),
        ("33.33333333", "countered"),
    ]
    late = world.payer.post(path, {"share": "1"})
    assert (late.status_code, late.json["current_status"]) == (409, "resolved")
    assert world.balances(world.pair.payer) == ("950.00000000", "0.00000000")


def test_a_change_that_is_sent_again_happens_once(world: World) -> None:
    path = f"/escrow/{world.escrow().id}/offers"
    headers = {"Idempotency-Key": "one"}
    first, again = (world.payer.post(path, {"share": "0"}, headers=headers) for _ in range(2))
    assert first.json == again.json
    for _ in range(2):
        answered = world.provider.post(
            f"{path}/{first.json['id']}/accept", {"share": "0"}, headers={"Idempotency-Key": "two"}
        )
        assert (answered.status_code, answered.json["status"]) == (200, "refunded")
    assert answered.json["refunded_amount"] == "100.00000000"


@on_sqlite
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "share"),
        ({"share": True}, "share"),
        ({"share": "1e2"}, "share"),
        ({"share": "100.00000001"}, "share"),
        ({"share": "-1"}, "share"),
        ({"share": "1", "message": "x" * (MAX_MESSAGE_LENGTH + 1)}, "message"),
        ({"share": "1", "expires_at": to_rfc3339(utcnow())}, "expires_at"),
        ({"share": "1", "expires_at": "2099-01-01T00:00:00"}, "expires_at"),
        ({"share": "1", "answers": "1"}, "answers"),
        ({"share": "1", "by": "me"}, "by"),
    ],
)
def test_what_is_no_offer_is_refused_by_its_field(world: World, body: dict[str, object], field: str) -> None:
    refused = world.payer.post(f"/escrow/{world.escrow().id}/offers", body)
    assert refused.status_code == 422
    assert [each["field"] for each in refused.json["errors"]] == [field]
