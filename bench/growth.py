"""How much longer every list, page and statistic takes with a hundred times the history.

Servers with a short and a long history stand side by side and are asked in turn, so that both meet the same machine.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from contextlib import ExitStack

from bench import pages, report
from bench.databases import place
from bench.stage import Stage
from bench.targets import Measured

WORKERS = 1


def measure(stage: Stage) -> dict[str, Measured]:
    """The growth of whatever has grown most: with one length of history there is none, only a table of times."""
    options = stage.options
    taken: defaultdict[int, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with place(options.db) as found, ExitStack() as stack:
        served = {
            history: stack.enter_context(stage.served(found, history, WORKERS)) for history in options.growth
        }
        for number in range(options.runs):
            stage.say(f"reading everything, round {number + 1}")
            for history, (instance, pairs) in served.items():
                for name, ms in pages.milliseconds(instance.port, pairs[0].payer, options.reads).items():
                    taken[history][name].append(ms)
    medians = {
        history: {name: statistics.median(some) for name, some in by_name.items()}
        for history, by_name in taken.items()
    }
    stage.tables.append(report.reads(medians))
    stage.document["reads_p50_ms"] = medians
    if len(taken) == 1:
        return {}
    return {"growth": _worst(taken[min(taken)], taken[max(taken)])}


def _worst(short: dict[str, list[float]], long: dict[str, list[float]]) -> Measured:
    grown = {
        name: [many / few for many, few in zip(long[name], short[name], strict=True)]
        for name in short.keys() & long.keys()
    }
    name = max(grown, key=lambda name: statistics.median(grown[name]))
    others = statistics.median(statistics.median(some) for some in grown.values())
    return Measured(grown[name], f"most: {name}; the median of {len(grown)} is {others:.2f}")
