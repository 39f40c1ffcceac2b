"""A real redis-server on a free loopback port that keeps nothing."""

from __future__ import annotations

import signal
import socket

from tests.support.processes import end, free_port, spawn, temporary_folder, wait_until


class RedisServer:
    """`start`, use `url`, `stop`. After `stop` and `start` it is empty, as a cache is after a restart."""

    def __init__(self) -> None:
        self.port = free_port()
        self._folder = temporary_folder("redis")

    @property
    def url(self) -> str:
        """What `rate_limit_storage_url` takes."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> RedisServer:
        """Start and wait until it answers."""
        command = [
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--dir", str(self._folder),
        ]  # fmt: skip
        self._process = spawn(command, log=self._folder / "server.log")
        wait_until(self._answers, "Redis to answer")
        return self

    def emptied(self) -> RedisServer:
        """Forget everything, and start again if it was stopped."""
        if self._process.poll() is not None:
            self.start()
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            assert connection.recv(16).startswith(b"+OK")
        return self

    def stop(self) -> None:
        """End it at once."""
        end(self._process, signal.SIGKILL)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
