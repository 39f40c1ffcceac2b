"""Whether a worker process grows: what it holds after 10,000 requests of a busy day, and after 100,000."""

from __future__ import annotations

from bench import load, meters
from bench.databases import place
from bench.instance import Instance
from bench.people import Pair
from bench.stage import Stage
from bench.targets import Measured

CLIENTS = 8
HISTORY = 1000
AT_ONCE_SECONDS = 5.0


def measure(stage: Stage) -> dict[str, Measured]:
    """The growth, in percent, from a tenth of the requests to all of them."""
    wanted = stage.options.requests
    with place("postgres") as found, stage.served(found, HISTORY, 1) as (instance, pairs):
        (worker,) = meters.children(instance.pid)
        driven, held = 0, {}
        for requests in (wanted // 10, wanted):
            driven += _drive(instance, pairs, requests - driven)
            held[driven] = meters.memory_of(worker)
            stage.say(f"after {driven} requests the worker holds {held[driven].resident:.1f} MiB")
        stage.prove(instance)
    (few, before), (many, after) = held.items()
    growth = (after.resident / before.resident - 1) * 100
    details = {
        "requests": [few, many],
        "resident_mib": [before.resident, after.resident],
        "proportional_mib": [before.proportional, after.proportional],
    }
    note = f"{before.resident:.0f} MiB after {few} requests, {after.resident:.0f} MiB after {many}"
    return {"memory": Measured([growth], note, details)}


def _drive(instance: Instance, pairs: list[Pair], wanted: int) -> int:
    """At least so many requests; how many it were."""
    done = 0
    while done < wanted:
        done += load.run(instance.port, instance.pid, pairs, "B", CLIENTS, AT_ONCE_SECONDS, done).requests
    return done
