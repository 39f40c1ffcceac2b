"""What an operation of a batch takes of the processors, in the application and in the database.

    python -m bench.batches [--size 1000] [--rounds 10] [--db postgres|sqlite]

The application runs in this process, one batch at a time, without a server: what is counted is its own.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import random
import time
from collections import defaultdict
from typing import Any

from sqlalchemy import text

from bench import in_process, meters, people
from bench.databases import KINDS, place
from bench.instance import Instance
from bench.mixes import done, order, result
from bench.people import Pair, Person
from bench.signed_client import SignedClient
from tests.support.processes import temporary_folder
from tests.support.redis import RedisServer
from webapp import create_app
from webapp.extensions import db

WALLETS, WARM_UP = 100, 2


def measure(
    application: in_process.Application, pairs: list[Pair], size: int, rounds: int, seed: int
) -> dict[str, float]:
    """Processor seconds of the application and of the database for each kind of operation, without the first rounds.

    Each round is a batch of creations by one payer, and a batch that releases all of them.
    """
    spent: defaultdict[str, float] = defaultdict(float)
    chooser, numbers = random.Random(seed), itertools.count()

    def ask(name: str, person: Person, operations: list[dict[str, object]]) -> dict[str, Any]:
        signer = SignedClient("localhost", in_process.PORT, person.key.key_id, person.key.secret)
        request = signer.sign("/escrow/batch", {"operations": operations}, f"batch-{next(numbers)}")
        of_database, own = meters.spent(os.getpid()).database, time.process_time()
        content = in_process.ask(application, request)
        spent[name] += time.process_time() - own
        spent[f"{name}, database"] += meters.spent(os.getpid()).database - of_database
        answer: dict[str, Any] = json.loads(content)
        return answer

    for number in range(WARM_UP + rounds):
        if number == WARM_UP:
            spent.clear()
        pair = pairs[number % len(pairs)]
        orders = [{"do": "create", **order(pair, chooser)} for _ in range(size)]
        made = done(ask("creation", pair.payer, orders))
        releases = [{"do": "release", "escrow_id": each["id"], **result(pair, each)} for each in made]
        done(ask("release", pair.payer, releases))
    return spent


def main() -> None:
    """Measure and print."""
    options = _options()
    redis = RedisServer().start()
    with place(options.db) as found:
        instance = Instance(temporary_folder("bench-batches") / "instance", found.create(), redis.url)
        instance.make_schema()
        app = create_app(instance.settings)
        with app.app_context():
            pairs = people.pairs(people.settle(db.session(), instance.settings, WALLETS))
            engine = db.engine
        gc.freeze()  # as `wsgi.py` does
        spent = measure(app, pairs, options.size, options.rounds, options.seed)
        print("| an operation | processor ms |")
        print("|---|---|")
        for name, seconds in spent.items():
            print(f"| {name} | {seconds / options.rounds / options.size * 1000:.3f} |")
        with engine.begin() as connection:
            connection.execute(
                text("ANALYZE")
            )  # what filled the tables in seconds has come before its statistics
        engine.dispose()
        print(f"\n{len(instance.gaps())} gaps in the books and audit trails")
    redis.stop()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.batches")
    parser.add_argument("--size", type=int, default=1000, help="operations in a batch")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--db", choices=KINDS, default="postgres")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
