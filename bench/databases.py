"""The database of a benchmark, in its own durable PostgreSQL cluster or SQLite file, and what it is compared with."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import reference, sqlite_reference
from tests.support.postgres import PostgresCluster
from tests.support.processes import temporary_folder

KINDS = ("postgres", "sqlite")


@dataclass(frozen=True, slots=True)
class Place:
    """Where databases can be made: `create` gives the URL of a new one without tables.

    `sample` runs the reference, called `reference`, for so many seconds and says how many lifecycles a second it made.
    """

    reference: str
    create: Callable[[], str]
    sample: Callable[[float], float]


@contextlib.contextmanager
def place(kind: str, settings: Sequence[str] = ()) -> Iterator[Place]:
    """A place for databases of this kind, which waits for the disk as one that keeps money does.

    `settings` are PostgreSQL's, as `name=value`.
    """
    if kind == "sqlite":
        yield _beside_files(temporary_folder("bench-sqlite", is_on_disk=True))
        return
    cluster = PostgresCluster(durable=True, settings=settings).start()
    try:
        database = reference.prepare(cluster)
        yield Place(
            "P8",
            lambda: cluster.url(cluster.create_database()),
            lambda seconds: reference.lifecycles_per_second(cluster, database, max(round(seconds), 1)),
        )
    finally:
        cluster.stop()


def _beside_files(folder: Path) -> Place:
    numbers = iter(range(1, 1000))
    return Place(
        "SQLite FULL",
        lambda: f"sqlite:///{folder / f'bench-{next(numbers)}.db'}",
        lambda seconds: sqlite_reference.lifecycles_per_second(folder / "reference.db", seconds),
    )
