"""`make bench`: what the service does through HTTP, with everything on, beside what its database can do.

    make bench BENCH_ARGS="--clients 1,8,32 --mix A,B,C --history 10000,1000000 --db postgres"

Each run stands between two samples of the reference; one in which the two differ by more than a quarter is dropped and
done again, up to three times. After each run the books are proven; a gap ends the benchmark. With several lengths of
history, each has a database and a server of its own, and the last table says how reading has grown.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from bench import pages, people, report
from bench.databases import KINDS, Place, place
from bench.history import History
from bench.instance import Instance
from bench.people import Pair
from bench.runs import Run, Setting, measure
from tests.support.processes import temporary_folder
from tests.support.redis import RedisServer
from webapp.services.database import Session
from webapp.services.pooled_accounts import CheckpointFolder

MOST_TRIES = 3
Pages = dict[int, dict[str, float]]


def main() -> None:
    """Measure; print tables, and the same as one line of JSON. Exit code 1 on a gap in the books."""
    options = _options()
    redis = RedisServer().start()
    done: list[Run] = []
    read: Pages = {}
    try:
        with place(options.db) as found:
            for history in options.history:
                with _served(found, redis.url, history, options) as (instance, pairs):
                    read[history] = pages.milliseconds(instance.port, pairs[0].payer, options.reads)
                    for run in _runs(found, instance, pairs, history, options):
                        done.append(run)
                        _say(f"{report.runs([run], found.reference).splitlines()[-1]}")
                    _prove(instance)
            _print(done, read, found.reference)
    finally:
        redis.stop()
    if any(run.gaps for run in done):
        sys.exit(1)


@contextmanager
def _served(
    found: Place, redis_url: str, history: int, options: argparse.Namespace
) -> Iterator[tuple[Instance, list[Pair]]]:
    """A server on a new database with people and a history."""
    instance = Instance(temporary_folder("bench") / "instance", found.create(), redis_url)
    instance.make_schema()
    with Session(instance.settings) as session:
        pairs = people.pairs(people.settle(session, instance.settings, options.wallets))
        _say(f"loading a history of {history} escrows")
        History(pairs, history, options.seed).load(session.get_bind().engine)
        CheckpointFolder(session).run()
        session.get_bind().engine.dispose()
    try:
        instance.start(options.workers)
        yield instance, pairs
    finally:
        instance.stop()


def _runs(
    found: Place, instance: Instance, pairs: list[Pair], history: int, options: argparse.Namespace
) -> Iterator[Run]:
    """Every run of every setting, in turn, so that what changes on the machine is shared by all."""
    settings = [
        Setting(mix, clients, history, options.seconds, options.seed)
        for mix in options.mix
        for clients in (options.clients if mix != "C" else [options.adversaries])
    ]
    for number in range(options.runs):
        for setting in settings:
            for again in range(MOST_TRIES):
                seed = options.seed + number * MOST_TRIES + again
                run = measure(found, instance, pairs, replace(setting, seed=seed))
                yield run
                if run.gaps:
                    return
                if run.is_kept:
                    break


def _prove(instance: Instance) -> None:
    """What `flask ledger-check` looks at, down to every link of every audit trail."""
    gaps = instance.gaps()
    if gaps:
        raise SystemExit("\n".join(f"GAP  {gap.check}: {gap.detail}" for gap in gaps))
    _say("the books and all audit trails agree")


def _print(done: list[Run], read: Pages, reference: str) -> None:
    history = min(read)
    growth = report.growth(read) if len(read) > 1 else report.reads(read[history], history)
    for table in (report.runs(done, reference), report.latencies(done), growth):
        print(f"\n{table}")
    document = {"reference": reference, "runs": [run.document() for run in done], "reads_p50_ms": read}
    print(f"\n{json.dumps(document)}", flush=True)


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--clients", type=_numbers, default=[1, 8, 32], help="at once; a list")
    parser.add_argument("--mix", type=_mixes, default=["A"], help="A, B, C; a list")
    parser.add_argument(
        "--history", type=_numbers, default=[10_000], help="escrows that are there before; a list"
    )
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--runs", type=int, default=5, help="kept runs of each setting")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--db", choices=KINDS, default="postgres")
    parser.add_argument("--workers", type=int, default=2, help="processes of the server")
    parser.add_argument("--wallets", type=int, default=1000)
    parser.add_argument("--adversaries", type=int, default=8, help="clients of mix C")
    parser.add_argument("--reads", type=int, default=30, help="times that each list and page is read")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _mixes(text: str) -> list[str]:
    mixes = text.upper().split(",")
    if unknown := set(mixes) - {"A", "B", "C"}:
        raise argparse.ArgumentTypeError(f"there is no mix {', '.join(sorted(unknown))}")
    return mixes


if __name__ == "__main__":
    main()
