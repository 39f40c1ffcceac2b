"""Escrows that are paid for by a deposit, over JSON: what each side sees, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.api.conftest import ADDRESS, World
from tests.support.arrivals import credit_payment, see_payment, stock_addresses
from webapp.domain.clock import to_rfc3339, utcnow
from webapp.models import Escrow

pytestmark = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


def _row(world: World, document: dict[str, Any]) -> Escrow:
    world.session.rollback()
    return world.services.escrow_manager(world.session, world.pair.payer.actor).get_escrow(document["id"])


def test_the_payer_is_told_where_to_pay_and_what_became_of_it_and_the_provider_is_not(world: World) -> None:
    stock_addresses(world.session)
    fund_by = to_rfc3339(utcnow() + timedelta(hours=2))
    terms = world.terms(amount="12.5", funding="deposit", fund_by=fund_by, refund_address=ADDRESS)
    created = world.payer.post("/escrow/create", terms)
    assert created.status_code == 201, created.text
    escrow = created.json
    path = escrow["links"]["self"]
    address = escrow["deposit_address"]
    assert (escrow["status"], escrow["funding"], escrow["fund_by"]) == ("pending", "deposit", fund_by)
    assert (escrow["deposited_amount"], escrow["refund_address"]) == ("0.00000000", ADDRESS)
    label = "label=image_upscaler_v1%2C%20task_001"
    assert escrow["payment_uri"] == f"flopcoin:{address}?amount=12.50000000&{label}"
    assert escrow["deposits"] == []
    assert set(escrow["links"]) == {"self", "transactions", "refund"}
    assert world.balances(world.pair.payer) == ("1000.00000000", "0.00000000"), "nothing moves yet"

    row = _row(world, escrow)
    credit_payment(world.session, world.services.settings, see_payment(world.session, row, "4"))
    see_payment(world.session, row, "1.5")
    shown = world.payer.get(path).json
    assert shown["deposited_amount"] == "4.00000000"
    assert shown["payment_uri"].startswith(f"flopcoin:{address}?amount=7.00000000&")
    assert [(each["disposition"], each["held"], each["status"]) for each in shown["deposits"]] == [
        ("part", "4.00000000", "credited"),
        (None, "0.00000000", "seen"),
    ]
    assert [each["confirmations_needed"] for each in shown["deposits"]] == [2, 2]
    listed = world.payer.get("/escrow/list?status=pending").json["items"]
    assert listed == [shown]

    theirs = world.provider.get(path).json
    private = ("deposit_address", "payment_uri", "refund_address", "deposits")
    assert [theirs[name] for name in private] == [None] * 4
    assert (theirs["deposited_amount"], theirs["fund_by"]) == ("4.00000000", fund_by)
    trail = world.provider.get(theirs["links"]["transactions"]).text
    assert address not in trail and ADDRESS not in trail

    credit_payment(world.session, world.services.settings, see_payment(world.session, row, "10"))
    funded = world.payer.get(path).json
    assert (funded["status"], funded["payment_uri"]) == ("active", None)
    assert funded["deposits"][2]["disposition"] == "over"
    kinds = [each["kind"] for each in world.payer.get(f"{path}/transactions").json["items"]]
    assert kinds == ["created", "deposit_credited", "deposit_credited", "funded", "refund_queued"]


def test_one_paid_from_the_balance_says_so_and_has_none_of_it(world: World) -> None:
    escrow = world.payer.post("/escrow/create", world.terms()).json
    assert escrow["funding"] == "balance"
    names = ("fund_by", "deposited_amount", "deposit_address", "payment_uri", "refund_address", "deposits")
    assert [escrow[name] for name in names] == [None] * 6


def test_until_it_is_paid_for_it_can_only_be_cancelled(world: World) -> None:
    stock_addresses(world.session, 2)
    for program in (world.payer, world.provider):
        escrow = world.payer.post("/escrow/create", world.terms(funding="deposit")).json
        row = _row(world, escrow)
        for who, action in ((world.payer, "release"), (world.provider, "deliver")):
            refused = who.post(f"/escrow/{escrow['id']}/{action}", world.result(row))
            assert (refused.status_code, refused.json["current_status"]) == (409, "pending")
            assert "waits for its payment" in refused.json["detail"]
        cancelled = program.post(f"/escrow/{escrow['id']}/refund", {"reason": "no more"})
        assert (cancelled.status_code, cancelled.json["status"]) == (200, "refunded")
    assert world.balances(world.pair.payer) == ("1000.00000000", "0.00000000")


@pytest.mark.parametrize(
    ("terms", "fields"),
    [
        ({"funding": "gift"}, ["funding"]),
        ({"refund_address": ADDRESS}, ["refund_address"]),
        ({"fund_by": "2000-01-01T00:00:00Z", "funding": "deposit"}, ["fund_by"]),
        ({"fund_by": "soon", "funding": "deposit"}, ["fund_by"]),
        ({"refund_address": "here", "funding": "deposit"}, ["refund_address"]),
        ({"amount": "0.00000001", "funding": "deposit"}, ["amount"]),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(
    world: World, terms: dict[str, Any], fields: list[str]
) -> None:
    stock_addresses(world.session)
    response = world.payer.post("/escrow/create", world.terms(**terms))
    assert response.status_code == 422, response.text
    assert [error["field"] for error in response.json["errors"]] == fields


def test_without_an_address_in_stock_it_is_told_and_may_be_tried_again(world: World) -> None:
    terms = world.terms(funding="deposit")
    refused = world.payer.post("/escrow/create", terms, idempotency_key="once")
    assert (refused.status_code, refused.json["type"]) == (503, "urn:duxos:problem:no-deposit-address")
    stock_addresses(world.session)
    answers = [world.payer.post("/escrow/create", terms, idempotency_key="once") for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 201]
    assert answers[0].json == answers[1].json
