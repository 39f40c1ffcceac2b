"""The benchmark's client: what it signs is a signature for everybody else, too, and it believes no half answer."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from http_message_signatures import HTTPMessageVerifier, InvalidSignature, MappingKeyResolver, algorithms
from sqlalchemy.orm import Session

from bench import people
from bench.connection import HttpConnection
from bench.mixes import order, result
from bench.signed_client import Request, SignedClient
from tests.support.signing import Message
from webapp.config import Settings

HEAD = b"HTTP/1.1 201 Created\r\nserver: any\r\nContent-Length: 12\r\n\r\n"
Play = Callable[[list[bytes]], HttpConnection]


def message_of(request: Request) -> Message:
    return Message(request.method, f"http://localhost:8000{request.path}", request.headers, request.content)


def test_the_library_accepts_what_the_client_signs_and_nothing_that_was_changed() -> None:
    client = SignedClient("localhost", 8000, "key-1", "a secret of a program")
    requests = [client.sign("/escrow/create?a=b%20c", {"amount": "1"}, f"order-{n}") for n in range(3)]
    keys = MappingKeyResolver(public_keys={"key-1": b"a secret of a program"}, private_keys={})
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=keys)

    nonces = set()
    for request in requests:
        message = message_of(request)
        (verified,) = verifier.verify(message)
        verifier.verify_body(message, [verified], request.content)
        assert {'"@method"', '"@target-uri"', '"content-digest"'} <= verified.covered_components.keys()
        nonces.add(verified.parameters["nonce"])
    assert len(nonces) == len(requests)

    message.url += "d"
    with pytest.raises(InvalidSignature):
        verifier.verify(message)


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_the_site_does_a_lifecycle_that_the_client_signs(
    app: Flask, session: Session, settings: Settings
) -> None:
    (pair, _) = people.pairs(people.settle(session, settings, 2))
    payer = SignedClient("localhost", 8000, pair.payer.key.key_id, pair.payer.key.secret)

    def ask(request: Request) -> dict[str, str]:
        answer = app.test_client().open(
            request.path,
            method=request.method,
            base_url="http://localhost:8000",
            headers=request.headers,
            data=request.content,
        )
        assert answer.status_code < 300, answer.text
        body: dict[str, str] = answer.json
        return body

    escrow = ask(payer.sign("/escrow/create", order(pair, random.Random(1)), "order-1"))
    released = ask(payer.sign(f"/escrow/{escrow['id']}/release", result(pair, escrow), "release-1"))
    assert released["status"] == "released"


@pytest.fixture
def play() -> Iterator[Play]:
    """A server that answers a request with these pieces and closes the connection."""
    listening = socket.create_server(("127.0.0.1", 0))
    threads = []

    def serve(pieces: list[bytes]) -> None:
        connected, _ = listening.accept()
        with connected:
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            assert connected.recv(100) == b"GET / HTTP/1.1\r\n\r\n"
            for piece in pieces:
                connected.sendall(piece)

    def playing(pieces: list[bytes]) -> HttpConnection:
        threads.append(threading.Thread(target=serve, args=[pieces]))
        threads[-1].start()
        return HttpConnection(*listening.getsockname())

    yield playing
    for thread in threads:
        thread.join()
    listening.close()


def test_an_answer_may_come_in_any_pieces(play: Play) -> None:
    whole = HEAD + b'{"a": "b c"}'
    for pieces in ([whole], [whole[:20], whole[20:-5], whole[-5:]], [HEAD, b'{"a": "b c"}']):
        connection = play(pieces)
        answer = connection.ask(b"GET / HTTP/1.1\r\n\r\n")
        assert (answer.status, answer.body) == (201, {"a": "b c"})
        connection.close()


@pytest.mark.parametrize(
    ("pieces", "objection"),
    [
        ([HEAD, b"{}"], "before the answer was whole"),
        ([HEAD, b'{"a": "b c"}{}'], "more came"),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"], "without a length"),
        ([b"ICY 200 OK\r\nContent-Length: 0\r\n\r\n"], "without a length"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"], "no JSON"),
    ],
)
def test_what_is_no_whole_answer_is_an_error(play: Play, pieces: list[bytes], objection: str) -> None:
    connection = play(pieces)
    with pytest.raises(RuntimeError, match=objection):
        _ = connection.ask(b"GET / HTTP/1.1\r\n\r\n").body
    connection.close()
