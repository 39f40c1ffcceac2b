"""One run: a sample of the reference, the load, another sample, the books."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bench import load
from bench.adversary import Adversary
from bench.databases import Place
from bench.instance import Instance
from bench.load import Load, percentile
from bench.people import Pair

LARGEST_DRIFT = 0.25


@dataclass(frozen=True, slots=True)
class Setting:
    """What is varied."""

    mix: str
    clients: int
    history: int
    seconds: float
    seed: int


@dataclass(frozen=True, slots=True)
class Run:
    """What was measured. `before` and `after` are lifecycles a second of the reference."""

    setting: Setting
    load: Load
    before: float
    after: float
    gaps: list[str]

    @property
    def reference(self) -> float:
        """The mean of both samples."""
        return (self.before + self.after) / 2

    @property
    def is_kept(self) -> bool:
        """Whether the machine was the same before and after, and never stood still.

        The samples differ by a quarter at most.
        """
        is_alike = abs(self.before - self.after) <= LARGEST_DRIFT * self.reference
        return is_alike and self.load.is_steady

    @property
    def lifecycles_per_second(self) -> float:
        """Escrows that were created and released."""
        return self.load.done["lifecycle"] / self.load.seconds

    @property
    def ratio(self) -> float:
        """Lifecycles, to the reference."""
        return self.lifecycles_per_second / self.reference

    @property
    def milliseconds(self) -> dict[str, float]:
        """Processor milliseconds for a request, by whom they were used. SQLite works in the server's processes."""
        return {
            name: seconds / self.load.requests * 1000
            for name, seconds in asdict(self.load.cost.spent).items()
        }

    def document(self) -> dict[str, Any]:
        """The run as JSON has it."""
        cost, setting = self.load.cost, self.setting
        return {
            "mix": setting.mix,
            "clients": setting.clients,
            "history": setting.history,
            "seconds": round(self.load.seconds, 3),
            "seed": setting.seed,
            "kept": self.is_kept,
            "reference": [round(self.before, 1), round(self.after, 1)],
            "done": dict(self.load.done),
            "lifecycles_per_second": round(self.lifecycles_per_second, 2),
            "ratio": round(self.ratio, 4),
            "requests": self.load.requests,
            "ms_per_request": {name: round(ms, 3) for name, ms in self.milliseconds.items()},
            "memory_mib": [round(cost.memory_before, 1), round(cost.memory_after, 1)],
            "latency_ms": {
                endpoint: {f"p{percent}": round(percentile(some, percent), 2) for percent in (50, 99)}
                for endpoint, some in sorted(self.load.latencies.items())
            },
            "gaps": self.gaps,
        }


def measure(place: Place, instance: Instance, pairs: list[Pair], setting: Setting) -> Run:
    """Do one run. Raises RuntimeError for an answer that nobody expected."""
    sample = max(setting.seconds / 2, 2)
    before = place.sample(sample)
    driven = _drive(instance, pairs, setting)
    after = place.sample(sample)
    return Run(
        setting, driven, before, after, [f"{gap.check}: {gap.detail}" for gap in instance.money_gaps()]
    )


def _drive(instance: Instance, pairs: list[Pair], setting: Setting) -> Load:
    if setting.mix == "C":
        adversary = Adversary(instance.port, pairs, setting.clients, setting.seed)
        return adversary.run(instance.pid, setting.seconds)
    return load.run(
        instance.port, instance.pid, pairs, setting.mix, setting.clients, setting.seconds, setting.seed
    )
