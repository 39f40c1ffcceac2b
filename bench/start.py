"""A cold start: from a fresh interpreter to `wsgi:app`, on an instance whose schema is there."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from bench.instance import Instance
from bench.stage import Stage
from bench.targets import Measured
from tests.support.processes import temporary_folder

TIMES = 5
# Both processes read the same clock of the machine.
_PROGRAM = "import time; from wsgi import app; print(time.clock_gettime(time.CLOCK_MONOTONIC))"


def measure(_stage: Stage) -> dict[str, Measured]:
    """Five starts, after one that compiles what is not compiled yet."""
    folder = temporary_folder("bench-start") / "instance"
    instance = Instance(folder, f"sqlite:///{folder / 'start.db'}")
    instance.make_schema()
    started = [_seconds(instance) for _ in range(TIMES + 1)]
    return {"start": Measured(started[1:])}


def _seconds(instance: Instance) -> float:
    environment = {**os.environ, "DUXOS_INSTANCE_PATH": str(instance.settings.instance_path)}
    began = time.clock_gettime(time.CLOCK_MONOTONIC)
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=environment, check=True, capture_output=True, text=True
    )
    return float(done.stdout.split()[-1]) - began
