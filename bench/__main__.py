"""`make bench`: lifecycles a second through HTTP, with everything on, as a ratio to P8 before and after.

    python -m bench [--clients 1,8] [--seconds 10] [--runs 3] [--workers 2]

Each run stands between two samples of P8; one in which the two differ by more than a quarter is dropped.
"""

from __future__ import annotations

import argparse

from bench import load, reference
from bench.instance import Instance
from tests.support.postgres import PostgresCluster
from tests.support.processes import temporary_folder

LARGEST_DRIFT = 0.25


def main() -> None:
    """Measure and print a Markdown table."""
    options = _options()
    cluster = PostgresCluster(durable=True).start()
    instance = Instance(temporary_folder("bench") / "instance", cluster.url(cluster.create_database()))
    try:
        database = reference.prepare(cluster)
        pairs = instance.prepare()
        instance.start(options.workers)
        print("| clients | lifecycles/s | ratio to P8 | create p50 / p99 ms | release p50 / p99 ms | P8 |")
        print("|---|---|---|---|---|---|")
        for clients in (int(number) for number in options.clients.split(",")):
            for _ in range(options.runs):
                _measure(cluster, database, instance, pairs, clients, options.seconds)
        gaps = instance.gaps()
        print("\nThe books agree." if not gaps else f"\nGAPS: {gaps}")
    finally:
        instance.stop()
        cluster.stop()


def _measure(
    cluster: PostgresCluster,
    database: str,
    instance: Instance,
    pairs: list[load.Pair],
    clients: int,
    seconds: int,
) -> None:
    before = reference.lifecycles_per_second(cluster, database, max(seconds // 2, 2))
    result = load.run(instance.port, pairs, clients, seconds)
    after = reference.lifecycles_per_second(cluster, database, max(seconds // 2, 2))
    p8 = (before + after) / 2
    drift = abs(before - after) / p8
    if drift > LARGEST_DRIFT:
        print(f"| {clients} | dropped: P8 went from {before:.0f} to {after:.0f} | | | | |")
        return
    columns = [
        str(clients),
        f"{result.lifecycles_per_second:.0f}",
        f"{result.lifecycles_per_second / p8:.3f}",
        *(
            f"{result.percentile(latencies, 50):.1f} / {result.percentile(latencies, 99):.1f}"
            for latencies in (result.create_ms, result.release_ms)
        ),
        f"{p8:.0f}",
    ]
    print(f"| {' | '.join(columns)} |", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--clients", default="1,8")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="processes of the server")
    return parser.parse_args()


if __name__ == "__main__":
    main()
