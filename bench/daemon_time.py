"""What a task of the worker takes by itself, without the time in which it waits for the coin daemon.

The daemon's clock runs from the first byte of a question to the last byte of its answer. To put the question into
words, and to read the answer, is our own work.
"""

from __future__ import annotations

import cProfile
import os
import pstats
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import astuple, dataclass
from typing import Any

from sqlalchemy import Engine, event

from bench import meters
from webapp.services.daemon import rpc_pool
from webapp.services.daemon.rpc_connection import HttpAnswer, RpcConnection


@dataclass(slots=True)
class Took:
    """Seconds: in all, waiting for the daemon, of our processor and of the database's. Statements that were sent."""

    wall: float = 0.0
    daemon: float = 0.0
    processor: float = 0.0
    database: float = 0.0
    statements: int = 0
    commits: int = 0

    @property
    def own(self) -> float:
        """In all, but for the daemon."""
        return self.wall - self.daemon

    def __add__(self, other: Took) -> Took:
        return Took(*(one + another for one, another in zip(astuple(self), astuple(other), strict=True)))


class TimedConnection(RpcConnection):
    """A connection that adds up what the daemon takes, of all connections of the process."""

    seconds = 0.0

    def request(self, method: str, path: str, body: str, headers: Mapping[str, str]) -> None:
        """As it is, and timed."""
        began = time.perf_counter()
        super().request(method, path, body, headers)
        TimedConnection.seconds += time.perf_counter() - began

    def getresponse(self) -> HttpAnswer:
        """As it is, and timed."""
        began = time.perf_counter()
        answer = super().getresponse()
        TimedConnection.seconds += time.perf_counter() - began
        return answer


@contextmanager
def timed_daemons() -> Iterator[None]:
    """Have every connection to a daemon that is opened in this block timed."""
    pool: Any = rpc_pool
    usual, pool.RpcConnection = pool.RpcConnection, TimedConnection
    try:
        yield
    finally:
        pool.RpcConnection = usual


@contextmanager
def spending(engine: Engine) -> Iterator[Took]:
    """Measure what is done in this block with the engine and with timed daemons; the figures are there at its end."""
    spent = Took()

    def count_statement(*_: object) -> None:
        spent.statements += 1

    def count_commit(_: object) -> None:
        spent.commits += 1

    event.listen(engine, "before_cursor_execute", count_statement)
    event.listen(engine, "commit", count_commit)
    database, waited, processor = _database_seconds(), TimedConnection.seconds, sum(os.times()[:2])
    began = time.perf_counter()
    try:
        yield spent
    finally:
        spent.wall = time.perf_counter() - began
        spent.processor = sum(os.times()[:2]) - processor
        spent.daemon = TimedConnection.seconds - waited
        spent.database = _database_seconds() - database
        event.remove(engine, "before_cursor_execute", count_statement)
        event.remove(engine, "commit", count_commit)


@contextmanager
def profiled(top: int) -> Iterator[None]:
    """Print the `top` functions of what is done in this block; nothing is profiled for none."""
    profile = cProfile.Profile()
    with profile if top else nullcontext():
        yield
    if top:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(top)


def _database_seconds() -> float:
    return meters.spent(os.getpid()).database
