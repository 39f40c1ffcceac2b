"""The hot path when the database is not well, and for keys that have ended: nothing is half done, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from tests.api.conftest import World
from tests.support.people import RESULT_HASH
from tests.support.processes import wait_until
from webapp.domain.canonical import sign_result
from webapp.extensions import db, prepare_engine
from webapp.models import Escrow
from webapp.models.plain_connection import plain_connection
from webapp.services.key_ring import KeyRing
from webapp.services.live.changes import AGAIN, Audience
from webapp.services.live.hub import Hub
from webapp.services.live.subscription import Subscription

on_sqlite = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
ONE = pytest.mark.settings(database={"pool_size": 1})


@pytest.fixture
def engine(world: World) -> Engine:
    """The application's own, which has been used and knows its keys."""
    world.app.testing = False  # errors are answered
    made = world.app.extensions["duxos"]
    world.app.extensions["duxos"] = replace(made, key_ring=KeyRing(made.secret_box, ask_every=600))
    for program in (world.payer, world.provider):
        assert program.get("/escrow/list").status_code == 200
    with world.app.app_context():
        return db.engine


@pytest.fixture
def other(world: World) -> Iterator[Session]:
    """Somebody else's session, with a connection of its own."""
    made = prepare_engine(create_engine(world.session.get_bind().engine.url))
    with Session(made) as session:
        yield session
    made.dispose()


def say(engine: Engine, statement: str) -> None:
    """To the one connection that is used next."""
    with plain_connection(engine) as connection:
        connection._driver.execute(statement)


def release(world: World, escrow: Escrow, result: dict[str, str]) -> TestResponse:
    return world.payer.post(f"/escrow/{escrow.id}/release", result, idempotency_key="release")


@contextmanager
def refused_for_now(
    world: World, engine: Engine, slug: str = "database-busy"
) -> Iterator[Callable[[], TestResponse]]:
    """Gives the sending of a release, which has to fail for now and to work afterwards under its key; and nothing of it
    may be done or kept in between.
    """
    escrow = world.escrow()
    result = world.result(escrow)

    def send() -> TestResponse:
        answer = release(world, escrow, result)
        assert (answer.status_code, answer.json["type"]) == (503, f"urn:duxos:problem:{slug}"), answer.text
        assert answer.headers["Retry-After"]
        assert engine.pool.checkedout() == 0
        return answer

    yield send
    assert world.balances(world.pair.payer) == ("900.00000000", "100.00000000")
    answer = release(world, escrow, result)
    assert (answer.status_code, "Idempotent-Replayed" in answer.headers) == (200, False), answer.text
    assert release(world, escrow, result).headers["Idempotent-Replayed"] == "true"
    assert world.balances(world.pair.provider) == ("95.00000000", "0.00000000")
    assert engine.pool.checkedout() == 0


@on_postgresql
@ONE
def test_a_connection_that_ends_in_the_middle_leaves_it_open_what_was_done(
    world: World, engine: Engine, other: Session
) -> None:
    with refused_for_now(world, engine, "database-lost") as send, ThreadPoolExecutor(1) as threads:
        other.execute(text("SELECT id FROM escrows FOR UPDATE"))
        sent = threads.submit(send)
        waiting = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

        def end_it() -> bool:
            found = world.session.scalars(text(f"SELECT pg_terminate_backend(pid) {waiting}")).all()
            world.session.rollback()
            return bool(found)

        wait_until(end_it, "the release to wait for the escrow")
        sent.result()
        other.rollback()


@on_postgresql
@ONE
def test_a_database_that_is_away_is_told_as_everywhere(
    world: World, engine: Engine, other: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise psycopg.OperationalError("connection refused")

    with refused_for_now(world, engine) as send:
        # The connections that there are end, and there are no new ones.
        world.session.rollback()
        own = "datname = current_database() AND pid <> pg_backend_pid()"
        other.execute(text(f"SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE {own}"))
        other.rollback()
        with monkeypatch.context() as away:
            away.setattr(engine.pool, "_creator", refuse)
            send()


@on_postgresql
@ONE
@pytest.mark.parametrize("limit", ["lock_timeout", "statement_timeout"])
def test_nobody_waits_for_ever(world: World, engine: Engine, other: Session, limit: str) -> None:
    with refused_for_now(world, engine) as send:
        say(engine, f"SET {limit} = '100ms'")
        other.execute(text("SELECT id FROM escrows FOR UPDATE"))
        send()
        other.rollback()
        engine.dispose()


@on_postgresql
@pytest.mark.settings(database={"pool_size": 2})
def test_of_two_who_wait_for_each_other_one_gives_way_and_is_served_afterwards(
    world: World, engine: Engine, other: Session
) -> None:
    """The other one has the provider's wallet and wants the escrow, which the release has."""
    escrow = world.escrow()
    result = world.result(escrow)
    other.execute(text(f"SELECT id FROM wallets WHERE id = {world.pair.provider.wallet_id} FOR UPDATE"))
    other.execute(text("SET deadlock_timeout = '10s'"))  # it leaves the finding out to the release
    with ThreadPoolExecutor(2) as threads:
        sent = threads.submit(release, world, escrow, result)
        wait_until(lambda: _waiting(world) == 1, "the release to wait for the wallet")
        wants = threads.submit(other.execute, text("SELECT id FROM escrows FOR UPDATE"))
        wants.result()
        other.rollback()
        assert sent.result().status_code == 200
    assert world.balances(world.pair.provider) == ("95.00000000", "0.00000000")


def _waiting(world: World) -> int:
    waiting = "datname = current_database() AND wait_event_type = 'Lock'"
    found = world.session.scalar(text(f"SELECT count(*) FROM pg_stat_activity WHERE {waiting}"))
    world.session.rollback()
    return int(found or 0)


@on_sqlite
def test_a_file_that_somebody_else_writes_to_is_waited_for_and_not_for_ever(
    world: World, engine: Engine, other: Session
) -> None:
    with refused_for_now(world, engine) as send:
        say(engine, "PRAGMA busy_timeout = 50")
        other.connection(execution_options={"sqlite_begin": "IMMEDIATE"})
        send()
        other.rollback()


@on_sqlite
def test_a_full_disk_undoes_all_of_it(world: World, engine: Engine) -> None:
    say(engine, "PRAGMA max_page_count = 1")  # no more than it has
    terms = world.terms(amount="1", metadata={"much": "x" * 4000})
    full = world.payer.post("/escrow/create", terms, idempotency_key="large")
    assert full.status_code == 503
    assert world.balances(world.pair.payer) == ("1000.00000000", "0.00000000")
    engine.dispose()
    assert world.payer.post("/escrow/create", terms, idempotency_key="large").status_code == 201


@on_sqlite
def test_a_key_that_has_ended_neither_asks_nor_signs(world: World) -> None:
    escrow, delivered = world.escrow(), world.escrow()
    spare = world.program(world.pair.provider)
    signed = sign_result(spare.key.secret, escrow.id, escrow.amount, RESULT_HASH)
    with_spare = {"result_hash": RESULT_HASH, "provider_signature": signed}
    assert world.provider.post(f"/escrow/{delivered.id}/deliver", world.result(delivered)).status_code == 200
    keys = world.services.signing_keys(world.session)
    keys.revoke(spare.key.key_id, world.pair.provider.actor.wallet_ids)
    for move, program in (("deliver", world.provider), ("release", world.payer)):
        refused = program.post(f"/escrow/{escrow.id}/{move}", with_spare)
        assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "provider_signature")
    asked = {"result_hash": RESULT_HASH, "provider_signature": signed, "reason": "Late"}
    for move, names in (("deliver", 2), ("release", 2), ("refund", 1)):
        body = {"reason": "Late"} if names == 1 else {name: asked[name] for name in list(asked)[:2]}
        assert spare.post(f"/escrow/{escrow.id}/{move}", body).status_code == 401
    keys.revoke(world.provider.key.key_id, world.pair.provider.actor.wallet_ids)
    # What was delivered while the key worked is accepted by whoever it was delivered to.
    assert world.payer.post(f"/escrow/{delivered.id}/release").status_code == 200
    keys.revoke(world.payer.key.key_id, world.pair.payer.actor.wallet_ids)
    assert world.payer.post("/escrow/create", world.terms()).status_code == 401


def test_whoever_looks_at_a_page_hears_of_it(world: World) -> None:
    escrow, person = world.escrow(), world.pair.provider
    hub = Hub(world.services.settings)
    stream = Subscription(Audience.of(person.user.id, person.actor), shows={"fund"})
    try:
        assert hub.subscribe(stream)
        assert [event.topic for event in stream.wait(1)] == [AGAIN]
        assert release(world, escrow, world.result(escrow)).status_code == 200
        missing = {f"escrow-{escrow.id}", f"wallet-{person.wallet_id}", "fund"}

        def hears_all() -> bool:
            missing.difference_update(event.topic for event in stream.wait(0.1))
            return not missing

        wait_until(hears_all, "what it is to hear of", 5)
    finally:
        hub.close()
