"""Who is counted, where, and what happens when the counter is away."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import replace

import pytest

from tests.api.conftest import World
from tests.support.browsing import Browser
from tests.support.redis import RedisServer
from tests.support.signing import Program, sign
from webapp.extensions import limiter

STATUS = "/community-fund/status"

pytestmark = [
    pytest.mark.usefixtures("early_in_a_minute"),
    pytest.mark.settings(security={"enable_rate_limiting": True, "max_requests_per_minute": 3}),
    pytest.mark.parametrize("databases", ["sqlite"], indirect=True),
]


@pytest.fixture(autouse=True)
def _a_counter_that_is_there() -> None:
    """The limiter outlives the apps of the tests; what it knows of its storage must not."""
    limiter._storage_dead = False


def _statuses(program: Program, count: int, **options: object) -> list[int]:
    return [program.get(STATUS, **options).status_code for _ in range(count)]


def test_a_key_is_counted_over_all_endpoints_together(world: World) -> None:
    paths = (STATUS, "/escrow/list", f"/wallet/{world.pair.payer.wallet_id}", "/escrow/list")
    answers = [world.payer.get(path) for path in paths]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert ["Retry-After" in answer.headers for answer in answers] == [False, False, False, True]
    assert answers[-1].mimetype == "application/problem+json"
    assert int(answers[-1].headers["X-RateLimit-Reset"]) >= time.time() - 1


def test_keys_are_counted_apart_from_each_other_and_from_their_address(world: World) -> None:
    assert _statuses(world.payer, 4) == [200, 200, 200, 429]
    assert _statuses(world.provider, 4) == [200, 200, 200, 429]
    assert world.app.test_client().get(STATUS).status_code == 401


def test_wrong_signatures_count_against_the_address_and_never_against_the_key(world: World) -> None:
    forger = Program(world.app, replace(world.payer.key, secret="wrong"))
    inventor = Program(world.app, replace(world.payer.key, key_id="key_made_up"))
    assert _statuses(forger, 2) == [401, 401]
    assert _statuses(inventor, 2) == [401, 429]
    assert _statuses(forger, 1, nonce=None) == [429]
    assert _statuses(world.payer, 3) == [200, 200, 200]


def test_a_replayed_request_counts_against_whoever_replays_it(world: World) -> None:
    message = sign(world.payer.key, "GET", STATUS)
    assert [world.payer.send(message).status_code for _ in range(5)] == [200, 401, 401, 401, 429]
    assert _statuses(world.payer, 2) == [200, 200]


def test_a_request_over_the_limit_keeps_its_nonce(world: World) -> None:
    _statuses(world.payer, 3)
    message = sign(world.payer.key, "GET", STATUS)
    assert world.payer.send(message).status_code == 429
    change = sign(world.payer.key, "POST", "/escrow/create", json.dumps(world.terms()).encode())
    assert world.payer.send(change).status_code == 429
    limiter.reset()
    assert world.payer.send(message).status_code == 200
    assert [world.payer.send(change).status_code for _ in range(2)] == [201, 401]


def test_visitors_are_counted_by_address_and_people_by_who_they_are(world: World) -> None:
    client = world.app.test_client()
    near, far = {"REMOTE_ADDR": "2001:db8:1:2::1"}, {"REMOTE_ADDR": "2001:db8:1:3::1"}
    neighbour = {"REMOTE_ADDR": "2001:db8:1:2:ffff::9"}
    codes = [
        client.get("/login", environ_overrides=each).status_code
        for each in (near, neighbour, near, near, far)
    ]
    assert codes == [200, 200, 200, 429, 200]
    browser = Browser(world.app)
    browser.register("somebody@example.com")
    pages = [browser.get("/account").status_code for _ in range(4)]
    assert pages == [200, 200, 200, 429]


def test_what_an_open_page_asks_by_itself_leaves_its_reader_all_of_the_limit(world: World) -> None:
    browser = Browser(world.app)
    browser.register("somebody@example.com")
    assert {browser.get("/wallet/movements", htmx=True).status_code for _ in range(9)} == {200}
    assert [browser.get("/account").status_code for _ in range(4)] == [200, 200, 200, 429]


def test_health_is_never_counted(world: World) -> None:
    client = world.app.test_client()
    assert {client.get("/health/live").status_code for _ in range(9)} == {200}


def test_redis_holds_the_count_for_all_processes(
    redis_url: str, redis_server: RedisServer, world: World
) -> None:
    assert _statuses(world.payer, 4) == [200, 200, 200, 429]
    with socket.create_connection(("127.0.0.1", redis_server.port)) as connection:
        connection.sendall(b"KEYS *\r\n")
        assert world.payer.key.key_id.encode() in connection.recv(4096)


def test_without_its_redis_each_process_counts_by_itself(
    redis_url: str, redis_server: RedisServer, world: World
) -> None:
    assert _statuses(world.payer, 1) == [200]
    redis_server.stop()
    began = time.monotonic()
    assert _statuses(world.payer, 4) == [200, 200, 200, 429]
    assert time.monotonic() - began < 5


@pytest.mark.settings(security={"enable_rate_limiting": False, "max_requests_per_minute": 1})
def test_limits_can_be_switched_off(world: World) -> None:
    assert _statuses(world.payer, 3) == [200, 200, 200]
