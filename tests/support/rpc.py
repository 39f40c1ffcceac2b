"""A JSON-RPC client of the tests' own, so that the product's client is never checked against itself.

One connection per call; numbers with a point are read as `Decimal`.
"""

from __future__ import annotations

import base64
import http.client
import json
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
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    body = json.dumps({"id": 1, "method": method, "params": params}, default=_exact)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_seconds)
    try:
        connection.request("POST", "/", body, {"Authorization": f"Basic {token}"})
        response = connection.getresponse()
        text = response.read()
    except http.client.HTTPException as broken:
        raise ConnectionError(f"{method}: the daemon hung up") from broken
    finally:
        connection.close()
    if not text:
        raise RpcRefusedError(method, response.status, f"HTTP {response.status} without a body")
    answer = json.loads(text, parse_float=Decimal)
    if answer["error"] is not None:
        raise RpcRefusedError(method, answer["error"]["code"], answer["error"]["message"])
    return answer["result"]


def _exact(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} has no place in a call to the daemon")
