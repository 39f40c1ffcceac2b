"""Waiting until somebody has committed something, on a connection that holds no transaction meanwhile."""

from __future__ import annotations

import time
from typing import Any, Protocol, cast

from sqlalchemy import Connection, Engine, NullPool, create_engine

from webapp.config import Settings
from webapp.extensions import prepare_engine
from webapp.services.database import engine_options
from webapp.services.live.announce import CHANNEL, GATHER_SECONDS

SQLITE_LOOK_SECONDS = 0.15


class Wake(Protocol):
    """`wait` returns true when there may be news, and false after `timeout_seconds` without."""

    def wait(self, timeout_seconds: float) -> bool: ...


class SqliteWake:
    """Looks at the version of the file, which changes with every commit of another connection, in any process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._version = self._look()

    def wait(self, timeout_seconds: float) -> bool:
        """Look again and again."""
        deadline = time.monotonic() + timeout_seconds
        while (version := self._look()) == self._version:
            if time.monotonic() >= deadline:
                return False
            time.sleep(SQLITE_LOOK_SECONDS)
        self._version = version
        return True

    def _look(self) -> int:
        with self._connection.begin():
            return int(self._connection.exec_driver_sql("PRAGMA data_version").scalar_one())


class PostgresWake:
    """Listens on the channel of `announce`.

    Whoever said a word just before is silent for a moment, so the first answer is that there may be news.
    """

    def __init__(self, connection: Connection) -> None:
        self._driver = cast("Any", connection.connection.driver_connection)
        self._is_first = True
        with connection.begin():
            connection.exec_driver_sql(f"LISTEN {CHANNEL}")

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for a word, and a little longer: several are one."""
        is_first, self._is_first = self._is_first, False
        if not is_first and not list(self._driver.notifies(timeout=timeout_seconds, stop_after=1)):
            return False
        time.sleep(GATHER_SECONDS)
        list(self._driver.notifies(timeout=0))
        return True


def make_engine(settings: Settings) -> Engine:
    """An engine whose connections are nobody else's, and in a transaction only while they say so."""
    options = engine_options(settings)
    kept = {name: options[name] for name in ("hide_parameters", "connect_args") if name in options}
    return prepare_engine(
        create_engine(settings.database_url, poolclass=NullPool, isolation_level="AUTOCOMMIT", **kept)
    )


def wake_on(connection: Connection) -> Wake:
    """What waits for news of the connection's database."""
    return PostgresWake(connection) if connection.dialect.name == "postgresql" else SqliteWake(connection)
