"""Connections to the daemon, handed out to one thread at a time. Knows nothing of what is said on them.

At most `pool_size` are out or idle together: a 0.14 daemon has four RPC threads and a queue of sixteen, and
refuses what is beyond. `generation` grows whenever a connection was lost, so that what was learned about the
daemon can be asked again: another program may be answering there by then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from webapp.domain.exceptions import RpcOverloadedError
from webapp.services.daemon.rpc_connection import RpcConnection, RpcEndpoint

LONGEST_WAIT_SECONDS = 10.0


class RpcPool:
    """Thread-safe. A connection that comes back closed or with an answer outstanding is dropped."""

    def __init__(self, endpoint: RpcEndpoint) -> None:
        self._endpoint = endpoint
        self._slots = BoundedSemaphore(max(1, endpoint.pool_size))
        self._wait_seconds = min(endpoint.timeout, LONGEST_WAIT_SECONDS)
        self._lock = Lock()
        self._idle: list[RpcConnection] = []
        self.generation = 0

    @contextmanager
    def checkout(self, *, fresh: bool = False) -> Iterator[RpcConnection]:
        """A connection for this block alone; one that was never used if `fresh`.

        It may not be connected yet. Raises RpcOverloadedError when all are busy for too long.
        """
        if not self._slots.acquire(timeout=self._wait_seconds):
            raise RpcOverloadedError(
                f"All {self._endpoint.pool_size} connections to the coin daemon have been busy for "
                f"{self._wait_seconds:g} seconds. Nothing was asked; try again, or raise rpc.pool_size."
            )
        try:
            connection = self._take(fresh)
            try:
                yield connection
            finally:
                self._give_back(connection)
        finally:
            self._slots.release()

    def lost(self) -> None:
        """Note that contact was lost: everything idle is dropped, the generation grows."""
        with self._lock:
            self.generation += 1
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def close(self) -> None:
        """Hang up what is idle. The pool stays usable."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self, fresh: bool) -> RpcConnection:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            return RpcConnection(self._endpoint)
        if connection.is_stale():
            connection.close()
            self.lost()
            return RpcConnection(self._endpoint)
        if fresh:
            connection.close()
            return RpcConnection(self._endpoint)
        return connection

    def _give_back(self, connection: RpcConnection) -> None:
        if connection.is_reusable:
            with self._lock:
                self._idle.append(connection)
        else:
            connection.close()
