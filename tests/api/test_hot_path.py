"""Whatever is sent, it is answered, counted and done ahead of Flask as Flask alone would."""

from __future__ import annotations

import io
import json
import logging
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import redis
import time_machine
from sqlalchemy import text, update
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app

from tests.api.both_ways import counted_calls
from tests.api.conftest import World
from tests.support.redis import RedisServer
from tests.support.signing import BY_PATH, Program, sign
from webapp.blueprints.api.usual_documents import UsualDocuments
from webapp.domain.clock import utcnow
from webapp.extensions import limiter
from webapp.models import Escrow
from webapp.services.express import lane
from webapp.services.seen_nonces import SeenNonces
from webapp.services.unit_of_work import unit_of_work

pytestmark = [
    pytest.mark.parametrize("databases", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("early_in_a_minute"),
]
COUNTED = pytest.mark.settings(security={"enable_rate_limiting": True, "max_requests_per_minute": 1000})
THREE = pytest.mark.settings(security={"enable_rate_limiting": True, "max_requests_per_minute": 3})
TABLES = ("escrows", "request_nonces", "idempotency_keys", "postings", "escrow_transactions")
# They differ from one answer to the next.
CHANGING = {"X-RateLimit-Remaining", "X-RateLimit-Reset", "Location", "Content-Length"}
Environ = dict[str, Any]
Asked = tuple[str, str, Callable[[Any], bytes], dict[str, Any]]


@pytest.fixture(autouse=True)
def _a_counter_that_is_there() -> None:
    """The limiter outlives the apps of the tests; what it knows of its storage must not."""
    limiter._storage_dead = False


def _plain(body: Any) -> bytes:
    return json.dumps(body).encode()


def _with(**more: Any) -> Callable[[Any], bytes]:
    return lambda body: _plain({**body, **more})


def _raw(value: bytes, name: str = "metadata") -> Callable[[Any], bytes]:
    """The usual body with a member that is written by hand."""
    return lambda body: _plain({**body, name: "HERE"}).replace(b'"HERE"', value)


def _fixed(body: bytes) -> Callable[[Any], bytes]:
    return lambda _: body


def _asked() -> Iterator[Asked]:
    """What is asked for: who asks for which move, with which body made out of the usual one, and how it is sent."""
    hosts = ["", "\xe9", "x" * 64, "a..b", ".", "..", "a.", "a_b", "-", "[::1]", "LOCALHOST", "a,b", "a:1:2"]
    hosts += [f"localhost:{port}" for port in ("08", 80, 443, 8000, 65536, 99999)]
    sent: list[Environ] = [{"HTTP_HOST": host} for host in hosts]
    sent += [{"wsgi.url_scheme": scheme} for scheme in ("https", "wss", "ws", "gopher", "HTTPS")]
    lengths = (None, "", "0", "-1", "x", "+9", " 9", "9,9", "9999", "100000", "999999")
    sent += [{"CONTENT_LENGTH": length, "wsgi.input_terminated": None} for length in lengths]
    types = (None, "application/json; charset=latin-1", "Application/JSON", "application/json,application/json",
             "application/problem+json", "text/plain", "multipart/form-data; boundary=x")  # fmt: skip
    sent += [{"CONTENT_TYPE": kind} for kind in types]
    sent += [{"CONTENT_LENGTH": None}, {"HTTP_TRANSFER_ENCODING": "chunked"}, {"HTTP_TRANSFER_ENCODING": "x"},
             {"SCRIPT_NAME": "/x"}, {"QUERY_STRING": "a=1"}, {"HTTP_COOKIE": "duxos=x"}, {"HTTP_HX_REQUEST": "true"},
             {"HTTP_ACCEPT": "text/html"}, {"HTTP_ACCEPT_LANGUAGE": "de"}, {"HTTP_RANGE": "bytes=0-3"},
             {"HTTP_IF_NONE_MATCH": "*"}, {"HTTP_X_HTTP_METHOD_OVERRIDE": "GET"}, {"HTTP_ORIGIN": "http://x"},
             {"HTTP_X_FORWARDED_HOST": "x", "HTTP_X_FORWARDED_PROTO": "https"}, {"HTTP_X_ODD": "\xe9\xff"},
             {"PATH_INFO": "//escrow/create"}, {"PATH_INFO": "/escrow/create/"}, {"PATH_INFO": "/escrow/create\n"},
             {"HTTP_SIGNATURE": None}, {"HTTP_SIGNATURE": ""}, {"HTTP_SIGNATURE": "\xe9"},
             {"HTTP_SIGNATURE_INPUT": "\xe9"}, {"HTTP_CONTENT_DIGEST": "\xe9"}, {"HTTP_CONTENT_DIGEST": "a;;"},
             {"HTTP_CONTENT_DIGEST": None}]  # fmt: skip
    sent += [{"REQUEST_METHOD": method} for method in ("GET", "HEAD", "OPTIONS", "PUT", "post")]
    sent += [{"HTTP_IDEMPOTENCY_KEY": key} for key in ("", "x" * 129, "\xe9", "a\x01")]
    yield from (("payer", "create", _plain, each) for each in sent)
    fixed = (b"", b"[]", b'"{}"', b"1", b"null", b" ", b"{", b'{"a":"\xe9"}', b"\xff\xfe")
    bodies = [_fixed(body) for body in fixed]
    bodies += [lambda body: b"\xef\xbb\xbf" + _plain(body), lambda body: json.dumps(body).encode("utf-16")]
    bodies += [lambda body: b" \n" + _plain(body) + b"\t", lambda body: _plain(body)[:-1] + b',"amount":2}']
    bodies += [lambda body: _plain(json.dumps(body)), _with(metadata={"x": "y" * 300_000})]
    bodies += [_raw(b"1e-8", "amount"), _raw(b'"\\ud800"', "task_id")]
    bodies += [_raw(b'{"a":%s}' % number) for number in (b"1e400", b"1e9999999", b"1" * 4000)]
    bodies += [_raw(b'{"a":' + b"[" * depth + b"]" * depth + b"}") for depth in (60, 62, 63, 70)]
    others: tuple[dict[str, Any], ...] = (
        {"task_id": "a\0"}, {"metadata": {"a": "\0"}}, {"metadata": None}, {"x": 1}, {"payer_wallet_id": 1.0},
        {"payer_wallet_id": 2}, {"provider_wallet_id": 1}, {"provider_wallet_id": 999}, {"amount": "99999"},
        {"provider_node_id": ""}, {"terms": {}}, {"expected_result_hash": ""}, {"refund_address": ""},
        {"expires_at": "2020-01-01T00:00:00Z"}, {"fund_by": "2099-01-01T00:00:00Z"},
    )  # fmt: skip
    bodies += [_with(**more) for more in others]
    yield from (("payer", "create", body, {}) for body in bodies)
    cut = {"CONTENT_LENGTH": "9", "CONTENT_TYPE": "application/json", "wsgi.input_terminated": None}
    for who, move in (("provider", "deliver"), ("payer", "release"), ("provider", "refund")):
        bodies = [_plain, _fixed(b""), _fixed(b"[]"), _with(result=None), _with(result="=")]
        yield from ((who, move, body, {}) for body in bodies)
        yield from ((who, move, _fixed(b""), sent) for sent in ({"CONTENT_TYPE": "text/plain"}, cut))
        yield from ((other, move, _plain, {}) for other in ("foreigner", "narrow"))
    yield from (("provider", "refund", _with(reason=reason), {}) for reason in (" ", "x" * 501, "a\0", 7))
    yield ("payer", "refund", _plain, {})


def _environ(world: World, program: Program, move: str, body: Callable[[Any], bytes]) -> Environ:
    path, usual = "/escrow/create", world.terms(amount="1")
    if move != "create":
        escrow = world.escrow("1")
        path = f"/escrow/{escrow.id}/{move}"
        usual = {"reason": "Late"} if move == "refund" else world.result(escrow)
    content = body(usual)
    headers = sign(program.key, "POST", path, content, components=BY_PATH).headers
    made = EnvironBuilder(path, method="POST", headers=headers.items(), data=content).get_environ()
    return {**made, "CONTENT_LENGTH": str(len(content)), "wsgi.input_terminated": True}


def _rows(world: World) -> Counter[str]:
    found = {table: world.session.scalar(text(f"SELECT count(*) FROM {table}")) for table in TABLES}
    world.session.rollback()
    return Counter(found)


def _sent(world: World, application: Any, environ: Environ) -> dict[str, Any]:
    """How it is answered, what of it is new in the database, and how many requests are left to whom it counts for."""
    before = _rows(world)
    chunks, status, headers = run_wsgi_app(application, environ, buffered=True)
    body = b"".join(chunks)
    told = json.loads(body) if body else {}
    fields = {name: value for name, value in headers.items() if name not in CHANGING}
    members = told if "type" in told and status >= "4" else {"members": sorted(told)}
    return {
        "status": status,
        "fields": fields,
        "told": {name: value for name, value in members.items() if name != "instance"},
        "new": _rows(world) - before,
        "left": headers.get("X-RateLimit-Remaining", type=int),
    }


@COUNTED
def test_whatever_is_sent_is_answered_counted_and_done_as_by_flask_alone(
    world: World, subtests: pytest.Subtests
) -> None:
    world.app.testing = False
    whole: Any = world.app.wsgi_app
    programs = {"narrow": world.program(world.pair.payer, scopes=("escrow:read",))}
    ahead = 0
    for who, move, body, sent in _asked():
        program = programs.get(who) or getattr(world, who)
        with subtests.test(f"{who} {move} {body(world.terms())[:40]!r} {sent}"):
            answers = []
            for application in (whole, whole._inner):
                environ = _environ(world, program, move, body) | sent
                made = {name: value for name, value in environ.items() if value is not None}
                with counted_calls() as calls:
                    answers.append(_sent(world, application, made))
                ahead += answers[-1]["status"] < "3" and not calls
            first, second = answers
            if first["left"] is not None:  # it has counted once
                assert first.pop("left") - second.pop("left") == 1
            assert first == second
    assert ahead >= 20, "it answers what is usual"


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


def test_a_request_takes_effect_once_whichever_way_it_comes(world: World) -> None:
    whole: Any = world.app.wsgi_app
    instance = world.app.extensions["duxos"]
    for ways in ((whole, whole._inner), (whole._inner, whole)):
        environ, answers = _environ(world, world.payer, "create", _plain), []
        for way in ways:
            # By a process that has not seen it.
            world.app.extensions["duxos"] = replace(instance, seen_nonces=SeenNonces())
            again = io.BytesIO(environ["wsgi.input"].getvalue())
            answers.append(_sent(world, way, environ | {"wsgi.input": again})["status"][:3])
        assert answers == ["201", "401"]


@pytest.mark.settings(security={"trusted_proxies": 1})
def test_behind_a_proxy_the_scheme_and_host_of_the_outside_count(world: World) -> None:
    proxied = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "escrow.example"}
    for headers, status in ((proxied, 201), ({}, 401)):
        origin, body = "https://escrow.example", _plain(world.terms())
        message = sign(world.payer.key, "POST", "/escrow/create", body, headers=headers, origin=origin)
        with counted_calls() as calls:
            answer = world.payer.send(message)
        assert (answer.status_code, calls) == (status, [])
        assert ("Strict-Transport-Security" in answer.headers) == (status == 201)


def _made(world: World, **terms: Any) -> tuple[Escrow, str]:
    """An escrow that this process has made, and its path."""
    path = world.payer.post("/escrow/create", world.terms(amount="1", **terms)).headers["Location"]
    world.session.rollback()  # what it has read before is older
    return world.session.get_one(Escrow, uuid.UUID(path.rpartition("/")[2])), path


def test_of_many_who_want_what_was_made_here_one_gets_it(world: World) -> None:
    escrow, path = _made(world)
    result = world.result(escrow)
    # Who may not have it takes it from nobody.
    assert world.foreigner.post(f"{path}/release", result).status_code == 404
    escrow, path = _made(world)
    result = world.result(escrow)
    with ThreadPoolExecutor(8) as threads:
        sent = [threads.submit(world.payer.post, f"{path}/release", result) for _ in range(8)]
    assert Counter(each.result().status_code for each in sent) == {200: 1, 409: 7}
    assert world.balances(world.pair.provider) == ("0.95000000", "0.00000000")


def test_a_deadline_that_passes_or_was_moved_counts_for_what_was_made_here(world: World) -> None:
    (_, path), (moved, elsewhere) = _made(world), _made(world)
    late = {"reason": "Late"}
    with unit_of_work(world.session):
        later = {"expires_at": utcnow() + timedelta(days=400), "updated_at": utcnow()}
        world.session.execute(update(Escrow).where(Escrow.id == moved.id).values(later))
    with time_machine.travel(utcnow() + timedelta(days=300), tick=True):
        assert world.payer.post(f"{elsewhere}/refund", late).status_code == 403
        assert world.payer.post(f"{path}/refund", late).status_code == 200


def test_what_would_take_much_room_is_not_remembered(world: World) -> None:
    remembered = world.app.extensions["duxos"].recent_escrows
    for members, is_kept in ((32, True), (33, False)):
        escrow, _ = _made(world, metadata=dict.fromkeys(map(str, range(members))))
        assert (remembered.take(escrow.id) is not None) == is_kept
