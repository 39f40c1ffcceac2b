"""A JSON-RPC client of the tests' own, so that the product's client is never checked against itself.

One connection per call; numbers with a point are read as `Decimal`.
"""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any


class RpcRefusedError(Exception):
    """The daemon answered with an error object; `code` and `message` are its own words."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method}: {code} {message}")
        self.code = code
        self.message = message


def call(
    port: int, user: str, password: str, method: str, params: tuple[Any, ...], timeout_seconds: float = 60
) -> Any:
    """The `result` of one call on the loopback.

    Raises `RpcRefusedError` when the daemon says no, and `OSError` when it is not there or hangs up. A `Decimal` among
    the parameters is sent as a string, which daemons of this family read exactly.
    """
    return _result(method, _post(port, user, password, method, _asked(method, params), timeout_seconds))


def call_in_turn(
    port: int, user: str, password: str, calls: Sequence[tuple[Any, ...]], timeout_seconds: float = 60
) -> list[Any]:
    """The `result` of each of some calls, (method, *parameters), which the daemon carries out one after the other.

    They travel together, which is most of what a small call costs. Raises as `call` does, after all were carried out.
    """
    names = ", ".join(method for method, *_ in calls)
    asked = [_asked(method, params) for method, *params in calls]
    answers = _post(port, user, password, names, asked, timeout_seconds)
    if isinstance(answers, dict):
        return [_result(names, answers)]  # it refused all of them with one answer
    return [_result(method, answer) for (method, *_), answer in zip(calls, answers, strict=True)]


def _asked(method: str, params: Sequence[Any]) -> dict[str, Any]:
    return {"id": 1, "method": method, "params": params}


def _post(port: int, user: str, password: str, what: str, body: object, timeout_seconds: float) -> Any:
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)
    try:
        content = json.dumps(body, default=_exact)
        connection.request("POST", "/", content, {"Authorization": f"Basic {token}"})
        response = connection.getresponse()
        text = response.read()
    except http.client.HTTPException as broken:
        raise ConnectionError(f"{what}: the daemon hung up") from broken
    finally:
        connection.close()
    if not text:
        raise RpcRefusedError(what, response.status, f"HTTP {response.status} without a body")
    return json.loads(text, parse_float=Decimal)


def _result(method: str, answer: dict[str, Any]) -> Any:
    if answer["error"] is not None:
        raise RpcRefusedError(method, answer["error"]["code"], answer["error"]["message"])
    return answer["result"]


def _exact(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} has no place in a call to the daemon")
