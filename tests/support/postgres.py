"""A private PostgreSQL cluster for the tests: never the one that Debian's package makes and starts.

One cluster for a test worker, one database for a test: a template is migrated once and copied, which takes
hundredths of a second. It does not wait for the disk (`fsync=off`); isolation and locks are as a server comes.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from tests.support.processes import end, free_port, spawn, temporary_folder, wait_until

_SETTINGS = (
    "max_connections=200", "shared_buffers=64MB", "listen_addresses=127.0.0.1", "unix_socket_directories=",
)  # fmt: skip
_CARELESS = (
    "fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off",
    "max_wal_size=128MB",  # it may lie in memory
)  # fmt: skip


class PostgresCluster:
    """A server on a free loopback port. It refuses to be root, and is then the `postgres` user.

    `durable` has it wait for the disk at every commit, as one that keeps money does. `settings` are `name=value`.
    """

    def __init__(self, *, durable: bool = False, settings: Sequence[str] = ()) -> None:
        self._settings = (*_SETTINGS, *(() if durable else _CARELESS), *settings)
        self._user = "postgres" if os.geteuid() == 0 else None
        self._folder = temporary_folder("postgres", owner=self._user, is_on_disk=durable)
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self.port = free_port()

    def start(self) -> PostgresCluster:
        """Make the cluster and start it; it answers when this returns."""
        data = self._folder / "data"
        initdb = [
            binary("initdb"), "--pgdata", str(data), "--username=postgres", "--auth=trust", "--no-sync",
            "--encoding=UTF8", "--locale=C",
        ]  # fmt: skip
        made = spawn(initdb, log=self._folder / "initdb.log", user=self._user)
        if made.wait() != 0:
            raise RuntimeError((self._folder / "initdb.log").read_text())
        settings = [part for setting in self._settings for part in ("-c", setting)]
        self._process = spawn(
            [binary("postgres"), "-D", str(data), "-p", str(self.port), *settings],
            log=self._folder / "server.log",
            user=self._user,
            death_signal=signal.SIGQUIT,  # at once, but with its shared memory given back
        )
        wait_until(self._answers, "PostgreSQL's first answer")
        return self

    def stop(self) -> None:
        """End it at once, without caring for its data."""
        if self._process is not None:
            end(self._process, signal.SIGQUIT)

    def url(self, database: str) -> str:
        """SQLAlchemy's address of a database of this cluster."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, template: str = "template0") -> str:
        """Make a database as a copy of `template`, which nobody may be connected to; its name."""
        name = f"test_{next(self._numbers)}"
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self._run(copy.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database, together with connections that are left to it."""
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def end_connections(self, name: str) -> None:
        """Cut every connection to a database, as a restart of the server would. They are gone when this returns."""
        cut = sql.SQL("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = {}")
        self._run(cut.format(sql.Literal(name)))

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            connection.execute(statement)

    @property
    def _conninfo(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres connect_timeout=2"

    def _answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            said = (self._folder / "server.log").read_text()
            raise RuntimeError(f"PostgreSQL did not start: {said[-2000:]}")
        try:
            psycopg.connect(self._conninfo).close()
        except psycopg.OperationalError:
            return False
        return True


def binary(name: str) -> str:
    """The newest installed server's program: Debian keeps them out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    if not found:
        raise RuntimeError("PostgreSQL is not installed: scripts/install-system-packages test")
    return str(found[-1])
