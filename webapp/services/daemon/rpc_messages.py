"""Questions and answers of JSON-RPC. Every question has a number, and only an answer with that number is its answer.

An answer can come twice, or late on a connection that is used again, or be another caller's when something between us
and the daemon mixes them up. python-bitcoinrpc does not look at the numbers of answers and may give two threads the
same one, so the questions are put here; of the library remain the reading of an answer, and its exception.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Any

from bitcoinrpc.authproxy import AuthServiceProxy, JSONRPCException

from webapp.services.daemon.rpc_connection import RpcConnection

# The library wants a host with credentials; the connection has the real ones.
_URL = "http://unused:unused@unused"
_HEADERS = {"Content-Type": "application/json", "User-Agent": "duxos-escrow"}
# JSON numbers above this lose their last digits in some readers.
_NUMBER_BITS = 53


class WrongAnswerError(ValueError):
    """The answer to another question, or to none."""


def ask(connection: RpcConnection, method: str, params: Sequence[Any]) -> Any:
    """The result of one call.

    Raises JSONRPCException for an error that the daemon answered, for an answer that is not JSON and for one without a
    result (codes -342 and -343), WrongAnswerError, OSError or HTTPException, and ValueError, KeyError, TypeError,
    AttributeError or RecursionError for what cannot be read.
    """
    question = _question(method, params)
    reply = _exchange(connection, question)
    _check_number(question, reply)
    if reply.get("error") is not None:
        raise JSONRPCException(reply["error"])
    if "result" not in reply:
        raise JSONRPCException({"code": -343, "message": "missing JSON-RPC result"})
    return reply["result"]


def ask_all(connection: RpcConnection, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[dict[str, Any]]:
    """The replies to many calls in one exchange, in their order, each a `result` or an `error`. Raises as `ask`."""
    questions = [_question(method, params) for method, params in calls]
    replies: list[dict[str, Any]] = _exchange(connection, questions)
    if not isinstance(replies, list) or len(replies) != len(questions):
        raise ValueError("as many answers as calls were expected")
    for question, reply in zip(questions, replies, strict=True):
        _check_number(question, reply)
    return replies


def _question(method: str, params: Sequence[Any]) -> dict[str, Any]:
    number = secrets.randbits(_NUMBER_BITS)
    return {"version": "1.1", "method": method, "params": list(params), "id": number}


def _exchange(connection: RpcConnection, questions: Any) -> Any:
    connection.request("POST", "/", json.dumps(questions), _HEADERS)
    return AuthServiceProxy(_URL, connection=connection)._get_response()


def _check_number(question: dict[str, Any], reply: dict[str, Any]) -> None:
    if reply.get("id") != question["id"]:
        raise WrongAnswerError("the answer bears another number")
