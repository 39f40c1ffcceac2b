"""The service under test: an instance of its own, served as the README serves it in production."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from tests.support.instances import Sections, write_config
from tests.support.processes import end, free_port, spawn, wait_until
from webapp import create_app
from webapp.config import Settings, load_config
from webapp.ledger.integrity import Gap, check_books
from webapp.schema import create_if_missing
from webapp.services.container import Services
from webapp.services.database import Session
from webapp.services.reconciliation import full_check

THREADS = 8
PATIENCE_SECONDS = 90


class Instance:
    """Settings, and the server process."""

    def __init__(
        self, folder: Path, database_url: str, redis_url: str = "memory://", sections: Sections | None = None
    ) -> None:
        loud: Sections = {
            "database": {"url": database_url},
            "security": {
                "enable_rate_limiting": True,
                "max_requests_per_minute": 10_000_000,
                "max_batched_operations_per_minute": 1_000_000_000,
                "rate_limit_storage_url": redis_url,
            },
        }
        self.settings: Settings = load_config(write_config(folder, loud, sections or {}))
        self.port = free_port()
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The first of the server's processes."""
        assert self._server is not None, "it was started"
        return self._server.pid

    def make_schema(self) -> None:
        """Make the tables, as the first use would."""
        create_if_missing(create_app(self.settings))

    def start(self, workers: int, threads: int = THREADS) -> None:
        """Start the server and wait for its first answer."""
        folder = self.settings.instance_path
        granian = Path(sys.executable).with_name("granian")
        where = ["--host", "127.0.0.1", "--port", str(self.port), "--log-level", "error"]
        size = ["--workers", str(workers), "--blocking-threads", str(threads)]
        command = ["env", f"DUXOS_INSTANCE_PATH={folder}", str(granian), "--interface", "wsgi", *where, *size]
        log = folder / "server.log"
        self._server = spawn([*command, "wsgi:app"], log=log, death_signal=signal.SIGTERM)
        try:
            wait_until(self._answers, "the server's first answer", PATIENCE_SECONDS)
        except TimeoutError:
            raise RuntimeError(f"the server did not start: {log.read_text()[-2000:]}") from None

    def stop(self) -> None:
        """End the server."""
        if self._server is not None:
            end(self._server)

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/live", timeout=10).close()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return True

    def money_gaps(self) -> list[Gap]:
        """What is wrong in the books."""
        with Session(self.settings) as session:
            return check_books(session)

    def gaps(self) -> list[Gap]:
        """What is wrong in the books and the audit trails: all that `flask ledger-check` looks at."""
        with Session(self.settings) as session:
            return full_check(session, Services.of(self.settings).daemon).gaps
