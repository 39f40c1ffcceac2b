"""Payouts and deposits as parts of the benchmark: each with a real daemon on a chain of its own, once for every run."""

from __future__ import annotations

from bench import deposits, settlement
from bench.stage import Stage
from bench.targets import Measured


def measure_settlement(stage: Stage) -> dict[str, Measured]:
    """Seconds that a thousand payouts take, without the daemon's own. A gap in the books ends the benchmark."""
    done = [settlement.measure(stage.options.db) for _ in range(stage.options.runs)]
    _prove([gap for one in done for gap in one.gaps])
    daemon = [round(one.all.daemon, 3) for one in done]
    return {"settlement": Measured([one.all.own for one in done], details={"daemon_seconds": daemon})}


def measure_deposits(stage: Stage) -> dict[str, Measured]:
    """Seconds that ten thousand wallet transactions take, with the daemon's own."""
    done = [deposits.measure(stage.options.db) for _ in range(stage.options.runs)]
    _prove([gap for one in done for gap in one.gaps])
    daemon = [round(one.tasks["deposits"].daemon, 3) for one in done]
    figures = [one.tasks["deposits"].wall for one in done]
    return {"deposits": Measured(figures, details={"daemon_seconds": daemon})}


def _prove(gaps: list[str]) -> None:
    if gaps:
        raise SystemExit("\n".join(f"GAP  {gap}" for gap in gaps))
