"""The results as Markdown tables."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Sequence

from bench.load import percentile
from bench.runs import Run


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def runs(kept: list[Run], reference: str) -> str:
    """A row for each run; figures of a machine that changed meanwhile are left out."""
    head = ["mix", "clients", "history", "lifecycles/s", f"ratio to {reference}", reference, "requests/s",
            "CPU ms/request: server", "database", "Redis", "clients", "memory MiB", "books"]  # fmt: skip
    return table(head, (_row(run) for run in kept))


def _row(run: Run) -> list[object]:
    setting, cost = run.setting, run.load.cost
    what = [setting.mix, setting.clients, setting.history]
    books = "GAPS" if run.gaps else "agree"
    if not run.is_kept:
        return [*what, "dropped", "", f"{run.before:.0f} → {run.after:.0f}", *[""] * 6, books]
    lifecycles = f"{run.lifecycles_per_second:.1f}", f"{run.ratio:.3f}"
    if setting.mix == "C":
        lifecycles = f"{sum(run.load.done.values())} rounds as expected", ""
    return [
        *what,
        *lifecycles,
        f"{run.reference:.0f}",
        f"{run.load.requests / run.load.seconds:.0f}",
        *(f"{ms:.2f}" for ms in run.milliseconds.values()),
        f"{cost.memory_before:.0f} → {cost.memory_after:.0f}",
        books,
    ]


def latencies(kept: list[Run]) -> str:
    """p50 and p99 of every endpoint, over all kept runs with the same mix, clients and history."""
    together: defaultdict[tuple[str, int, int, str], list[float]] = defaultdict(list)
    for run in kept:
        setting = run.setting
        if run.is_kept:
            for endpoint, some in run.load.latencies.items():
                together[setting.mix, setting.clients, setting.history, endpoint] += some
    rows = (
        [*key, len(some), f"{percentile(some, 50):.1f}", f"{percentile(some, 99):.1f}"]
        for key, some in together.items()
    )
    return table(["mix", "clients", "history", "endpoint", "requests", "p50 ms", "p99 ms"], rows)


def settings(done: list[Run], reference: str) -> str:
    """A row for each setting: the median of its kept runs, from the least to the most."""
    together: defaultdict[tuple[str, int, int], list[Run]] = defaultdict(list)
    for run in done:
        setting = run.setting
        together[setting.mix, setting.clients, setting.history] += [run] if run.is_kept else []
    head = [
        "mix",
        "clients",
        "history",
        "kept runs",
        "lifecycles/s",
        f"ratio to {reference}: median",
        "least",
        "most",
    ]
    return table(head, (_setting(key, some) for key, some in together.items()))


def _setting(key: tuple[str, int, int], kept: list[Run]) -> list[object]:
    if not kept:
        return [*key, 0, "", "", "", ""]
    ratios = [run.ratio for run in kept]
    rate = statistics.median(run.lifecycles_per_second for run in kept)
    figures = (statistics.median(ratios), min(ratios), max(ratios))
    return [*key, len(kept), f"{rate:.1f}", *(f"{figure:.3f}" for figure in figures)]


def growth(pages: dict[int, dict[str, float]]) -> str:
    """How long each list and page takes with the shortest and the longest history, and how many times that is."""
    short, long = min(pages), max(pages)
    rows = (
        [name, f"{before:.1f}", f"{pages[long][name]:.1f}", f"{pages[long][name] / before:.2f}"]
        for name, before in pages[short].items()
    )
    return table(["read", f"p50 ms, {short} escrows", f"p50 ms, {long} escrows", "growth"], rows)


def reads(pages: dict[int, dict[str, float]]) -> str:
    """How long each list and page takes; with more than one length of history, how that has grown."""
    if len(pages) > 1:
        return growth(pages)
    ((history, read),) = pages.items()
    return table(["read", f"p50 ms, {history} escrows"], ([name, f"{ms:.1f}"] for name, ms in read.items()))
