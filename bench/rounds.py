"""Runs of several settings in turn, until each has enough that are kept, and what they come to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace

from bench import report
from bench.databases import Place
from bench.instance import Instance
from bench.people import Pair
from bench.runs import Run, Setting, measure
from bench.stage import Stage

MOST_TRIES = 3


def settings(stage: Stage, history: int, mixes: list[str], clients: list[int]) -> list[Setting]:
    """One for each mix and number of clients; mix C has its own number."""
    options = stage.options
    return [
        Setting(mix, number, history, options.seconds, options.seed)
        for mix in mixes
        for number in (clients if mix != "C" else [options.adversaries])
    ]


def runs(
    stage: Stage, found: Place, instance: Instance, pairs: list[Pair], wanted: list[Setting]
) -> Iterator[Run]:
    """Runs of these settings in turn, so that what changes on the machine is shared by all.

    It ends when each has been kept as often as was asked, or was tried three times as often. A gap in the books ends
    the benchmark.
    """
    count, tries, kept = stage.options.runs, Counter[Setting](), Counter[Setting]()
    while open_ones := [one for one in wanted if kept[one] < count and tries[one] < count * MOST_TRIES]:
        for setting in open_ones:
            run = measure(found, instance, pairs, replace(setting, seed=setting.seed + tries[setting]))
            tries[setting] += 1
            kept[setting] += run.is_kept
            stage.say(report.runs([run], found.reference).splitlines()[-1])
            if run.gaps:
                raise SystemExit("\n".join(f"GAP  {gap}" for gap in run.gaps))
            yield run


def ratios(done: list[Run], mix: str, clients: int) -> list[float]:
    """Of the kept runs of a setting, in the order in which they were made."""
    return [
        run.ratio for run in done if run.is_kept and run.setting.mix == mix and run.setting.clients == clients
    ]


def best(done: list[Run], mix: str) -> int:
    """With how many clients the median ratio was highest."""
    found: defaultdict[int, list[float]] = defaultdict(list)
    for run in done:
        if run.is_kept and run.setting.mix == mix:
            found[run.setting.clients].append(run.ratio)
    return max(found, key=lambda clients: sorted(found[clients])[len(found[clients]) // 2], default=1)
