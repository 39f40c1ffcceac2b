"""Many operations in one request: a result for each, in its place, as its own endpoint would have answered."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from tests.api.conftest import World
from tests.api.test_terms import TERMS
from tests.support.signing import Program
from webapp.blueprints.api.schemas import EscrowDocument
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.models import Escrow, IdempotencyKey
from webapp.services import audit_trail

on_sqlite = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
PATH = "/escrow/batch"


def _batch(program: Program, *operations: Any, together: bool = False, **options: Any) -> TestResponse:
    return program.post(PATH, {"together": together, "operations": list(operations)}, **options)


def _create(world: World, amount: str = "10", **more: Any) -> dict[str, Any]:
    return {"do": "create", **world.terms(amount=amount, **more)}


def _on(do: str, escrow: Escrow | uuid.UUID, **more: Any) -> dict[str, Any]:
    return {"do": do, "escrow_id": str(escrow.id if isinstance(escrow, Escrow) else escrow), **more}


def _alone(program: Program, operation: dict[str, Any]) -> TestResponse:
    """The same by its own endpoint."""
    body = dict(operation)
    do, escrow_id = body.pop("do"), body.pop("escrow_id", None)
    return program.post(f"/escrow/{escrow_id}/{do}" if escrow_id else f"/escrow/{do}", body)


def _escrows(world: World) -> int:
    world.session.rollback()
    return world.session.execute(select(func.count()).select_from(Escrow)).scalar_one()


def test_each_operation_has_its_own_result_as_its_own_endpoint_would_answer(world: World) -> None:
    first, second = world.escrow("1"), world.escrow("2")
    wrong = [
        _create(world, "5000"),
        _create(world, "0", service_name=""),
        _create(world, "1") | {"colour": "red", "task_id": 7},
        _create(world, payer_wallet_id=world.stranger.wallet_id),
        _on("refund", second, reason="changed my mind"),
        _on("release", second),
        _on("release", second, **world.result(first)),
        _on("refund", uuid.uuid4(), reason="gone"),
        _on("refund", second, reason=""),
    ]
    expected = [_alone(world.payer, operation) for operation in wrong]
    response = _batch(
        world.payer,
        _on("release", first, **world.result(first)),
        *wrong,
        _on("release", first),
        _create(world, metadata={"text": 'Grüße, "世界" \\ {🦆}', "numbers": [1, 0.5, 10**40, None]}),
    )
    assert (response.status_code, response.json["done"], response.json["failed"]) == (200, 2, 10)
    released, *refused, again, created = response.json["results"]
    assert (released["status"], released["escrow"]["status"]) == (200, "released")
    for number, (alone, result) in enumerate(zip(expected, refused, strict=True), 1):
        told = alone.json | {"instance": f"{PATH}#/operations/{number}"}
        assert result == {"status": alone.status_code, "problem": told}
    assert (again["status"], again["problem"]["current_status"]) == (409, "released")
    assert created["status"] == 201 and EscrowDocument.model_validate(created["escrow"])
    for escrow in (released["escrow"], created["escrow"]):
        shown = world.payer.get(escrow["links"]["self"]).json
        assert (escrow, list(escrow)) == (shown, list(shown))
    assert world.balances(world.pair.payer) == ("987.00000000", "12.00000000")
    assert world.balances(world.pair.provider) == ("0.95000000", "0.00000000")
    kinds = [event.kind for event in audit_trail.entries(world.session, first.id)]
    assert (kinds, _escrows(world)) == (["created", "released"], 3)


def test_several_operations_on_one_escrow_are_told_as_it_stood_after_each(world: World) -> None:
    escrow = world.escrow("7")
    deliver = _on("deliver", escrow, **world.result(escrow))
    response = _batch(world.provider, deliver, deliver, _on("refund", escrow, reason="no good"), deliver)
    stood = [each.get("escrow", each.get("problem")) for each in response.json["results"]]
    assert [each["status"] for each in stood] == ["delivered", 409, "refunded", 409]
    assert [stood[1]["current_status"], stood[3]["current_status"]] == ["delivered", "refunded"]
    assert stood[0]["refunded_at"] is None and "refund" in stood[0]["links"]
    trail = audit_trail.entries(world.session, escrow.id)
    assert [event.kind for event in trail] == ["created", "delivered", "refunded"]
    assert world.balances(world.pair.payer) == ("1000.00000000", "0.00000000")


def test_together_all_are_done_or_none_and_the_first_that_fails_is_named(world: World) -> None:
    escrow = world.escrow("1")
    good = [_create(world), _on("release", escrow, **world.result(escrow)), _create(world, "20")]
    refused = _batch(world.payer, *good, _create(world, "990"), _create(world, "0"), together=True)
    assert (refused.status_code, refused.json["type"]) == (409, "urn:duxos:problem:insufficient-funds")
    assert refused.json["detail"].startswith("operations.3: wallet ")
    assert [error["field"] for error in refused.json["errors"]] == ["operations.3"]
    assert world.balances(world.pair.payer) == ("999.00000000", "1.00000000")
    assert _escrows(world) == 1
    done = _batch(world.payer, *good, together=True)
    assert [each["status"] for each in done.json["results"]] == [201, 200, 201]
    assert world.balances(world.pair.payer) == ("969.00000000", "30.00000000")
    late = _batch(world.payer, _create(world), _on("release", escrow), together=True)
    assert (late.status_code, late.json["current_status"]) == (409, "released")


def test_a_batch_under_a_key_happens_once_and_has_one_answer(world: World) -> None:
    escrow = world.escrow("1")
    asked = (_create(world), _create(world, "5000"), _on("release", escrow, **world.result(escrow)))
    first, again = (_batch(world.payer, *asked, idempotency_key="b") for _ in range(2))
    assert (first.status_code, again.data) == (200, first.data)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert _escrows(world) == 2
    assert _batch(world.payer, *asked[:2], idempotency_key="b").status_code == 422
    failed = _batch(world.payer, *asked, together=True, idempotency_key="c")
    assert failed.status_code == 409
    assert world.session.execute(select(func.count()).select_from(IdempotencyKey)).scalar_one() == 1


@on_sqlite
@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["operations"]),
        ({"operations": []}, ["operations"]),
        ({"operations": {}}, ["operations"]),
        ({"operations": [{}] * 1001}, ["operations"]),
        ({"operations": [{}], "together": "yes", "colour": 1}, ["together", "colour"]),
    ],
)
def test_what_is_no_batch_is_refused_as_a_whole(world: World, body: Any, fields: list[str]) -> None:
    response = world.payer.post(PATH, body)
    assert response.status_code == 422
    assert [error["field"] for error in response.json["errors"]] == fields


@on_sqlite
def test_what_is_no_operation_is_refused_by_itself_with_its_fields(world: World) -> None:
    escrow = world.escrow("1")
    wrong: list[tuple[Any, list[str]]] = [
        (7, ["body"]),
        ({}, ["do"]),
        ({"do": ["create"]}, ["do"]),
        ({"do": "dispute", "escrow_id": str(escrow.id)}, ["do"]),
        ({"do": "refund"}, ["reason", "escrow_id"]),
        (_on("refund", escrow, reason="x", result_hash="y"), ["result_hash"]),
        (_create(world, funding="deposit"), ["funding"]),
        (_create(world, refund_address="mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"), ["refund_address"]),
        (_on("deliver", escrow, **world.result(escrow), result="AAAA"), ["result"]),
        (_on("release", escrow, **world.result(escrow), result_json=None), ["result_json"]),
        (_create(world, metadata={"x": "\0"}), ["metadata"]),
        (_create(world, terms={}), ["terms"]),
    ]
    response = _batch(world.payer, *(operation for operation, _ in wrong), _create(world))
    *refused, made = response.json["results"]
    assert made["status"] == 201
    for (operation, fields), result in zip(wrong, refused, strict=True):
        assert result["status"] == 422, operation
        assert {error["field"] for error in result["problem"]["errors"]} == set(fields)
    for number in (2, 6):
        placed = _batch(world.payer, *[_create(world)] * number, wrong[number][0], together=True)
        assert [error["field"] for error in placed.json["errors"]] == [
            f"operations.{number}.{wrong[number][1][0]}"
        ]
    assert _escrows(world) == 2


@on_sqlite
def test_each_operation_needs_the_scope_of_its_own_endpoint(world: World) -> None:
    escrow = world.escrow("1")
    program = world.program(world.pair.payer, ("escrow:release",))
    response = _batch(program, _create(world), _on("release", escrow, **world.result(escrow)))
    refused, released = response.json["results"]
    assert (refused["status"], refused["problem"]["type"]) == (403, "urn:duxos:problem:missing-scope")
    assert released["escrow"]["status"] == "released"
    assert _batch(program, _create(world), together=True).status_code == 403


def test_the_spend_limit_of_a_key_counts_what_a_batch_creates(world: World) -> None:
    program = world.program(world.pair.payer, spend_limit=Amount.parse("25"))
    amounts = ("10", "20", "15", "0.00000001")
    response = _batch(program, *(_create(world, amount) for amount in amounts))
    assert [each["status"] for each in response.json["results"]] == [201, 403, 201, 403]
    assert world.balances(world.pair.payer) == ("975.00000000", "25.00000000")


@on_sqlite
def test_whoever_comes_after_the_terms_of_an_escrow_have_decided_finds_done_what_they_decided(
    world: World,
) -> None:
    decided, other = world.escrow("3", terms=TERMS), world.escrow("5", terms=TERMS)
    with time_machine.travel(utcnow() + timedelta(hours=11)):
        response = _batch(world.payer, _on("release", decided), _create(world))
        late, created = response.json["results"]
        assert (late["status"], created["status"]) == (409, 201)
        assert late["problem"]["type"] == "urn:duxos:problem:escrow-decided"
        assert late["problem"]["current_status"] == "refunded"
        refused = _batch(world.payer, _create(world), _on("release", other), together=True)
        assert (refused.status_code, refused.json["current_status"]) == (409, "refunded")
    assert world.balances(world.pair.payer) == ("990.00000000", "10.00000000")


@on_sqlite
def test_a_thousand_operations_with_all_of_their_metadata_have_room(world: World) -> None:
    most = world.services.settings.escrow.max_metadata_bytes
    missing = _on("refund", uuid.uuid4(), reason="x" * 500)
    full = _create(world, "1", metadata={"x": "y" * (most - len('{"x": ""}'))})
    response = _batch(world.payer, *[missing] * 900, *[full | {"amount": "0"}] * 99, full)
    assert [each["status"] for each in response.json["results"]] == [404] * 900 + [422] * 99 + [201]
    assert _batch(world.payer, *[full | {"service_name": "z" * 3000}] * 1000).status_code == 413


def test_batches_and_single_requests_on_the_same_escrows_do_each_thing_once(world: World) -> None:
    escrows = [world.escrow("1") for _ in range(6)]
    releases = [_on("release", each, **world.result(each)) for each in escrows]
    refunds = [_on("refund", each, reason="no") for each in escrows]

    def work() -> Iterator[tuple[Any, ...]]:
        yield _batch, world.payer, *releases, _create(world)
        yield _batch, world.provider, *refunds[::-1]
        yield _batch, world.payer, _create(world), *releases[::-1]
        for each in (*releases[::2], *refunds[1::2]):
            yield _alone, world.payer if each["do"] == "release" else world.provider, each

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda each: each[0](*each[1:]), work()))
    ends = [each["status"] for answer in answers[:3] for each in answer.json["results"]]
    ends += [answer.status_code for answer in answers[3:]]
    assert (ends.count(200), ends.count(201), set(ends)) == (6, 2, {200, 201, 409})
    for escrow in escrows:
        kinds = [event.kind for event in audit_trail.entries(world.session, escrow.id)]
        assert len(kinds) == 2
    assert world.balances(world.pair.payer)[1] == "20.00000000"


@on_sqlite
@pytest.mark.usefixtures("early_in_a_minute")
@pytest.mark.settings(security={"enable_rate_limiting": True, "max_batched_operations_per_minute": 1000})
def test_a_batch_counts_as_one_request_and_its_operations_by_themselves(world: World) -> None:
    missing = _on("refund", uuid.uuid4(), reason="gone")
    assert _batch(world.payer, *[missing] * 998).status_code == 200
    assert _batch(world.payer, *[missing] * 3).status_code == 429
    assert _batch(world.payer, *[missing] * 2).status_code == 200
    assert _batch(world.payer, missing).status_code == 429
    assert _alone(world.payer, missing).status_code == 404
    assert _batch(world.provider, missing).status_code == 200
