"""Plans over JSON: all parts at once, each an escrow that is used as any other."""

from __future__ import annotations

import pytest

from tests.api.conftest import World

PARTS = [{"title": "The rough cut", "amount": "40"}, {"title": "The film", "amount": "60.00000001"}]


def test_a_plan_from_its_creation_to_a_part_that_is_released(world: World) -> None:
    asked = {**world.terms(), "title": "A film of the harbour", "milestones": PARTS, "amount": "100.00000001"}
    made, again = (
        world.payer.post("/escrow/plans", asked, headers={"Idempotency-Key": "film"}) for _ in range(2)
    )
    assert (made.status_code, again.json) == (201, made.json)
    path = made.headers["Location"]
    assert path == made.json["links"]["self"] == f"/escrow/plans/{made.json['id']}"
    assert world.balances(world.pair.payer) == ("899.99999999", "100.00000001")
    first, second = made.json["parts"]
    assert (first["plan_id"], first["part_number"], first["part_title"]) == (
        made.json["id"],
        1,
        "The rough cut",
    )
    assert second["provider_amount"] == "57.00000001"
    assert world.provider.post(f"/escrow/{second['id']}/refund", {"reason": "Rain"}).status_code == 200
    seen = world.provider.get(path).json
    assert [part["status"] for part in seen["parts"]] == ["active", "refunded"]
    assert [seen[f"{name}_amount"] for name in ("released", "refunded", "held")] == [
        "0.00000000",
        "60.00000001",
        "40.00000000",
    ]
    assert seen["next_deadline"] == first["expires_at"]
    assert world.foreigner.get(path).status_code == 404


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"milestones": PARTS[:1]}, "milestones"),
        ({"milestones": PARTS, "amount": "100"}, "amount"),
        ({"milestones": [PARTS[0], {"title": "x"}]}, "milestones.1.amount"),
        ({"milestones": [PARTS[0], {"title": "x", "amount": "0"}]}, "milestones.1.amount"),
        ({"milestones": [PARTS[0], {**PARTS[1], "colour": "red"}]}, "milestones.1.colour"),
    ],
)
def test_what_is_no_plan_is_refused_by_its_field(world: World, more: dict[str, object], field: str) -> None:
    asked = {name: value for name, value in world.terms().items() if name != "amount"}
    refused = world.payer.post("/escrow/plans", asked | {"title": "A film"} | more)
    assert refused.status_code == 422
    assert [each["field"] for each in refused.json["errors"]] == [field]
    assert world.balances(world.pair.payer) == ("1000.00000000", "0.00000000")
