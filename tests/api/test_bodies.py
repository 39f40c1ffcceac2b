"""What a body may be, and which amounts are amounts."""

from __future__ import annotations

import json

import pytest

from tests.api.conftest import ADDRESS, World

pytestmark = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)

NO_AMOUNTS = ["0", "-1", "0.000000001", "1e400", "true", "false", "null", "1" + "0" * 30, "1e30", "-0", "0.0", "[]",
              "{}", "[1]", '"abc"', '""', '" 1"', '"1 "', '"1e2"', '"+1"', '"-1"', '"0"', '"0x10"', '"1,5"', '"NaN"',
              '"Infinity"', '"1.000000000"', '"10000000000.00000001"', '"99999999999999"', '"\\u0661"', '"1\\u0000"',
              "10000000000.1", "1e-9", "123456789.123456789"]  # fmt: skip
AMOUNTS = {"96.0": "96.00000000", "96": "96.00000000", '"96"': "96.00000000", "0.00000001": "0.00000001",
           "1e-8": "0.00000001", "1E2": "100.00000000", '"0.10000000"': "0.10000000", "0.1": "0.10000000",
           "999.99999999": "999.99999999", '"007"': "7.00000000", "1.10": "1.10000000"}  # fmt: skip


def _raw(amount: str, world: World) -> bytes:
    return json.dumps(world.terms(amount="AMOUNT")).replace('"AMOUNT"', amount).encode()


def test_what_is_no_amount_is_refused_and_named(world: World, subtests: pytest.Subtests) -> None:
    for amount in NO_AMOUNTS:
        with subtests.test(amount):
            response = world.payer.post("/escrow/create", _raw(amount, world))
            assert response.status_code == 422, response.text
            assert [error["field"] for error in response.json["errors"]] == ["amount"]
            body = f'{{"address": "{ADDRESS}", "amount": {amount}}}'.encode()
            response = world.payer.post(f"/wallet/{world.pair.payer.wallet_id}/withdraw", body)
            assert response.status_code == 422, response.text
            assert [error["field"] for error in response.json["errors"]] == ["amount"]
    assert world.balances(world.pair.payer) == ("1000.00000000", "0.00000000")


def test_an_amount_may_be_text_or_a_number_and_is_read_exactly(
    world: World, subtests: pytest.Subtests
) -> None:
    for sent, meant in AMOUNTS.items():
        with subtests.test(sent):
            response = world.payer.post("/escrow/create", _raw(sent, world))
            assert response.status_code == 201, response.text
            assert response.json["amount"] == meant
            world.provider.post(f"{response.headers['Location']}/refund", {"reason": "next"})


@pytest.mark.parametrize(
    "body",
    [b"{", b"{]", b"not json", b"{'a': 1}", b'{"a": 1}{"a": 1}', b'{"amount": NaN}', b'{"amount": Infinity}',
     b'{"amount": -Infinity}', b'{"amount": 1, "amount": 2}', b'{"a": {"b": 1, "b": 1}}', b'"\\ud800"',
     b'{"task_id": "\\uD800"}', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000, b"9" * 5000, b'{"a": 01}'],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_malformed_json_is_told_apart_from_wrong_fields(world: World, body: bytes) -> None:
    response = world.payer.post("/escrow/create", body)
    assert (response.status_code, response.json["type"]) == (400, "urn:duxos:problem:bad-request")


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"{\\"amount\\": 1}"', b"true"])
def test_a_body_is_an_object(world: World, body: bytes) -> None:
    response = world.payer.post("/escrow/create", body)
    assert response.status_code == 422
    assert [error["field"] for error in response.json["errors"]] == ["body"]


def test_every_missing_and_every_unknown_field_is_named_at_once(world: World) -> None:
    response = world.payer.post("/escrow/create", {"amount": "1", "colour": "red", "id": 7})
    assert response.status_code == 422
    assert {error["field"] for error in response.json["errors"]} == {
        "payer_wallet_id", "provider_wallet_id", "service_name", "task_id", "colour", "id",
    }  # fmt: skip
    assert {"field": "colour", "message": "there is no such field"} in response.json["errors"]
    response = world.payer.post("/escrow/create")
    assert "amount" in {error["field"] for error in response.json["errors"]}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("payer_wallet_id", True), ("payer_wallet_id", "1"), ("payer_wallet_id", 1.0), ("payer_wallet_id", None),
        ("payer_wallet_id", 0), ("provider_wallet_id", -1), ("provider_wallet_id", 2**31),
        ("provider_wallet_id", 10**30),
        ("provider_wallet_id", 999_999), ("service_name", ""), ("service_name", "a\nb"), ("service_name", "x" * 129),
        ("service_name", 7), ("task_id", None), ("task_id", "\0"), ("metadata", []), ("metadata", "text"),
        ("metadata", {"a": "\0"}), ("metadata", {"\0": "a"}), ("metadata", {"big": "x" * 5000}),
        ("provider_node_id", "no such node"), ("provider_node_id", "\0"), ("verifier_key_id", "key_nobody"),
        ("verifier_key_id", 7), ("expected_result_hash", "ab"), ("expires_at", "yesterday"), ("expires_at", 1),
        ("expires_at", "2020-01-01T00:00:00Z"), ("expires_at", "2027-01-01T00:00:00"),
        ("expires_at", "9999-12-31T23:59:59-12:00"), ("expires_at", "0001-01-01T00:00:00+12:00"), ("expires_at", True),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(world: World, field: str, value: object) -> None:
    response = world.payer.post("/escrow/create", world.terms(**{field: value}))
    assert response.status_code == 422, response.text
    assert [error["field"].partition(".")[0] for error in response.json["errors"]] == [field]


def test_another_media_type_and_a_body_that_is_too_large_are_told(world: World) -> None:
    response = world.payer.post("/escrow/create", world.terms(), headers={"Content-Type": "text/plain"})
    assert (response.status_code, response.json["type"]) == (415, "urn:duxos:problem:unsupported-media-type")
    response = world.payer.post("/escrow/create", world.terms(metadata={"x": "y" * 300_000}))
    assert (response.status_code, response.json["type"]) == (413, "urn:duxos:problem:too-large")
