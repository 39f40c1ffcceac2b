"""Whatever is sent, it is answered, counted and done ahead of Flask as Flask alone would."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import pytest
import redis
from sqlalchemy import text
from werkzeug.test import TestResponse

from tests.api.conftest import World
from tests.support.redis import RedisServer
from webapp.blueprints.api.usual_documents import UsualDocuments
from webapp.extensions import limiter
from webapp.services.express import lane
from webapp.services.seen_nonces import SeenNonces

pytestmark = [
    pytest.mark.parametrize("databases", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("early_in_a_minute"),
]
COUNTED = pytest.mark.settings(security={"enable_rate_limiting": True, "max_requests_per_minute": 1000})
THREE = pytest.mark.settings(security={"enable_rate_limiting": True, "max_requests_per_minute": 3})
TABLES = ("escrows", "request_nonces", "idempotency_keys", "postings", "escrow_transactions")


@pytest.fixture(autouse=True)
def _a_counter_that_is_there() -> None:
    """The limiter outlives the apps of the tests; what it knows of its storage must not."""
    limiter._storage_dead = False


def _rows(world: World) -> Counter[str]:
    found = {table: world.session.scalar(text(f"SELECT count(*) FROM {table}")) for table in TABLES}
    world.session.rollback()
    return Counter(found)


def _create(world: World, **options: Any) -> TestResponse:
    return world.payer.post("/escrow/create", world.terms(amount="1"), **options)


def _fail(*_: Any, **__: Any) -> Any:
    raise RuntimeError("a defect")


@pytest.mark.parametrize(
    ("where", "name", "is_done"),
    [(UsualDocuments, "text", False), (SeenNonces, "has_seen", False), (lane, "announce", True)],
)
def test_a_defect_is_told_and_logged_as_elsewhere_and_nothing_is_tried_twice(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    where: Any,
    name: str,
    is_done: bool,
) -> None:
    world.app.testing = False
    before = _rows(world)
    with monkeypatch.context() as broken, caplog.at_level(logging.ERROR):
        broken.setattr(where, name, _fail)
        answer = _create(world, idempotency_key="one")
    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert answer.headers["Cache-Control"] == "no-store"
    assert caplog.text.count("RuntimeError: a defect") == 1
    assert (_rows(world) - before)["escrows"] == is_done
    answer = _create(world, idempotency_key="one")
    assert (answer.status_code, "Idempotent-Replayed" in answer.headers) == (201, is_done)
    assert (_rows(world) - before)["escrows"] == 1


@THREE
def test_without_its_redis_it_is_counted_all_the_same(
    redis_url: str, redis_server: RedisServer, world: World
) -> None:
    assert [_create(world).status_code for _ in range(4)] == [201, 201, 201, 429]
    redis_server.stop()
    assert [_create(world).status_code for _ in range(5)] == [201, 201, 201, 429, 429]


@COUNTED
def test_what_is_done_is_told_even_if_the_counter_is_away_by_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Any:
        raise redis.ConnectionError("away")

    with monkeypatch.context() as patch:
        patch.setattr(lane, "announce", lambda _: patch.setattr(limiter.limiter, "get_window_stats", away))
        answer = _create(world)
    assert (answer.status_code, answer.headers["X-RateLimit-Remaining"]) == (201, "999")
