"""Where the time of a lifecycle goes: statements, commits, processor time, and the functions that take most of it.

    python -m bench.profile [--lifecycles 200] [--db postgres|sqlite] [--top 30]

The application runs in this process, one request at a time, without a server: what is counted is its own.
"""

from __future__ import annotations

import argparse
import cProfile
import itertools
import json
import pstats
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Engine, event

from bench import in_process, people
from bench.databases import KINDS, place
from bench.instance import Instance
from bench.mixes import order, result
from bench.people import Pair, Person
from bench.signed_client import Request, SignedClient
from tests.support.processes import temporary_folder
from tests.support.redis import RedisServer
from webapp import create_app
from webapp.extensions import db

WALLETS, WARM_UP = 100, 50


class Profiled:
    """A WSGI middleware that profiles each request while it is `on`."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self.profile = cProfile.Profile()
        self.is_on = False

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not self.is_on:
            return self._app(environ, start_response)
        return self.profile.runcall(self._app, environ, start_response)


class Counted:
    """How many statements of each kind, and commits, an engine has sent."""

    def __init__(self, engine: Engine) -> None:
        self.counts: Counter[str] = Counter()
        event.listen(engine, "before_cursor_execute", self._count)
        event.listen(engine, "commit", lambda _connection: self.counts.update(["COMMIT"]))
        event.listen(engine, "rollback", lambda _connection: self.counts.update(["ROLLBACK"]))

    def _count(self, _connection, _cursor, statement, *_more) -> None:  # type: ignore[no-untyped-def]
        words = statement.split()
        table = next(
            (after for word, after in itertools.pairwise(words) if word in {"FROM", "INTO", "UPDATE"}), ""
        )
        self.counts[f"{words[0]} {table}".strip()] += 1


def main() -> None:
    """Measure and print."""
    options = _options()
    redis = RedisServer().start()
    with place(options.db) as found:
        instance = Instance(temporary_folder("bench-profile") / "instance", found.create(), redis.url)
        instance.make_schema()
        app = create_app(instance.settings)
        with app.app_context():
            pairs = people.pairs(people.settle(db.session(), instance.settings, WALLETS))
            engine = db.engine
        middleware = Profiled(app.wsgi_app)
        app.wsgi_app = middleware  # type: ignore[method-assign]
        _report(_Driver(app, pairs, options.seed), middleware, engine, options)
        engine.dispose()
    redis.stop()


class _Driver:
    def __init__(self, app: Callable[..., Iterable[bytes]], pairs: list[Pair], seed: int) -> None:
        self._app, self._pairs, self._chooser = app, pairs, random.Random(seed)
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._numbers = itertools.count()

    def lifecycles(self, count: int) -> None:
        """Create and release; only the application's share of the time is kept, by endpoint."""
        self.seconds.clear()
        for _ in range(count):
            pair = self._chooser.choice(self._pairs)
            escrow = self._ask("create", pair.payer, "/escrow/create", order(pair, self._chooser))
            self._ask("release", pair.payer, f"/escrow/{escrow['id']}/release", result(pair, escrow))

    def _ask(self, name: str, person: Person, path: str, body: dict[str, object]) -> dict[str, Any]:
        signer = SignedClient("localhost", in_process.PORT, person.key.key_id, person.key.secret)
        request: Request = signer.sign(path, body, f"key-{next(self._numbers)}")
        began = time.process_time()
        content = in_process.ask(self._app, request)
        self.seconds[name] += time.process_time() - began
        answer: dict[str, Any] = json.loads(content)
        return answer


def _report(driver: _Driver, middleware: Profiled, engine: Engine, options: argparse.Namespace) -> None:
    driver.lifecycles(WARM_UP)
    counted = Counted(engine)
    driver.lifecycles(options.lifecycles)
    print("| a lifecycle | |")
    print("|---|---|")
    for name, seconds in driver.seconds.items():
        print(f"| processor ms, {name} | {seconds / options.lifecycles * 1000:.2f} |")
    print(f"| processor ms, both | {sum(driver.seconds.values()) / options.lifecycles * 1000:.2f} |")
    statements = sum(count for name, count in counted.counts.items() if name not in {"COMMIT", "ROLLBACK"})
    print(f"| statements | {statements / options.lifecycles:.1f} |")
    for name, count in counted.counts.most_common():
        print(f"| {name} | {count / options.lifecycles:.1f} |")
    if options.top:
        middleware.is_on = True
        driver.lifecycles(options.lifecycles)
        print()
        pstats.Stats(middleware.profile).sort_stats(options.sort).print_stats(options.top)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.profile")
    parser.add_argument("--lifecycles", type=int, default=200)
    parser.add_argument("--db", choices=KINDS, default="postgres")
    parser.add_argument("--top", type=int, default=30, help="functions to print; 0 leaves out the profile")
    parser.add_argument("--sort", choices=("tottime", "cumulative"), default="cumulative")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
