"""Every endpoint refuses what is not signed, wrongly signed, replayed, old, changed, somebody else's, or too much."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.api.conftest import World
from tests.api.endpoints import ENDPOINTS, Endpoint, Request
from tests.support.signing import ORIGIN, Message, Program, sign
from webapp.domain.roles import Scope
from webapp.services.signing_keys import IssuedKey
from webapp.web.errors import PROBLEM_MIMETYPE, PROBLEM_TYPE_PREFIX
from webapp.web.guards import find_access

# What is told from the request alone is refused in the same way on every database.
on_sqlite = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


def _signed(endpoint: Endpoint, request: Request, key: IssuedKey | None = None, **options: object) -> Message:
    body = b"" if request.body is None else json.dumps(request.body).encode()
    return sign(key or request.program.key, endpoint.method, request.path, body, **options)


def _assert_problem(response: TestResponse, status: int, slug: str, about: str = "") -> None:
    assert response.status_code == status, response.text
    assert response.mimetype == PROBLEM_MIMETYPE
    assert response.json["type"] == PROBLEM_TYPE_PREFIX + slug
    assert response.json["status"] == status
    assert about in response.json["detail"]


@on_sqlite
def test_every_endpoint_for_programs_stands_in_the_table(app: Flask) -> None:
    signed = set()
    for rule in app.url_map.iter_rules():
        access = find_access(app, rule.endpoint)
        if access is not None and access.kind == "signed_request":
            methods = rule.methods - {"HEAD", "OPTIONS"}
            signed |= {(rule.endpoint, method, access.names) for method in methods}
    assert signed == {(each.name, each.method, tuple(each.scopes)) for each in ENDPOINTS}


def test_the_table_holds_requests_that_work(world: World, subtests: pytest.Subtests) -> None:
    for endpoint in ENDPOINTS:
        with subtests.test(endpoint.name):
            request = endpoint.request(world)
            assert request.program.send(_signed(endpoint, request)).status_code == endpoint.status


@on_sqlite
def test_a_request_without_a_signature_is_refused(world: World, subtests: pytest.Subtests) -> None:
    for endpoint in ENDPOINTS:
        with subtests.test(endpoint.name):
            request = endpoint.request(world)
            message = _signed(endpoint, request)
            for header in ("Signature", "Signature-Input"):
                without = {name: value for name, value in message.headers.items() if name != header}
                response = request.program.send(replace(message, headers=without))
                _assert_problem(response, 401, "invalid-signature")
            bare = replace(message, headers={"Content-Type": "application/json"})
            response = request.program.send(bare)
            _assert_problem(response, 401, "invalid-signature", "not signed")
            assert response.headers["WWW-Authenticate"].startswith("Signature")


@on_sqlite
def test_a_wrong_signature_is_refused(world: World, subtests: pytest.Subtests) -> None:
    for endpoint in ENDPOINTS:
        with subtests.test(endpoint.name):
            request = endpoint.request(world)
            forged = replace(request.program.key, secret="not the secret of this key")
            response = request.program.send(_signed(endpoint, request, forged))
            _assert_problem(response, 401, "invalid-signature", "does not match")
            unknown = replace(request.program.key, key_id="key_nobody")
            response = request.program.send(_signed(endpoint, request, unknown))
            _assert_problem(response, 401, "invalid-signature", "unknown, expired or revoked")


def test_a_nonce_works_once(world: World, subtests: pytest.Subtests) -> None:
    for endpoint in ENDPOINTS:
        with subtests.test(endpoint.name):
            request = endpoint.request(world)
            message = _signed(endpoint, request)
            assert request.program.send(message).status_code == endpoint.status
            _assert_problem(request.program.send(message), 401, "invalid-signature", "nonce was used")


@on_sqlite
def test_an_old_request_is_refused_and_so_is_one_from_the_future(
    world: World, subtests: pytest.Subtests
) -> None:
    for endpoint in ENDPOINTS:
        with subtests.test(endpoint.name):
            request = endpoint.request(world)
            for age in (310, -310):
                response = request.program.send(_signed(endpoint, request, age_seconds=age))
                _assert_problem(response, 401, "invalid-signature", "created")
            assert (
                request.program.send(_signed(endpoint, request, age_seconds=280)).status_code
                == endpoint.status
            )


@on_sqlite
def test_what_was_signed_cannot_be_changed(world: World, subtests: pytest.Subtests) -> None:
    for endpoint in ENDPOINTS:
        with subtests.test(endpoint.name):
            request = endpoint.request(world)
            message = _signed(endpoint, request)
            mark = "&" if "?" in message.url else "?"
            elsewhere = f"/{'nodes' if endpoint.method == 'PATCH' else 'escrow'}/{uuid.uuid4()}"
            elsewhere += "/refund" if endpoint.method == "POST" else ""
            changed = {
                "query": replace(message, url=f"{message.url}{mark}limit=7"),
                "path": replace(message, url=ORIGIN + elsewhere),
                "body": replace(message, body=message.body.replace(b": ", b":  ") or b"{}"),
                "no body": replace(message, body=b"" if message.body else b"[]"),
                "host": replace(message, headers={**message.headers, "Host": "elsewhere.example"}),
            }
            for what, each in changed.items():
                assert request.program.send(each).status_code == 401, what
            # Nothing of it was done, so the true request still works.
            assert request.program.send(message).status_code == endpoint.status


def test_what_belongs_to_others_cannot_be_told_from_what_is_not_there(
    world: World, subtests: pytest.Subtests
) -> None:
    for endpoint in ENDPOINTS:
        with subtests.test(endpoint.name):
            request = endpoint.request(world)
            before = world.balances(world.pair.payer), world.balances(world.pair.provider)
            response = world.foreigner.send(_signed(endpoint, request, world.foreigner.key))
            assert response.status_code == (endpoint.to_strangers or 200)
            assert (world.balances(world.pair.payer), world.balances(world.pair.provider)) == before


@on_sqlite
def test_a_key_without_the_scope_is_refused(world: World, subtests: pytest.Subtests) -> None:
    for endpoint in ENDPOINTS:
        if endpoint.scope is None:
            continue
        with subtests.test(endpoint.name):
            request = endpoint.request(world)
            others = tuple(
                scope.value for scope in Scope if scope not in (endpoint.scope, Scope.FUND_AIRDROP)
            )
            owner = world.pair.provider if request.program is world.provider else world.pair.payer
            program = world.program(owner, others)
            response = program.send(_signed(endpoint, request, program.key))
            _assert_problem(response, 403, "missing-scope", endpoint.scope.value)


@on_sqlite
@pytest.mark.usefixtures("early_in_a_minute")
@pytest.mark.settings(security={"enable_rate_limiting": True, "max_requests_per_minute": 2})
def test_too_many_requests_of_a_key_are_refused(world: World, subtests: pytest.Subtests) -> None:
    for endpoint in ENDPOINTS:
        with subtests.test(endpoint.name):
            request = endpoint.request(world)
            owner = world.pair.provider if request.program is world.provider else world.pair.payer
            program = world.program(owner)
            for _ in range(2):
                assert program.send(_signed(endpoint, request, program.key)).status_code != 429
            response = program.send(_signed(endpoint, request, program.key))
            _assert_problem(response, 429, "rate-limited")
            assert 0 < int(response.headers["Retry-After"]) <= 60
            assert response.headers["X-RateLimit-Limit"] == "2"
            assert response.headers["X-RateLimit-Remaining"] == "0"


@on_sqlite
def test_a_method_that_is_not_there_is_told(world: World) -> None:
    response = Program(world.app, world.payer.key).send(
        sign(world.payer.key, "DELETE", "/community-fund/status")
    )
    _assert_problem(response, 405, "method-not-allowed")
