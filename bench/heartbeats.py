"""Heartbeats a second through HTTP, with everything on: 10,000 nodes that beat every 30 seconds are 333 a second.

    python -m bench.heartbeats [--nodes 10000] [--seconds 20] [--clients 4] [--workers 2] [--db postgres|sqlite]

Every node sends one beat, signed with its own key. They are signed before the clock starts, because clients and server
share the machine, while nodes bring machines of their own. Each has beaten before: the first beat is a rarer thing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from datetime import timedelta

from sqlalchemy import func, insert, select

from bench import meters
from bench.connection import HttpConnection
from bench.databases import KINDS, place
from bench.instance import Instance
from bench.signed_client import SignedClient
from tests.support.processes import temporary_folder
from webapp import create_app
from webapp.domain.clock import utcnow
from webapp.extensions import db
from webapp.models import NodeHeartbeat
from webapp.services.container import Services
from webapp.services.signing_keys import IssuedKey
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_ownership import list_wallets

NODES_AIMED_AT, SECONDS_BETWEEN_BEATS = 10_000, 30
AT_ONCE = 500
Nodes = list[tuple[str, IssuedKey]]


def main() -> None:
    """Measure and print a line of a Markdown table."""
    options = _options()
    with place(options.db) as found:
        instance = Instance(temporary_folder("bench-heartbeats") / "instance", found.create())
        nodes = _register(instance, options.nodes)
        began = utcnow()
        try:
            instance.start(options.workers)
            _measure(instance, nodes, options)
        finally:
            instance.stop()
        print(f"\n{_heard_since(instance, began)} nodes were heard from.")


def _register(instance: Instance, count: int) -> Nodes:
    """Make the schema and the nodes, each heard from an hour ago."""
    instance.make_schema()
    app = create_app(instance.settings)
    services = Services.of(instance.settings)
    nodes: Nodes = []
    with app.app_context():
        session = db.session()
        owner = services.identity(session).register("bench@example.com", "bench-bench", "provider")
        wallet = list_wallets(session, owner.id)[0]
        auth = services.node_auth(session)
        before = dict.fromkeys(("last_beat_at", "signed_at"), utcnow() - timedelta(hours=1))
        for start in range(0, count, AT_ONCE):
            some = [f"node_{number:05}" for number in range(start, min(start + AT_ONCE, count))]
            with unit_of_work(session):
                nodes += [(node_id, auth.register_node(node_id, wallet.id).key) for node_id in some]
                beats = [{"node_id": node_id, "load": 0, "tasks_running": 0, **before} for node_id in some]
                session.execute(insert(NodeHeartbeat), beats)
            session.expunge_all()
        db.engine.dispose()
    return nodes


def _measure(instance: Instance, nodes: Nodes, options: argparse.Namespace) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(options.clients)
    answers: multiprocessing.Queue[tuple[float, list[float]]] = context.Queue()
    clients = [
        context.Process(
            target=_client,
            args=(instance.port, nodes[number :: options.clients], options.seconds, ready, answers),
        )
        for number in range(options.clients)
    ]
    before = meters.children_seconds()
    for client in clients:
        client.start()
    parts = [answers.get() for _ in clients]
    for client in clients:
        client.join()
    spent = meters.children_seconds() - before
    took = max(seconds for seconds, _ in parts)
    latencies = [latency for _, part in parts for latency in part]
    _report(latencies, took, spent, options)


def _client(port, nodes, seconds, ready, answers) -> None:  # type: ignore[no-untyped-def]
    """Sign a beat of each node, wait for the other clients, then send them for so many seconds at most."""
    connection = HttpConnection("127.0.0.1", port)
    requests = []
    for number, (node_id, key) in enumerate(nodes):
        client = SignedClient("127.0.0.1", port, key.key_id, key.secret, connection)
        body = {"load": f"0.{number % 1000:03}", "tasks_running": number % 5, "version": "1.1"}
        requests.append((client, client.sign(f"/nodes/{node_id}/heartbeat", body)))
    ready.wait()
    latencies: list[float] = []
    started = time.perf_counter()
    for client, request in requests:
        sent = time.perf_counter()
        if sent - started > seconds:
            break
        client.send(request)
        latencies.append((time.perf_counter() - sent) * 1000)
    answers.put((time.perf_counter() - started, latencies))


def _report(latencies: list[float], took: float, spent: float, options: argparse.Namespace) -> None:
    """The last column counts what a beat takes of a processor, which other work on the machine changes less."""
    rate, wanted = len(latencies) / took, NODES_AIMED_AT / SECONDS_BETWEEN_BEATS
    percentiles = statistics.quantiles(latencies, n=100)
    each_ms = spent / len(latencies) * 1000
    print("| database | nodes | clients | beats/s | share of 333/s | p50 / p99 ms | processor ms a beat |")
    print("|---|---|---|---|---|---|---|")
    print(
        f"| {options.db} | {options.nodes} | {options.clients} | {rate:.0f} | {rate / wanted:.2f} | "
        f"{percentiles[49]:.1f} / {percentiles[98]:.1f} | {each_ms:.2f} |",
        flush=True,
    )
    print(f"\n333 beats/s would keep {wanted * each_ms / 1000:.2f} processors busy.")


def _heard_since(instance: Instance, moment) -> int:  # type: ignore[no-untyped-def]
    app = create_app(instance.settings)
    with app.app_context():
        counted = select(func.count()).where(NodeHeartbeat.last_beat_at >= moment)
        heard: int = db.session.execute(counted).scalar_one()
        db.session.rollback()
        db.engine.dispose()
    return heard


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.heartbeats")
    parser.add_argument("--nodes", type=int, default=NODES_AIMED_AT)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--workers", type=int, default=2, help="processes of the server")
    parser.add_argument("--db", choices=KINDS, default="postgres")
    return parser.parse_args()


if __name__ == "__main__":
    main()
