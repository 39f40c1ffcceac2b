"""The hot path when many want the same at once, and when somebody sends again what was sent before."""

from __future__ import annotations

import json
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from tests.api.conftest import ADDRESS, World
from tests.support.money import credit
from tests.support.processes import wait_until
from tests.support.signing import Message, Program, sign
from webapp.domain.accounts import CHAIN, FUND, available
from webapp.domain.canonical import sign_result
from webapp.domain.exceptions import IdempotencyConflictError
from webapp.domain.money import Amount
from webapp.ledger.journal import Move, post
from webapp.models import Escrow, Wallet
from webapp.models.plain_connection import PlainConnection
from webapp.services import audit_trail, idempotency
from webapp.services.express import lane, recent
from webapp.services.express.recent import RecentEscrows
from webapp.services.express.rows import Seen, look
from webapp.services.idempotency import StoredAnswer
from webapp.services.seen_nonces import SeenNonces
from webapp.services.unit_of_work import unit_of_work

on_sqlite = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
THREADS = 8
MANY = pytest.mark.settings(database={"pool_size": THREADS})
ONE = pytest.mark.settings(database={"pool_size": 1})


def at_once(send: Callable[[int], TestResponse]) -> Counter[int]:
    """Eight requests, let go together; their answers counted."""
    gate = threading.Barrier(THREADS)

    def run(number: int) -> int:
        gate.wait()
        return send(number).status_code

    with ThreadPoolExecutor(THREADS) as threads:
        return Counter(threads.map(run, range(THREADS)))


@pytest.mark.parametrize(
    "databases",
    ["sqlite", pytest.param("postgresql", marks=MANY), pytest.param("postgresql", marks=ONE, id="one")],
    indirect=True,
)
def test_of_many_who_want_the_same_one_gets_it(world: World) -> None:
    """With one connection for all of them, nobody holds it while waiting for another."""
    payer, provider = world.payer, world.provider
    first, second = world.escrow(), world.escrow()
    path, result = f"/escrow/{first.id}/release", world.result(first)
    assert at_once(lambda _: payer.post(path, result)) == {200: 1, 409: 7}
    # Release and refund of the same: one of the two, once.
    path, result = f"/escrow/{second.id}", world.result(second)
    ends = ((payer, f"{path}/release", result), (provider, f"{path}/refund", {"reason": "Late"}))

    def end(number: int) -> TestResponse:
        program, at, body = ends[number % 2]
        return program.post(at, body)

    assert at_once(end) == {200: 1, 409: 7}
    third = world.escrow()
    path, result = f"/escrow/{third.id}/release", world.result(third)
    found = at_once(lambda _: payer.post(path, result, idempotency_key="one"))
    assert found.keys() <= {200, 409} and found[200] >= 1
    again = payer.post(path, result, idempotency_key="one")
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (200, "true")
    body = json.dumps(world.terms(amount="1")).encode()
    message = sign(payer.key, "POST", "/escrow/create", body)
    assert at_once(lambda _: payer.send(message)) == {201: 1, 401: 7}
    rest = Amount.parse(world.balances(world.pair.payer)[0])
    share = world.terms(amount=str(Amount(rest.base_units // 3)))
    assert at_once(lambda _: payer.post("/escrow/create", share)) == {201: 3, 409: 5}
    limited = world.program(world.pair.provider, spend_limit=Amount.parse("7"))
    little = world.terms(amount="3") | {
        "payer_wallet_id": world.pair.provider.wallet_id,
        "provider_wallet_id": world.pair.payer.wallet_id,
    }
    assert at_once(lambda _: limited.post("/escrow/create", little)) == {201: 2, 403: 6}


@on_postgresql
@MANY
@pytest.mark.parametrize(("left", "made"), [("1000", 8), ("250", 2)])
def test_who_waited_for_a_wallet_finds_it_as_it_was_left(world: World, left: str, made: int) -> None:
    wallet_id = world.pair.payer.wallet_id
    with Session(world.session.get_bind()) as other, ThreadPoolExecutor(1) as threads:
        with unit_of_work(other):
            moves = [Move(available(wallet_id), FUND, Amount.parse(1000) - Amount.parse(left))]
            if left == "1000":
                moves = [Move(available(wallet_id), FUND, Amount(1))]
                credit(other, wallet_id, "0.00000001")
            post(other, "test:spent", "test", moves)
            sent = threads.submit(at_once, lambda _: world.payer.post("/escrow/create", world.terms()))
            wait_until(lambda: _waiting(world) == THREADS, "all to wait for the wallet")
        assert sent.result() == Counter({201: made, 409: THREADS - made}) - Counter()


@on_postgresql
def test_of_one_key_on_both_ways_one_takes_effect(world: World) -> None:
    """The ordinary way goes about something else under the key when the hot path takes it: the former is undone."""
    started, may_end = threading.Event(), threading.Event()
    escrow, elsewhere = world.escrow(), world.stranger.wallet_id

    def effect(session: Session) -> StoredAnswer:
        post(session, "test:both", "test", [Move(CHAIN, available(elsewhere), Amount.parse(1))])
        started.set()
        assert may_end.wait(30)
        return StoredAnswer(200, "{}")

    def go_the_ordinary_way() -> StoredAnswer:
        with Session(world.session.get_bind()) as session:
            principal = f"key:{world.payer.key.key_id}"
            return idempotency.run(session, principal, "both", "hash", lambda: effect(session))

    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(go_the_ordinary_way)
        assert started.wait(30)
        path, result = f"/escrow/{escrow.id}/release", world.result(escrow)
        assert world.payer.post(path, result, idempotency_key="both").status_code == 200
        may_end.set()
        with pytest.raises(IdempotencyConflictError):
            running.result()
    assert world.balances(world.stranger) == ("0.00000000", "0.00000000")
    assert world.payer.post(path, result, idempotency_key="both").headers["Idempotent-Replayed"] == "true"


def _waiting(world: World) -> int:
    found = world.session.scalar(
        text(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
    )
    world.session.rollback()
    return int(found or 0)


def _deliver(world: World, escrow: Escrow) -> None:
    assert world.provider.post(f"/escrow/{escrow.id}/deliver", world.result(escrow)).status_code == 200


def _deliver_other(world: World, escrow: Escrow) -> None:
    signed = sign_result(world.pair.key.secret, escrow.id, escrow.amount, "cd" * 32)
    result = {"result_hash": "cd" * 32, "provider_signature": signed}
    assert world.provider.post(f"/escrow/{escrow.id}/deliver", result).status_code == 200


def _refund(world: World, escrow: Escrow) -> None:
    assert world.provider.post(f"/escrow/{escrow.id}/refund", {"reason": "Late"}).status_code == 200


def _object(world: World, escrow: Escrow) -> None:
    assert world.provider.post(f"/escrow/{escrow.id}/dispute", {"reason": "Unfair"}).status_code == 201


def _note(world: World, escrow: Escrow) -> None:
    """Something that changes nothing but the trail."""
    with unit_of_work(world.session):
        audit_trail.lock(world.session, escrow.id)
        audit_trail.append(world.session, escrow.id, "noted", "worker")


def _ask_for_payouts(world: World, escrow: Escrow) -> None:
    with unit_of_work(world.session):
        wallet = world.session.get_one(Wallet, escrow.provider_wallet_id)
        wallet.payout_address = ADDRESS


happens_meanwhile = pytest.mark.parametrize(
    ("happening", "status", "trail"),
    [
        (_deliver, 200, ["created", "delivered", "released"]),
        (_deliver_other, 422, ["created", "delivered"]),
        (_refund, 409, ["created", "refunded"]),
        (_object, 200, ["created", "disputed", "released"]),
        (_note, 200, ["created", "noted", "released"]),
        (_ask_for_payouts, 200, ["created", "released", "payout_queued"]),
    ],
)


@happens_meanwhile
def test_what_happens_between_looking_and_doing_counts(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    happening: Callable[[World, Escrow], None],
    status: int,
    trail: list[str],
) -> None:
    escrow = world.escrow()
    happenings = [happening]

    def look_and_wait(connection: PlainConnection, escrow_id: uuid.UUID) -> Seen | None:
        seen = look(connection, escrow_id)
        while happenings:
            with ThreadPoolExecutor(1) as somebody:
                somebody.submit(happenings.pop(), world, escrow).result()
        return seen

    monkeypatch.setattr(lane, "look", look_and_wait)
    answer = world.payer.post(f"/escrow/{escrow.id}/release", world.result(escrow))
    assert answer.status_code == status, answer.text
    assert [each.kind for each in audit_trail.entries(world.session, escrow.id)] == trail
    world.session.rollback()


@happens_meanwhile
def test_what_another_process_does_to_an_escrow_made_here_counts(
    world: World, happening: Callable[[World, Escrow], None], status: int, trail: list[str]
) -> None:
    escrow = _made(world)
    here = world.app.extensions["duxos"]
    world.app.extensions["duxos"] = replace(here, recent_escrows=RecentEscrows())
    happening(world, escrow)
    world.app.extensions["duxos"] = here
    answer = world.payer.post(f"/escrow/{escrow.id}/release", world.result(escrow))
    world.session.rollback()
    assert answer.status_code == status, answer.text
    assert [each.kind for each in audit_trail.entries(world.session, escrow.id)] == trail
    world.session.rollback()


@on_sqlite
def test_what_was_made_here_is_not_looked_up_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[uuid.UUID] = []

    def note(connection: PlainConnection, escrow_id: uuid.UUID) -> Seen | None:
        looked.append(escrow_id)
        return look(connection, escrow_id)

    monkeypatch.setattr(lane, "look", note)
    monkeypatch.setattr(recent, "MOST", 2)
    first, second, third = (_made(world) for _ in range(3))
    _deliver(world, third)
    for escrow in (first, second, third):
        assert world.payer.post(f"/escrow/{escrow.id}/release", world.result(escrow)).status_code == 200
    # A number with a point may come back from the database in other words.
    floating = _made(world, metadata={"scale": 1e300})
    _deliver(world, floating)
    assert looked == [first.id, floating.id]


def _made(world: World, **terms: Any) -> Escrow:
    """An escrow that the process remembers."""
    answer = world.payer.post("/escrow/create", world.terms(**terms))
    assert answer.status_code == 201, answer.text
    world.session.rollback()  # what it has read before is older
    escrow = world.session.get_one(Escrow, uuid.UUID(answer.json["id"]))
    world.session.rollback()
    return escrow


def _endpoints(world: World) -> Iterator[tuple[Program, str, Any]]:
    """One request to each of the four that works."""
    yield world.payer, "/escrow/create", world.terms(amount="1")
    for program, move in ((world.provider, "deliver"), (world.payer, "release")):
        escrow = world.escrow("1")
        yield program, f"/escrow/{escrow.id}/{move}", world.result(escrow)
    yield world.provider, f"/escrow/{world.escrow('1').id}/refund", {"reason": "Late"}


@on_sqlite
@pytest.mark.usefixtures("early_in_a_minute")
@pytest.mark.settings(security={"enable_rate_limiting": True, "max_requests_per_minute": 99})
def test_a_request_that_is_sent_again_is_refused_and_costs_its_key_nothing(world: World) -> None:
    address = iter(range(1, 99))

    def send(program: Program, message: Message) -> TestResponse:
        return program.send(message, environ_overrides={"REMOTE_ADDR": f"192.0.2.{next(address)}"})

    requests = [(*each, True) for each in _endpoints(world)]
    requests += [(world.payer, "/escrow/create", spoilt, False) for spoilt in ({"amount": "1"}, [])]
    for program, path, body, is_sound in requests:
        message = sign(program.key, "POST", path, json.dumps(body).encode())
        first = send(program, message)
        assert (first.status_code < 300) == is_sound, first.text
        left = int(first.headers["X-RateLimit-Remaining"])
        assert [send(program, message).status_code for _ in range(3)] == [401] * 3, path
        # Another process looks it up once it has counted it.
        instance = world.app.extensions["duxos"]
        world.app.extensions["duxos"] = replace(instance, seen_nonces=SeenNonces())
        assert [send(program, message).status_code for _ in range(3)] == [401] * 3, path
        assert (
            int(send(program, sign(program.key, "GET", "/escrow/list")).headers["X-RateLimit-Remaining"])
            == left - 2
        )
