"""The mixes through HTTP with everything on, beside what the database can do; and batches of lifecycles."""

from __future__ import annotations

from bench import report, rounds
from bench.databases import place
from bench.runs import Run
from bench.stage import Stage
from bench.targets import Measured

BATCH, BATCH_CLIENTS = "batch", [1, 2, 4]
EIGHT, THIRTY_TWO = 8, 32


def measure(stage: Stage) -> dict[str, Measured]:
    """The mixes that were asked for, on each history; on SQLite its own target."""
    options = stage.options
    done: list[Run] = []
    with place(options.db) as found:
        for history in options.history:
            with stage.served(found, history, options.workers) as (instance, pairs):
                wanted = rounds.settings(stage, history, options.mix, options.clients)
                done += rounds.runs(stage, found, instance, pairs, wanted)
                stage.prove(instance)
        _tell(stage, f"runs_{options.db}", done, found.reference)
    first = [run for run in done if run.setting.history == min(options.history)]
    if options.db == "sqlite":
        return _sqlite(first, options.clients)
    eight, more = (rounds.ratios(first, "A", clients) for clients in (EIGHT, THIRTY_TWO))
    compared = [many / few for many, few in zip(more, eight, strict=False)]
    note = f"{options.workers} process{'es' if options.workers > 1 else ''}"
    return {"mix_a": Measured(eight, note), "mix_a_32": Measured(compared, note)}


def measure_sqlite(stage: Stage) -> dict[str, Measured]:
    """Mix A on SQLite with one process."""
    history, clients = min(stage.options.history), [1, EIGHT]
    with place("sqlite") as found, stage.served(found, history, 1) as (instance, pairs):
        wanted = rounds.settings(stage, history, ["A"], clients)
        done = list(rounds.runs(stage, found, instance, pairs, wanted))
        stage.prove(instance)
    _tell(stage, "runs_sqlite", done, found.reference)
    return _sqlite(done, clients)


def measure_batches(stage: Stage) -> dict[str, Measured]:
    """Lifecycles in batches: a thousand creations, then a thousand releases."""
    history = min(stage.options.history)
    workers = stage.options.batch_workers
    with place("postgres") as found, stage.served(found, history, workers) as (instance, pairs):
        wanted = rounds.settings(stage, history, [BATCH], BATCH_CLIENTS)
        done = list(rounds.runs(stage, found, instance, pairs, wanted))
        stage.prove(instance)
    _tell(stage, "runs_batch", done, found.reference)
    clients = rounds.best(done, BATCH)
    note = f"{clients} clients, {workers} processes"
    return {"batch": Measured(rounds.ratios(done, BATCH, clients), note)}


def _sqlite(done: list[Run], tried: list[int]) -> dict[str, Measured]:
    clients = rounds.best(done, "A") if len(tried) > 1 else tried[0]
    return {"sqlite": Measured(rounds.ratios(done, "A", clients), f"{clients} clients")}


def _tell(stage: Stage, name: str, done: list[Run], reference: str) -> None:
    stage.tables.extend(
        (report.settings(done, reference), report.runs(done, reference), report.latencies(done))
    )
    stage.document[name] = [run.document() for run in done]
