"""A worker that SIGKILLs itself at a chosen instruction: `python -m tests.support.killed_worker CONFIG STEP`.

It runs every task of the worker, round after round, until the step has been carried out.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from typing import Any

from tests.support.market import worker_app
from webapp.config import load_config
from webapp.services import settlement
from webapp.services.container import Services
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts import claims as payout_claims
from webapp.services.payouts.follower import TransactionFollower
from webapp.worker import Worker

STEPS: dict[str, tuple[Any, str]] = {
    "claimed": (payout_claims, "claim_due"),
    "inputs locked": (DaemonWallet, "fund_transaction"),
    "signed": (DaemonWallet, "sign"),
    "stored": (settlement.Settlement, "_store"),
    "sent": (DaemonWallet, "send_raw"),
    "marked as sent": (TransactionFollower, "_mark"),
    "half settled": (TransactionFollower, "_settle"),
    "confirmed": (TransactionFollower, "_confirm"),
}


def main(config: str, step: str) -> None:
    """Run until the step kills the process."""
    owner, name = STEPS[step]
    original = getattr(owner, name)

    @functools.wraps(original)
    def then_die(*args: Any, **options: Any) -> Any:
        original(*args, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, then_die)
    app = worker_app(Services.of(load_config(config)))
    with app.app_context():
        Worker(app).run_once()


if __name__ == "__main__":
    main(*sys.argv[1:])
