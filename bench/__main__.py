"""`make bench`: what the service does through HTTP, with everything on, beside what its database can do.

    make bench BENCH_ARGS="--parts runs,growth --clients 1,8,32 --mix A,B,C --history 10000 --db postgres"

Each run stands between two samples of the reference; one in which the two differ by more than a quarter is dropped and
done again. After each run the books are proven; a gap ends the benchmark. The last table has every target of the
service with what was measured, and after it comes the same as one line of JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from bench import coins, fund, growth, memory, options, reasons, start, streams, targets, through_http
from bench.peers import run as peers
from bench.stage import Stage
from bench.targets import Measured
from tests.support.redis import RedisServer

PARTS: dict[str, Callable[[Stage], dict[str, Measured]]] = {
    "runs": through_http.measure,
    "batch": through_http.measure_batches,
    "sqlite": through_http.measure_sqlite,
    "growth": growth.measure,
    "fund": fund.measure,
    "streams": streams.measure,
    "memory": memory.measure,
    "start": start.measure,
    "settlement": coins.measure_settlement,
    "deposits": coins.measure_deposits,
}


def main() -> None:
    """Measure; print tables, and the same as one line of JSON. Exit code 1 on a gap in the books."""
    asked = options.read(list(PARTS), list(peers.PEERS))
    redis = RedisServer().start()
    stage, measured = Stage(asked, redis.url), dict[str, Measured]()
    try:
        for part in asked.parts:
            stage.say(f"\n{part}")
            measured |= PARTS[part](stage)
        if asked.peers:
            peers.measure(stage)
    finally:
        redis.stop()
    why = reasons.of(measured) if asked.profile else []
    for table in (*why, *stage.tables, targets.as_table(measured)):
        print(f"\n{table}")
    print(f"\n{json.dumps({**stage.document, 'targets': targets.as_document(measured)})}", flush=True)


if __name__ == "__main__":
    main()
