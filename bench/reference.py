"""The reference, P8: pgbench runs the smallest honest escrow ledger with eight clients.

What this database on this machine can do when nothing but the work itself is in the way.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.support.postgres import PostgresCluster, binary

SCRIPTS = Path(__file__).parent / "reference"


def prepare(cluster: PostgresCluster) -> str:
    """Make the reference's tables in a database of their own; its name."""
    database = cluster.create_database()
    _run(cluster, database, "psql", "--quiet", "--file", str(SCRIPTS / "reference_schema.sql"))
    return database


def lifecycles_per_second(cluster: PostgresCluster, database: str, seconds: int) -> float:
    """One sample of P8."""
    script = str(SCRIPTS / "reference_lifecycle.sql")
    options = ["-n", "-M", "prepared", "-f", script, "-c", "8", "-j", "2", "-T", str(seconds)]
    output = _run(cluster, database, "pgbench", *options)
    found = re.search(r"^tps = ([0-9.]+)", output, re.MULTILINE)
    if found is None:
        raise RuntimeError(output)
    return float(found[1])


def _run(cluster: PostgresCluster, database: str, program: str, *arguments: str) -> str:
    connection = ["--host", "127.0.0.1", "--port", str(cluster.port), "--username", "postgres"]
    command = [binary(program), *connection, *arguments, database]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
