"""The table at the end of a run: per family, what was injected, what should have been paid, and what was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from tests.faults.scenario import Outcome, Scenario

_HEAD_GROUPS = ("", "", "", "", "payments", "", "", "", "deposits", "", "", "")
_HEAD = (
    "family", "scenarios", "failed", "faults", "expected", "made", "lost", "doubled", "expected", "credited", "lost",
    "doubled",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """One run of a scenario. Without `outcome` it did not come to its end; `complaint` says why, or what was found."""

    database: str
    scenario: Scenario
    outcome: Outcome | None
    complaint: str = ""

    @property
    def is_good(self) -> bool:
        """It came to its end, its books are clean, and nothing was lost or doubled."""
        return self.outcome is not None and self.outcome.is_clean and not self.complaint


def table(results: Sequence[Result]) -> str:
    """One line for each family and one for all of them, aligned."""
    families = sorted({result.scenario.family for result in results})
    rows = [
        _row(family, [result for result in results if result.scenario.family == family])
        for family in families
    ]
    lines = [_HEAD_GROUPS, _HEAD, *rows, _row("all", results)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _row(name: str, results: Sequence[Result]) -> tuple[str, ...]:
    counted = [astuple(result.outcome) for result in results if result.outcome]
    sums = [sum(column) for column in zip(*counted, strict=True)] or [0] * (len(_HEAD) - 3)
    failed = sum(not result.is_good for result in results)
    return (name, *(f"{number:,}" for number in (len(results), failed, *sums)))
