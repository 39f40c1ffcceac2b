"""Disputes over JSON: two programs disagree, a person rules, and the document tells it all."""

from __future__ import annotations

import pytest

from tests.api.conftest import World
from tests.support.people import make_person
from webapp.models import User
from webapp.services.disputes import records
from webapp.services.wallet_ownership import actor_of_person

on_sqlite = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


@on_sqlite
def test_two_programs_argue_and_accept_a_ruling(world: World) -> None:
    for _ in range(5):
        make_person(world.session, world.services, "arbiter")
    escrow = world.escrow()
    path = f"/escrow/{escrow.id}/dispute"
    assert world.payer.get(path).status_code == 404
    opened = world.payer.post(path, {"reason": "It is noise"}, idempotency_key="once")
    assert opened.status_code == 201 and opened.headers["Location"] == path
    assert world.payer.post(path, {"reason": "It is noise"}, idempotency_key="once").json == opened.json
    assert (opened.json["rung"], opened.json["opened_by"], opened.json["may"]) == ("talk", "payer", ["speak"])
    assert world.payer.post(path, {"reason": "Again"}).status_code == 409
    early = world.payer.post(f"{path}/escalate", {"rung": "talk"})
    assert (early.status_code, early.json["type"]) == (409, "urn:duxos:problem:dispute-state")
    assert world.provider.post(f"{path}/statements", {"text": ""}).status_code == 422

    spoken = world.provider.post(f"{path}/statements", {"text": "It is art"}).json
    assert [(each["side"], each["text"]) for each in spoken["statements"]] == [("provider", "It is art")]
    assert world.provider.post(f"{path}/escalate", {"rung": "talk"}).json["rung"] == "mediation"
    assert world.provider.post(f"{path}/escalate", {"rung": "talk"}).status_code == 409
    assert world.provider.post(f"{path}/escalate", {"rung": "mediation"}).json["rung"] == "arbitration"
    (seat,) = records.seated(records.seats_of(world.session, _dispute(world, escrow)))
    judge = actor_of_person(world.session, world.session.get_one(User, seat.user_id))
    world.services.judging(world.session, judge).rule(escrow.id, 2500, "A quarter was done.")

    ruled = world.payer.get(path).json
    assert (
        ruled["ruling"].items()
        >= {
            "share_basis_points": 2500,
            "provider_amount": "23.75000000",
            "community_amount": "1.25000000",
            "refunded_amount": "75.00000000",
            "reason": "A quarter was done.",
        }.items()
    )
    assert ruled["votes"] is None and ruled["may"] == ["accept", "appeal"]
    assert world.payer.post(f"{path}/accept", {"rung": "appeal"}).json["accepted_by"] == ["payer"]
    ended = world.provider.post(f"{path}/accept", {"rung": "appeal"}).json
    assert (ended["rung"], ended["basis"], ended["share_basis_points"]) == ("ended", "ruling", 2500)
    assert world.payer.get(f"/escrow/{escrow.id}").json["status"] == "resolved"


def _dispute(world: World, escrow):  # type: ignore[no-untyped-def]
    dispute = records.find_dispute(world.session, escrow.id)
    assert dispute is not None
    return dispute
