"""Changes of several threads in one transaction of SQLite, which waits for the disk once for all of them.

SQLite takes one writer at a time, and each commit waits until the disk has it. Whoever comes while another writes
waits for its turn; the first of those who have waited then writes for all of them. Each change still stands by itself:
what is refused of one is undone, and the others go on. Nobody is told of success before the common commit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class RefusedError(Exception):
    """The database refused a change. It changed nothing."""


class Writer(Protocol):
    """A connection that runs a statement without parameters."""

    def say(self, statement: str) -> None: ...


Connection = TypeVar("Connection", bound=Writer)


@dataclass(slots=True)
class _Change(Generic[Connection]):
    work: Callable[[Connection], None]
    is_over: bool = False
    is_committed: bool = False
    error: BaseException | None = None


class GroupCommit(Generic[Connection]):
    """The turns of one process at one database."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._lock = threading.Lock()
        self._waiting: list[_Change[Connection]] = []

    def run(self, connection: Connection, work: Callable[[Connection], None]) -> None:
        """Do `work` on this connection or, together with others, on somebody else's, and commit it.

        Raises what it raises; RefusedError of it undoes it alone. An error of any other kind undoes all of them, and
        each is told.
        """
        change = _Change(work)
        with self._lock:
            self._waiting.append(change)
        with self._turn:
            if not change.is_over:
                with self._lock:
                    changes, self._waiting = self._waiting, []
                _write(connection, changes)
        if change.error is not None:
            raise change.error
        if not change.is_committed:  # whoever was to write it was interrupted before
            raise RefusedError("nobody came to it")


def _write(connection: Connection, changes: list[_Change[Connection]]) -> None:
    try:
        connection.say("BEGIN IMMEDIATE")
        if len(changes) == 1:
            changes[0].work(connection)
        else:
            for change in changes:
                _write_one(connection, change)
        connection.say("COMMIT")
        for change in changes:
            change.is_committed = True
    except BaseException as error:
        for change in changes:
            change.error = error
        connection.say("ROLLBACK")
        raise
    finally:
        for change in changes:
            change.is_over = True


def _write_one(connection: Connection, change: _Change[Connection]) -> None:
    connection.say("SAVEPOINT change")
    try:
        change.work(connection)
    except RefusedError as error:
        change.error = error
        connection.say("ROLLBACK TO change")
    connection.say("RELEASE change")
