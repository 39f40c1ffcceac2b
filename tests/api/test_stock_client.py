"""A stock client over a real socket: `requests` with `requests-http-signature`, nothing of ours in between."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
import requests
from flask import Flask
from requests_http_signature import HTTPSignatureAuth, algorithms

from tests.api.conftest import ADDRESS, World
from tests.support.arrivals import stock_addresses
from tests.support.people import RESULT_HASH
from tests.support.serving import serving
from webapp.domain.canonical import sign_result
from webapp.domain.money import Amount
from webapp.services.signing_keys import IssuedKey

COVERED = (("@method", "@authority", "@target-uri"), ("@method", "@path", "@query"))


@pytest.fixture
def server(app: Flask) -> Iterator[str]:
    """The application behind a socket; its address."""
    with serving(app) as address:
        yield address


def _client(key: IssuedKey, covered: tuple[str, ...] = COVERED[0]) -> requests.Session:
    session = requests.Session()
    session.auth = HTTPSignatureAuth(
        signature_algorithm=algorithms.HMAC_SHA256,
        key=key.secret.encode(),
        key_id=key.key_id,
        use_nonce=True,
        covered_component_ids=covered,
    )
    return session


@pytest.mark.parametrize("covered", COVERED)
def test_a_stock_client_gets_through_from_escrow_to_payout(
    world: World, server: str, covered: tuple[str, ...]
) -> None:
    with _client(world.payer.key, covered) as payer, _client(world.provider.key, covered) as provider:
        created = payer.post(
            f"{server}/escrow/create", json=world.terms(amount=100.0), headers={"Idempotency-Key": "first"}
        )
        assert created.status_code == 201, created.text
        assert "date" in created.request.headers["Signature-Input"]
        escrow = created.json()
        shown = provider.get(server + created.headers["Location"])
        assert shown.json()["amount"] == "100.00000000"
        listed = provider.get(
            f"{server}/escrow/list", params={"limit": 1, "service_name": "image_upscaler_v1"}
        )
        assert [item["id"] for item in listed.json()["items"]] == [escrow["id"]]
        assert (
            provider.get(f"{server}/escrow/list", params={"service_name": "a b/ü&c=d"}).json()["items"] == []
        )

        signature = sign_result(
            world.pair.key.secret, uuid.UUID(escrow["id"]), Amount.parse("100"), RESULT_HASH
        )
        result = {"result_hash": RESULT_HASH, "provider_signature": signature}
        assert provider.post(f"{server}/escrow/{escrow['id']}/deliver", json=result).status_code == 200
        released = payer.post(f"{server}/escrow/{escrow['id']}/release")
        assert released.json()["status"] == "released", released.text

        wallet_id = world.pair.provider.wallet_id
        assert provider.get(f"{server}/wallet/{wallet_id}").json()["available"] == "95.00000000"
        withdrawn = provider.post(
            f"{server}/wallet/{wallet_id}/withdraw", json={"address": ADDRESS, "amount": "95"}
        )
        assert provider.get(server + withdrawn.headers["Location"]).json()["gross"] == "95.00000000"


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_stock_client_asks_for_an_address_to_pay_to(world: World, server: str) -> None:
    stock_addresses(world.session)
    terms = world.terms(amount=12.5, funding="deposit", refund_address=ADDRESS)
    with _client(world.payer.key) as payer:
        created = payer.post(f"{server}/escrow/create", json=terms)
        assert created.status_code == 201, created.text
        escrow = created.json()
        assert escrow["payment_uri"].startswith(
            f"flopcoin:{escrow['deposit_address']}?amount=12.50000000&label="
        )
        listed = payer.get(f"{server}/escrow/list", params={"status": "pending"}).json()["items"]
        assert [item["id"] for item in listed] == [escrow["id"]]
        cancelled = payer.post(f"{server}/escrow/{escrow['id']}/refund", json={"reason": "not now"})
        assert cancelled.json()["status"] == "refunded"


def test_a_stock_client_without_nonces_or_with_another_secret_is_told_why(world: World, server: str) -> None:
    with _client(world.payer.key) as client:
        client.auth.use_nonce = False
        response = client.get(f"{server}/escrow/list")
        assert (response.status_code, "nonce" in response.json()["detail"]) == (401, True)
    with _client(IssuedKey(world.payer.key.key_id, "wrong", ())) as client:
        response = client.get(f"{server}/escrow/list")
        assert (response.status_code, "does not match" in response.json()["detail"]) == (401, True)
