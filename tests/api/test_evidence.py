"""Evidence and case files over JSON, with a stock client over a real socket."""

from __future__ import annotations

import base64
import io
import secrets

import pytest
import requests
from flask import Flask
from requests_http_signature import HTTPSignatureAuth, algorithms

from tests.api.conftest import World
from tests.support.serving import serving
from webapp.domain.case_file.verification import verify
from webapp.services.signing_keys import IssuedKey

LARGEST = 400_000
pytestmark = [
    pytest.mark.parametrize("databases", ["sqlite"], indirect=True),
    pytest.mark.settings(evidence={"max_file_bytes": LARGEST}),
]


def client(key: IssuedKey) -> requests.Session:
    session = requests.Session()
    session.auth = HTTPSignatureAuth(
        signature_algorithm=algorithms.HMAC_SHA256, key=key.secret.encode(), key_id=key.key_id, use_nonce=True
    )
    return session


def disputed(world: World) -> str:
    escrow = world.escrow("10")
    world.services.disputes(world.session, world.pair.payer.actor).open(escrow.id, "It is too small")
    return f"/escrow/{escrow.id}"


def test_a_large_file_goes_in_once_and_comes_out_as_it_was_and_the_case_file_is_genuine(
    world: World, app: Flask
) -> None:
    data = secrets.token_hex(LARGEST // 2).encode()
    path = disputed(world)
    file = {"name": "../log\r\n.txt", "content": base64.b64encode(data).decode()}
    body = {"text": "The log of my own run", "file": file}
    with serving(app) as server, client(world.payer.key) as payer, client(world.provider.key) as provider:
        once = {"Idempotency-Key": "once"}
        answers = [payer.post(f"{server}{path}/evidence", json=body, headers=once) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert answers[0].json() == answers[1].json()
        assert answers[1].headers["Idempotent-Replayed"] == "true"
        (item,) = provider.get(f"{server}{path}/evidence").json()["items"]
        assert item["file"]["name"] == "log.txt"
        assert item["file"]["size"] == len(data)
        found = provider.get(f"{server}{path}/evidence/1")
        assert found.content == data
        assert found.headers["Content-Disposition"] == "attachment; filename=log.txt"
        assert found.headers["Content-Type"] == "text/plain; charset=utf-8"
        case = provider.get(f"{server}{path}/case-file").content
    verdict = verify(io.BytesIO(case))
    assert verdict.is_good, verdict.lines
    folder = world.services.settings.evidence_folder
    assert len(list(folder.iterdir())) == 1, "the second request left a file behind"


def test_what_is_wrong_is_told_by_its_field(world: World) -> None:
    path = f"{disputed(world)}/evidence"
    too_much = base64.b64encode(bytes(LARGEST + 1)).decode()
    for body, field in (
        ({}, "text"),
        ({"text": "a\u202eb"}, "text"),
        ({"file": {"content": "no base64!"}}, "file"),
        ({"file": {"content": too_much}}, "file"),
        ({"file": {"content": base64.b64encode(b"<svg/>").decode(), "name": "a.png"}}, "file"),
        ({"file": {"content": "", "media_type": "text/html"}}, "file.media_type"),
        ({"text": "x", "side": "provider"}, "side"),
    ):
        response = world.payer.post(path, body)
        assert response.status_code == 422, body.keys()
        assert [error["field"] for error in response.json["errors"]] == [field]
    assert world.payer.post(path, {"text": "x", "file": {"content": too_much * 2}}).status_code == 413
    assert world.foreigner.post(path, {"text": "Me, too"}).status_code == 404
    assert world.payer.get(f"{path}/1").status_code == 404
