"""A worker that SIGKILLs itself at a failpoint: `python -m tests.support.killed_worker CONFIG POINT [VISIT]`.

It runs every task of the worker once. VISIT counts the visits of the point, from 1: the process dies at that one.
"""

from __future__ import annotations

import os
import signal
import sys

from tests.support.market import worker_app
from webapp.config import load_config
from webapp.domain import failpoints
from webapp.services.container import Services
from webapp.worker import Worker


def main(config: str, point: str, visit: str = "1") -> None:
    """Run until the point kills the process."""
    assert point in failpoints.POINTS, f"there is no point {point}"
    visits_left = int(visit)

    def die_here(reached: str) -> None:
        nonlocal visits_left
        visits_left -= reached == point
        if not visits_left:
            os.kill(os.getpid(), signal.SIGKILL)

    failpoints.arm(die_here)
    app = worker_app(Services.of(load_config(config)))
    with app.app_context():
        Worker(app).run_once()


if __name__ == "__main__":
    main(*sys.argv[1:])
