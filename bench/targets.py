"""What the service is to reach, and the one table that says how far it is."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.report import table


@dataclass(frozen=True, slots=True)
class Target:
    """A figure with what it must reach (`floor`) and should reach (`aim`). Of a cost, less is better."""

    what: str
    unit: str
    floor: float
    aim: float
    is_cost: bool = False

    def verdict(self, figure: float) -> str:
        """Which of the two this figure reaches."""
        for name, wanted in (("aim", self.aim), ("floor", self.floor)):
            if figure <= wanted if self.is_cost else figure >= wanted:
                return name
        return "missed"


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of all kept measurements of one target, and what has to be known about them."""

    figures: list[float]
    note: str = ""
    details: dict[str, Any] = field(default_factory=dict)


TARGETS = {
    "mix_a": Target("mix A through HTTP, 8 clients, PostgreSQL", "× P8", 0.30, 0.45),
    "mix_a_32": Target("the same at 32 clients", "× 8 clients", 0.9, 1.1),
    "batch": Target("POST /escrow/batch, lifecycles", "× P8", 2, 4),
    "fund": Target("fund posting, 16 clients, commits of 2 ms", "× without", 0.9, 1.0),
    "sqlite": Target("SQLite, one process, mix A", "× SQLite FULL", 0.15, 0.3),
    "growth": Target("growth of every list, page and statistic", "×", 2, 1.2, is_cost=True),
    "settlement": Target("1,000 queued payouts in settlement", "s", 1, 0.2, is_cost=True),
    "deposits": Target("catching up 10,000 wallet transactions", "s", 30, 5, is_cost=True),
    "streams": Target("500 event streams, added to the p50 of others", "%", 20, 5, is_cost=True),
    "memory": Target("memory of a worker process after 10^5 requests, growth", "%", 10, 0, is_cost=True),
    "start": Target("cold start of wsgi:app", "s", 2, 1, is_cost=True),
}


def as_table(measured: Mapping[str, Measured]) -> str:
    """A row for each target, in their order; those that were not measured say so."""
    rows = [_row(target, measured.get(name)) for name, target in TARGETS.items()]
    return table(["what", "measured: median (min to max, n)", "floor", "aim", "reached"], rows)


def as_document(measured: Mapping[str, Measured]) -> dict[str, Any]:
    """The same as JSON has it."""
    return {name: _document(TARGETS[name], found) for name, found in measured.items() if found.figures}


def missed_aims(measured: Mapping[str, Measured]) -> list[str]:
    """The names of the targets whose figure falls short of the aim."""
    return [
        name
        for name, found in measured.items()
        if found.figures and TARGETS[name].verdict(statistics.median(found.figures)) != "aim"
    ]


def _row(target: Target, measured: Measured | None) -> list[object]:
    wanted = [f"{target.floor:g} {target.unit}", f"{target.aim:g} {target.unit}"]
    if measured is None:
        return [target.what, "not measured", *wanted, ""]
    what = f"{target.what} ({measured.note})" if measured.note else target.what
    if not measured.figures:
        return [what, "no measurement was kept", *wanted, ""]
    median = statistics.median(measured.figures)
    spread = f"{_short(min(measured.figures))} to {_short(max(measured.figures))}, {len(measured.figures)}"
    return [what, f"{_short(median)} {target.unit} ({spread})", *wanted, target.verdict(median)]


def _document(target: Target, measured: Measured) -> dict[str, Any]:
    median = statistics.median(measured.figures)
    return {
        "median": round(median, 4),
        "min": round(min(measured.figures), 4),
        "max": round(max(measured.figures), 4),
        "n": len(measured.figures),
        "unit": target.unit,
        "floor": target.floor,
        "aim": target.aim,
        "reached": target.verdict(median),
        "note": measured.note,
        **measured.details,
    }


def _short(figure: float) -> str:
    """Three digits that count, at least."""
    return (
        f"{figure:.0f}" if abs(figure) >= 100 else f"{figure:.1f}" if abs(figure) >= 10 else f"{figure:.3f}"
    )
