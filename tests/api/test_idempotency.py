"""Idempotency keys: a change happens once, however often and from however many sides it is sent."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from tests.api.conftest import ADDRESS, World
from webapp.domain.exceptions import IdempotencyConflictError
from webapp.models import Escrow, IdempotencyKey, Payout
from webapp.services import idempotency
from webapp.services.database import Session
from webapp.services.idempotency import StoredAnswer


def _count(world: World, model: type) -> int:
    found = world.session.execute(select(func.count()).select_from(model)).scalar_one()
    world.session.rollback()
    return int(found)


def test_the_same_request_brings_the_same_answer_and_does_nothing(world: World) -> None:
    first = world.payer.post("/escrow/create", world.terms(), idempotency_key="one")
    again = world.payer.post("/escrow/create", dict(reversed(world.terms().items())), idempotency_key="one")
    assert (first.status_code, first.headers.get("Idempotent-Replayed")) == (201, None)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.data == first.data
    assert again.headers["Location"] == first.headers["Location"]
    assert _count(world, Escrow) == 1
    assert world.balances(world.pair.payer) == ("900.00000000", "100.00000000")


def test_every_change_takes_a_key(world: World) -> None:
    escrow, other = world.escrow(), world.escrow()
    wallet_id = world.pair.payer.wallet_id
    for program, path, body in (
        (world.provider, f"/escrow/{escrow.id}/deliver", world.result(escrow)),
        (world.payer, f"/escrow/{escrow.id}/release", {}),
        (world.provider, f"/escrow/{other.id}/refund", {"reason": "no"}),
        (world.payer, f"/wallet/{wallet_id}/withdraw", {"address": ADDRESS, "amount": "3"}),
    ):
        first = program.post(path, body, idempotency_key=path)
        again = program.post(path, body, idempotency_key=path)
        assert first.status_code in (200, 201), first.text
        assert (again.status_code, again.data) == (first.status_code, first.data)
        assert again.headers["Idempotent-Replayed"] == "true"
    assert _count(world, Payout) == 1


def test_a_key_belongs_to_one_request(world: World) -> None:
    world.payer.post("/escrow/create", world.terms(), idempotency_key="one")
    for path, body in (
        ("/escrow/create", world.terms(amount="100.0")),
        ("/escrow/create", world.terms(task_id="task_002")),
        (f"/wallet/{world.pair.payer.wallet_id}/withdraw", {"address": ADDRESS, "amount": "3"}),
    ):
        response = world.payer.post(path, body, idempotency_key="one")
        assert (response.status_code, response.json["type"]) == (
            422,
            "urn:duxos:problem:idempotency-mismatch",
        )
    assert _count(world, Escrow) == 1


def test_a_key_belongs_to_one_principal(world: World) -> None:
    for program in (world.payer, world.program(world.pair.payer)):
        assert (
            "Idempotent-Replayed"
            not in program.post("/escrow/create", world.terms(), idempotency_key="one").headers
        )
    assert _count(world, Escrow) == 2


def test_what_failed_may_be_tried_again_under_its_key(world: World) -> None:
    response = world.payer.post("/escrow/create", world.terms(amount="1000.5"), idempotency_key="one")
    assert response.status_code == 409
    assert _count(world, IdempotencyKey) == 0
    assert world.payer.post("/escrow/create", world.terms(), idempotency_key="one").status_code == 201


@pytest.mark.parametrize("key", ["x" * 129, "tab\there", "é", "\x7f"])
def test_a_key_is_short_printable_ascii(world: World, key: str) -> None:
    response = world.payer.post("/escrow/create", world.terms(), idempotency_key=key)
    assert response.status_code == 422
    assert [error["field"] for error in response.json["errors"]] == ["Idempotency-Key"]


def test_of_many_at_once_one_takes_effect(world: World) -> None:
    def send(_: int) -> tuple[int, bytes]:
        response = world.payer.post("/escrow/create", world.terms(), idempotency_key="one")
        return response.status_code, response.data

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(send, range(32)))
    assert {status for status, _ in answers} <= {201, 409}
    assert len({body for status, body in answers if status == 201}) == 1
    assert _count(world, Escrow) == 1
    assert world.balances(world.pair.payer) == ("900.00000000", "100.00000000")


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
def test_while_the_first_is_running_the_second_is_told_so(world: World) -> None:
    started, may_end = threading.Event(), threading.Event()

    def effect() -> StoredAnswer:
        started.set()
        assert may_end.wait(30)
        return StoredAnswer(200, "{}")

    def first() -> StoredAnswer:
        with Session(world.services.settings) as session:
            return idempotency.run(session, "key:a", "one", "hash", effect)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(first)
        assert started.wait(30)
        with pytest.raises(IdempotencyConflictError):
            idempotency.run(world.session, "key:a", "one", "hash", effect)
        may_end.set()
        assert not running.result().is_replay
    assert idempotency.run(world.session, "key:a", "one", "hash", effect).is_replay
