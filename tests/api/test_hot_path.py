"""Whatever is sent, it is answered, counted and done ahead of Flask as Flask alone would."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from werkzeug.test import TestResponse

from tests.api.conftest import World
from tests.support.redis import RedisServer
from webapp.extensions import limiter
from webapp.services.express import lane

pytestmark = [
    pytest.mark.parametrize("databases", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("early_in_a_minute"),
]
COUNTED = pytest.mark.settings(security={"enable_rate_limiting": True, "max_requests_per_minute": 1000})
THREE = pytest.mark.settings(security={"enable_rate_limiting": True, "max_requests_per_minute": 3})


@pytest.fixture(autouse=True)
def _a_counter_that_is_there() -> None:
    """The limiter outlives the apps of the tests; what it knows of its storage must not."""
    limiter._storage_dead = False


def _create(world: World, **options: Any) -> TestResponse:
    return world.payer.post("/escrow/create", world.terms(amount="1"), **options)


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
