"""Peers beside the reference, on the same cluster: a row for each, or why there is none."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from typing import Protocol

from bench import reference, report
from bench.peers.django_hordak import Hordak
from bench.peers.environment import NotInstalledError
from bench.peers.lnbits import Lnbits
from bench.runs import LARGEST_DRIFT
from bench.stage import Stage
from tests.support.postgres import PostgresCluster

CLIENTS = 8


class Peer(Protocol):
    """Something else that moves money between accounts."""

    name: str

    def lifecycles_per_second(self, clients: int, seconds: float) -> float:
        """What it does with so many clients at once."""

    def stop(self) -> None:
        """End what it has started."""


PEERS: Mapping[str, Callable[[PostgresCluster], Peer]] = {"lnbits": Lnbits, "django-hordak": Hordak}


def measure(stage: Stage) -> None:
    """Adds a table of the peers that were asked for."""
    rows = []
    cluster = PostgresCluster(durable=True).start()
    try:
        database = reference.prepare(cluster)
        for name in stage.options.peers:
            stage.say(f"\n{name}")
            try:
                rows.append(_row(stage, PEERS[name](cluster), cluster, database))
            except NotInstalledError as error:
                rows.append([name, f"not installed: {error}", "", ""])
    finally:
        cluster.stop()
    head = [f"peer, {CLIENTS} clients", "ratio to P8: median (min to max, n)", "lifecycles/s", "P8"]
    stage.tables.append(report.table(head, rows))
    stage.document["peers"] = rows


def _row(stage: Stage, peer: Peer, cluster: PostgresCluster, database: str) -> list[object]:
    options, ratios, rates, samples = stage.options, [], [], []
    seconds = max(round(options.seconds / 2), 2)
    try:
        for _ in range(options.runs):
            before = reference.lifecycles_per_second(cluster, database, seconds)
            rate = peer.lifecycles_per_second(CLIENTS, options.seconds)
            after = reference.lifecycles_per_second(cluster, database, seconds)
            stage.say(f"{peer.name}: {rate:.1f} lifecycles/s between {before:.0f} and {after:.0f}")
            if abs(before - after) <= LARGEST_DRIFT * (before + after) / 2:
                samples.append((before + after) / 2)
                ratios.append(rate / samples[-1])
                rates.append(rate)
    finally:
        peer.stop()
    if not ratios:
        return [peer.name, "no run was kept", "", ""]
    spread = f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}, {len(ratios)})"
    return [peer.name, spread, f"{statistics.median(rates):.1f}", f"{statistics.median(samples):.0f}"]
