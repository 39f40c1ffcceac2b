"""What a signature must cover and say, whoever made it."""

from __future__ import annotations

import base64
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.api.conftest import World
from tests.support.signing import BY_PATH, BY_URI, Message, sign
from webapp.domain.clock import utcnow
from webapp.services.container import Services
from webapp.services.seen_nonces import SeenNonces

pytestmark = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)

LIST = "/escrow/list?limit=2&service_name=a%20b%2Fc"


def _status(world: World, message: Message) -> int:
    return world.payer.send(message).status_code


def _detail(world: World, message: Message) -> str:
    response = world.payer.send(message)
    assert response.status_code == 401
    return str(response.json["detail"])


def test_the_target_may_be_covered_as_a_whole_or_as_path_and_query(world: World) -> None:
    for components in (BY_URI, BY_PATH, ("@method", "@target-uri"), (*BY_PATH, "@authority", "@scheme")):
        assert _status(world, sign(world.payer.key, "GET", LIST, components=components)) == 200
        assert (
            _status(world, sign(world.payer.key, "GET", "/community-fund/status", components=components))
            == 200
        )


def test_a_signature_that_leaves_out_method_or_target_is_refused(world: World) -> None:
    for components in (("@path", "@query"), ("@target-uri",)):
        assert "@method" in _detail(world, sign(world.payer.key, "GET", LIST, components=components))
    for components in (("@method",), ("@method", "@path"), ("@method", "@query"), ("@method", "@authority")):
        for path in (LIST, "/community-fund/status"):
            assert "@target-uri" in _detail(world, sign(world.payer.key, "GET", path, components=components))


def test_more_covered_components_are_fine_as_long_as_they_are_there(world: World) -> None:
    headers = {"Date": "Sat, 31 Jan 2026 12:00:00 GMT", "X-Trace": "abc"}
    message = sign(world.payer.key, "GET", LIST, components=(*BY_URI, "date", "x-trace"), headers=headers)
    assert _status(world, message) == 200
    message = sign(world.payer.key, "GET", LIST, components=(*BY_URI, "date", "x-trace"), headers=headers)
    assert "does not match" in _detail(world, replace(message, headers={**message.headers, "X-Trace": "no"}))
    del message.headers["X-Trace"]
    assert "x-trace" in _detail(world, message)


def test_a_body_needs_a_covered_digest_that_is_its_own(world: World) -> None:
    body = b'{"reason": "Task timeout"}'
    path = f"/escrow/{world.escrow().id}/refund"
    key = world.provider.key
    assert "Content-Digest" in _detail(world, sign(key, "POST", path, body, has_digest=False))
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    uncovered = {"Content-Digest": f"sha-256=:{digest}:"}
    assert "Content-Digest" in _detail(
        world, sign(key, "POST", path, body, has_digest=False, headers=uncovered)
    )
    other = {"Content-Digest": f"sha-256=:{base64.b64encode(hashlib.sha256(b'{}').digest()).decode()}:"}
    covered = (*BY_URI, "content-digest")
    message = sign(key, "POST", path, body, has_digest=False, headers=other, components=covered)
    assert "does not match" in _detail(world, message)
    message = sign(key, "POST", path, body, has_digest=False, headers=uncovered, components=covered)
    assert world.provider.send(message).status_code == 200


def test_a_nonce_is_needed_and_has_a_sensible_length(world: World) -> None:
    assert "nonce" in _detail(world, sign(world.payer.key, "GET", LIST, nonce=None))
    assert "nonce" in _detail(world, sign(world.payer.key, "GET", LIST, nonce="n" * 129))
    assert _status(world, sign(world.payer.key, "GET", LIST, nonce="n" * 128)) == 200


def test_two_keys_may_use_the_same_nonce(world: World) -> None:
    for program in (world.payer, world.provider):
        assert program.send(sign(program.key, "GET", LIST, nonce="same")).status_code == 200


def test_of_many_requests_with_one_nonce_one_gets_through(world: World) -> None:
    message = sign(world.payer.key, "POST", "/escrow/create", json.dumps(world.terms()).encode())
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: _status(world, message), range(16)))
    assert sorted(statuses) == [201] + [401] * 15
    assert world.balances(world.pair.payer) == ("900.00000000", "100.00000000")


def test_a_nonce_that_was_used_is_refused_by_a_process_that_has_not_seen_it(world: World) -> None:
    message = sign(world.payer.key, "GET", LIST)
    assert _status(world, message) == 200
    services: Services = world.app.extensions["duxos"]
    world.app.extensions["duxos"] = replace(services, seen_nonces=SeenNonces())
    for _ in range(2):
        assert "used before" in _detail(world, message)


def test_a_signature_that_says_when_it_ends_ends_then(world: World) -> None:
    now = utcnow()
    assert _status(world, sign(world.payer.key, "GET", LIST, expires=now + timedelta(minutes=1))) == 200
    message = sign(world.payer.key, "GET", LIST, age_seconds=60, expires=now - timedelta(seconds=2))
    assert "expired" in _detail(world, message)


@pytest.mark.parametrize(
    "change",
    [
        {"Signature-Input": "garbage;;"},
        {"Signature-Input": "sig=1"},
        {"Signature-Input": ""},
        {"Signature-Input": 'sig=("@method")'},
        {"Signature-Input": 'sig=("@method");created="1";keyid="key";nonce="n"'},
        {"Signature-Input": 'sig=("@method");created=99999999999999;keyid="key";nonce="n"'},
        {"Signature-Input": 'sig=("@method");created=1;keyid=7;nonce="n"'},
        {"Signature-Input": 'a=("@method");created=1;keyid="k", b=("@method");created=1;keyid="k"'},
        {"Signature": "garbage"},
        {"Signature": "pyhms=:AAAA:"},
        {"Signature": "other=:AAAA:"},
        {"Signature": "pyhms=7"},
        {"Signature": ""},
    ],
)
def test_a_malformed_signature_is_refused_and_nothing_else_happens(
    world: World, change: dict[str, str]
) -> None:
    message = sign(world.payer.key, "GET", LIST)
    assert _status(world, replace(message, headers={**message.headers, **change})) == 401


def test_another_algorithm_is_refused(world: World) -> None:
    message = sign(world.payer.key, "GET", LIST)
    changed = message.headers["Signature-Input"].replace("hmac-sha256", "ed25519")
    assert "algorithm" in _detail(
        world, replace(message, headers={**message.headers, "Signature-Input": changed})
    )


def test_revoked_and_expired_keys_and_those_of_users_who_may_not_log_in_end_at_once(world: World) -> None:
    keys = world.services.signing_keys(world.session)
    program = world.program(world.pair.payer)
    assert program.get(LIST).status_code == 200
    keys.revoke(program.key.key_id, world.pair.payer.actor.wallet_ids)
    assert "revoked" in program.get(LIST).json["detail"]
    rotated = world.program(world.pair.payer)
    keys.rotate(rotated.key.key_id, timedelta(0))
    assert "expired" in rotated.get(LIST).json["detail"]


def test_the_details_of_a_refusal_hold_no_secret(world: World) -> None:
    message = sign(replace(world.payer.key, secret="wrong"), "GET", LIST)
    text = world.payer.send(message).text
    assert world.payer.key.secret not in text
    assert "wrong" not in text


@pytest.mark.settings(security={"trusted_proxies": 1})
def test_behind_a_proxy_the_address_of_the_outside_counts(world: World) -> None:
    message = sign(world.payer.key, "GET", LIST, origin="https://escrow.example")
    proxied = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "escrow.example"}
    assert _status(world, message) == 401
    assert _status(world, replace(message, headers={**message.headers, **proxied})) == 200
