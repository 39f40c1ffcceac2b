"""What it costs that every release pays the community fund, where each commit takes two milliseconds.

A row that every release changed would be locked until its commit, and so let one release through in two milliseconds.
Sixteen clients therefore drive two servers in turn on one cluster, one of which keeps nothing for the fund.
"""

from __future__ import annotations

from bench import load
from bench.databases import place
from bench.instance import Instance
from bench.load import Load
from bench.people import Pair
from bench.rounds import MOST_TRIES
from bench.stage import Stage
from bench.targets import Measured

CLIENTS = 16
HISTORY = 1000
WORKERS = 2
WARM_UP_SECONDS = 2.0
# Microseconds that whoever writes the log waits before it does, whether or not others are about to commit.
SLOW_COMMITS = ("commit_delay=2000", "commit_siblings=0")
NO_SHARE = {"escrow": {"fund_basis_points": 0}}


def measure(stage: Stage) -> dict[str, Measured]:
    """The rate of mix A with the fund's share, to the rate without it."""
    ratios, rates = [], []
    with (
        place("postgres", SLOW_COMMITS) as found,
        stage.served(found, HISTORY, WORKERS) as shared,
        stage.served(found, HISTORY, WORKERS, sections=NO_SHARE) as alone,
    ):
        for instance, pairs in (shared, alone):
            load.run(instance.port, instance.pid, pairs, "A", CLIENTS, WARM_UP_SECONDS, stage.options.seed)
        for number in range(stage.options.runs * MOST_TRIES):
            if len(ratios) == stage.options.runs:
                break
            # The later of two runs meets other caches than the first, so they change places.
            first, second = (shared, alone) if number % 2 == 0 else (alone, shared)
            pair = [_driven(stage, *served, number) for served in (first, second)]
            with_share, without = map(_lifecycles, pair if first is shared else reversed(pair))
            stage.say(f"lifecycles a second with the fund's share {with_share:.0f}, without {without:.0f}")
            if all(driven.is_steady for driven in pair):
                rates.append([round(with_share, 1), round(without, 1)])
                ratios.append(with_share / without)
        for instance, _ in (shared, alone):
            stage.prove(instance)
    return {"fund": Measured(ratios, details={"lifecycles_per_second": rates})}


def _driven(stage: Stage, instance: Instance, pairs: list[Pair], number: int) -> Load:
    options = stage.options
    return load.run(instance.port, instance.pid, pairs, "A", CLIENTS, options.seconds, options.seed + number)


def _lifecycles(driven: Load) -> float:
    """A second."""
    return driven.done["lifecycle"] / driven.seconds
