"""The only JSON-RPC in the code: python-bitcoinrpc behind a pool, with errors of the `exceptions` family.

`read` may be repeated without harm and is, for ten seconds at most and not after a time-out. `change` is sent
once, on a new connection, and ends in one of three ways:

* it returns: the daemon did it;
* it raises RpcRefusedError, RpcAuthenticationError or RpcUnavailableError (with their children): the daemon
  did not do it;
* it raises RpcUnknownOutcomeError: the call was sent, and the answer was lost, cut, unreadable, another call's, or an
  accident in the middle of the work.

Nothing of python-bitcoinrpc or http.client escapes. Parameters never appear in a message: they may be secret.
"""

from __future__ import annotations

import logging
import time
import weakref
from collections.abc import Callable, Sequence
from decimal import Decimal
from http.client import HTTPException
from typing import Any, NoReturn

from bitcoinrpc.authproxy import JSONRPCException

from webapp.domain.exceptions import (
    RpcRefusedError,
    RpcUnavailableError,
    RpcUnknownOutcomeError,
    WalletIntegrationError,
)
from webapp.domain.money import Amount
from webapp.domain.said import said
from webapp.services.daemon.circuit_breaker import CircuitBreaker
from webapp.services.daemon.rpc_connection import RpcConnection, RpcEndpoint, RpcSettings
from webapp.services.daemon.rpc_errors import first_line, http_refusal, is_accident, refusal
from webapp.services.daemon.rpc_messages import WrongAnswerError, ask, ask_all
from webapp.services.daemon.rpc_pool import RpcPool

# At DEBUG it writes every parameter, passphrases and private keys included.
logging.getLogger("BitcoinRPC").setLevel(logging.WARNING)

_FIRST_PAUSE_SECONDS = 0.05
_RETRY_SECONDS = 10.0
# What reading raises on bodies that are no JSON-RPC answer, besides the library's own exception.
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, RecursionError)

Invoke = Callable[[RpcConnection], Any]


class _AnswerLost(Exception):
    """The call was sent, and what became of it is not known. The text says what was seen instead."""


class WalletRpc:
    """Calls to one daemon. Thread-safe; pages, commands and the worker share one."""

    def __init__(self, settings: RpcSettings, *, circuit: CircuitBreaker | None = None) -> None:
        self.endpoint = RpcEndpoint.of(settings)
        self._pool = RpcPool(self.endpoint)
        self._circuit = circuit or CircuitBreaker()
        # Whoever forgets `close` leaves no sockets behind.
        weakref.finalize(self, self._pool.close)

    @property
    def generation(self) -> int:
        """Grows whenever contact was lost: what was learned about the daemon before may not hold."""
        return self._pool.generation

    def read(self, method: str, *params: Any) -> Any:
        """The result of a call that changes nothing. Numbers with a point are Decimal.

        Raises RpcRefusedError, RpcAuthenticationError, or RpcUnavailableError once `retry_attempts` more
        tries are used up.
        """
        return self._read(self._call(method, params), method)

    def batch_read(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any | RpcRefusedError]:
        """The results of many reads in one exchange, in order. A refused one is returned, not raised."""
        if not calls:
            return []
        results: list[Any | RpcRefusedError] = self._read(self._batch(calls), calls[0][0])
        return results

    def change(self, method: str, *params: Any) -> Any:
        """The result of a call that changes something. Never repeated; see the module for its three ends."""
        try:
            return self._exchange(self._call(method, params), method, fresh=True)
        except _AnswerLost as lost:
            raise RpcUnknownOutcomeError(
                said(
                    "The coin daemon at {endpoint} was asked for {method} and {lost}. It may or may not "
                    "have done it; look before asking again.",
                    endpoint=self.endpoint,
                    method=method,
                    lost=lost,
                )
            ) from lost

    def close(self) -> None:
        """Hang up idle connections. Later calls open new ones."""
        self._pool.close()

    def _read(self, invoke: Invoke, method: str) -> Any:
        give_up_at = time.monotonic() + _RETRY_SECONDS
        pause = _FIRST_PAUSE_SECONDS
        for attempt in range(self.endpoint.retry_attempts + 1):
            is_last = attempt >= self.endpoint.retry_attempts
            try:
                return self._exchange(invoke, method, fresh=attempt > 0)
            except (RpcUnavailableError, _AnswerLost) as error:
                if is_last or self._circuit.is_open or time.monotonic() + pause > give_up_at:
                    raise self._unavailable(error) from error
            time.sleep(pause)
            pause *= 2
        raise AssertionError("the last attempt returns or raises")

    def _unavailable(self, error: RpcUnavailableError | _AnswerLost) -> RpcUnavailableError:
        if isinstance(error, RpcUnavailableError):
            return error
        return RpcUnavailableError(
            said(
                "The coin daemon at {endpoint} {error}. Check that rpc.host and rpc.port name the "
                "daemon, and what its debug.log says.",
                endpoint=self.endpoint,
                error=error,
            )
        )

    def _exchange(self, invoke: Invoke, method: str, *, fresh: bool) -> Any:
        """One attempt. Raises _AnswerLost when the call may have been carried out."""
        if not self._circuit.may_try():
            raise RpcUnavailableError(
                said(
                    "The coin daemon at {endpoint} did not answer a moment ago and is left alone for a "
                    "few seconds. Check that it is running.",
                    endpoint=self.endpoint,
                )
            )
        with self._pool.checkout(fresh=fresh) as connection:
            self._connect(connection)
            try:
                result = invoke(connection)
            except JSONRPCException as error:
                self._circuit.answered()
                self._raise_refusal(error, connection, method)
            except (WalletIntegrationError, _AnswerLost):  # of one call in a batch
                self._circuit.answered()
                raise
            except (OSError, HTTPException) as error:
                raise self._lost(connection, error) from error
            except WrongAnswerError as error:
                # Whatever mixes up answers may have done so on the idle connections too.
                self._circuit.answered()
                connection.close()
                self._pool.lost()
                raise _AnswerLost("gave an answer that belongs to another call") from error
            except _MALFORMED as error:
                self._circuit.answered()
                connection.close()
                raise _AnswerLost(f"answered something unreadable{_status(connection)}") from error
            self._circuit.answered()
            return result

    def _connect(self, connection: RpcConnection) -> None:
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            self._pool.lost()
            self._circuit.failed(conclusive=isinstance(error, TimeoutError))
            raise RpcUnavailableError(
                said(
                    "The coin daemon at {endpoint} is out of reach ({value}). Check that it is running "
                    "and that rpc.host and rpc.port are right.",
                    endpoint=self.endpoint,
                    value=error.strerror or error,
                )
            ) from error

    def _lost(self, connection: RpcConnection, error: OSError | HTTPException) -> _AnswerLost:
        connection.close()
        self._pool.lost()
        is_timeout = isinstance(error, TimeoutError)
        self._circuit.failed(conclusive=is_timeout)
        if is_timeout:
            return _AnswerLost(f"did not answer within {self.endpoint.timeout:g} seconds")
        return _AnswerLost("hung up before its answer was complete")

    def _raise_refusal(self, error: JSONRPCException, connection: RpcConnection, method: str) -> NoReturn:
        answer = connection.answer
        if answer is not None and answer.media_type != "application/json":
            connection.close()
            self._pool.lost()
            lost = _AnswerLost(f"answered something that is not JSON{_status(connection)}")
            raise http_refusal(answer, self.endpoint) or lost from error
        if not isinstance(error.code, int) or error.code == -343:
            connection.close()
            raise _AnswerLost(f"answered without a result{_status(connection)}") from error
        raise self._refusal(error.code, str(error.message), method) from error

    def _call(self, method: str, params: Sequence[Any]) -> Invoke:
        plain = [_plain(param) for param in params]
        return lambda connection: ask(connection, method, plain)

    def _batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> Invoke:
        plain = [(method, [_plain(param) for param in params]) for method, params in calls]

        def invoke(connection: RpcConnection) -> list[Any | RpcRefusedError]:
            replies = ask_all(connection, plain)
            return [self._reply(reply, method) for reply, (method, _) in zip(replies, plain, strict=True)]

        return invoke

    def _reply(self, reply: dict[str, Any], method: str) -> Any | RpcRefusedError:
        if reply.get("error") is None:
            return reply["result"]
        error = self._refusal(int(reply["error"]["code"]), str(reply["error"]["message"]), method)
        if isinstance(error, RpcRefusedError):
            return error
        raise error

    def _refusal(self, code: int, message: str, method: str) -> WalletIntegrationError | _AnswerLost:
        if is_accident(code, message, method):
            return _AnswerLost(f"stumbled over it: {first_line(message)} (code {code})")
        return refusal(code, message, method, self.endpoint)


def _status(connection: RpcConnection) -> str:
    return f" (HTTP {connection.answer.status})" if connection.answer is not None else ""


def _plain(value: Any) -> Any:
    """The parameter as JSON can carry it exactly: amounts and decimals as text, no floats."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Amount):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} cannot be a parameter of a daemon call")
