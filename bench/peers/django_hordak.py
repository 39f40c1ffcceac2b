"""django-hordak: the same postings as an escrow's, in a process of its own, without HTTP."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.peers.environment import python_with
from tests.support.postgres import PostgresCluster

PACKAGES = ("django-hordak==2.0.0", "psycopg[binary]==3.3.9")
_PROGRAM = Path(__file__).with_name("hordak_program.py")


class Hordak:
    """Installed once; each run has a database of its own."""

    name = "django-hordak, the same postings, no HTTP"

    def __init__(self, cluster: PostgresCluster) -> None:
        self._cluster = cluster
        self._python = python_with(*PACKAGES)

    def lifecycles_per_second(self, clients: int, seconds: float) -> float:
        """With so many processes at once."""
        where = [str(self._cluster.port), self._cluster.create_database()]
        command = [str(self._python), "-P", str(_PROGRAM), *where, str(clients), str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{self.name}: {done.stderr[-1000:]}")
        return float(done.stdout)

    def stop(self) -> None:
        """Nothing runs between the runs."""
