"""What every part of the benchmark stands on: options, Redis, servers with people and a history, and what is said."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench import people
from bench.databases import Place
from bench.history import History
from bench.instance import THREADS, Instance
from bench.people import Pair
from tests.support.instances import Sections
from tests.support.processes import temporary_folder
from webapp.services.database import Session
from webapp.services.pooled_accounts import CheckpointFolder


@dataclass(frozen=True, slots=True)
class Stage:
    """Handed from part to part: `tables` are printed at the end, `document` becomes the line of JSON."""

    options: argparse.Namespace
    redis_url: str
    tables: list[str] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)

    def say(self, words: str) -> None:
        """Tell whoever waits how far it is."""
        print(words, file=sys.stderr, flush=True)

    @contextmanager
    def served(
        self,
        found: Place,
        history: int,
        workers: int,
        *,
        threads: int = THREADS,
        sections: Sections | None = None,
    ) -> Iterator[tuple[Instance, list[Pair]]]:
        """A server on a new database with people and so many escrows; `sections` are settings of its own."""
        folder = temporary_folder("bench") / "instance"
        instance = Instance(folder, found.create(), self.redis_url, sections or {})
        instance.make_schema()
        with Session(instance.settings) as session:
            pairs = people.pairs(people.settle(session, instance.settings, self.options.wallets))
            self.say(f"loading a history of {history} escrows")
            History(pairs, history, self.options.seed).load(session.get_bind().engine)
            CheckpointFolder(session).run()
            session.get_bind().engine.dispose()
        try:
            instance.start(workers, threads)
            yield instance, pairs
        finally:
            instance.stop()

    def prove(self, instance: Instance) -> None:
        """What `flask ledger-check` looks at, down to every link of every audit trail. A gap ends the benchmark."""
        gaps = instance.gaps()
        if gaps:
            raise SystemExit("\n".join(f"GAP  {gap.check}: {gap.detail}" for gap in gaps))
        self.say("the books and all audit trails agree")
