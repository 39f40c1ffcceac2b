"""Clients in two processes of their own drive the server for a number of seconds: what they did, and what it cost."""

from __future__ import annotations

import gc
import multiprocessing
import queue
import statistics
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench import meters
from bench.meters import Pulse, Spent
from bench.mixes import Client
from bench.people import Pair

PATIENCE_SECONDS = 120
PROCESSES = 2
LONGEST_PAUSE_SECONDS = 1.0
Job = tuple[int, list[Pair], str, str]


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor seconds by whom they were used; MiB of the server's memory before and after; a pause of the machine."""

    spent: Spent
    memory_before: float
    memory_after: float
    longest_pause_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Load:
    """What came of one run: `done` counts what clients did, `latencies` are milliseconds by endpoint."""

    seconds: float
    done: Counter[str]
    latencies: dict[str, list[float]]
    cost: Cost

    @property
    def is_steady(self) -> bool:
        """Whether the machine never stood still meanwhile."""
        return self.cost.longest_pause_seconds <= LONGEST_PAUSE_SECONDS

    @property
    def requests(self) -> int:
        """How many were answered."""
        return sum(map(len, self.latencies.values()))


def percentile(latencies: list[float], percent: int) -> float:
    """The latency that `percent` of the requests did not exceed."""
    if len(latencies) < 2:
        return latencies[0] if latencies else 0.0
    return statistics.quantiles(latencies, n=100, method="inclusive")[percent - 1]


def run(port: int, server: int, pairs: list[Pair], mix: str, clients: int, seconds: float, seed: int) -> Load:
    """Drive the server, whose first process is `server`, with so many clients at once.

    They are threads of two processes, as those of pgbench in the reference are. Raises RuntimeError with the words of
    a client that got an answer it had not expected.
    """
    context = multiprocessing.get_context("fork")
    count = min(clients, PROCESSES)
    ready, answers = context.Barrier(count + 1), context.Queue()
    jobs = [(port, pairs[number::clients], mix, f"{seed}:{number}") for number in range(clients)]
    processes = [
        context.Process(target=_clients, args=(jobs[number::count], seconds, ready, answers))
        for number in range(count)
    ]
    for process in processes:
        process.start()
    ready.wait(PATIENCE_SECONDS)
    parts, cost = metered(server, lambda: [_next(answers, seconds) for _ in jobs])
    for process in processes:
        process.join()
    return _together(parts, cost)


def metered(server: int, work: Callable[[], Any]) -> tuple[Any, Cost]:
    """What the work gives, and what it cost."""
    memory = meters.memory_mib(server)
    before = meters.spent(server)
    with Pulse() as pulse:
        given = work()
    spent = meters.spent(server) - before
    return given, Cost(spent, memory, meters.memory_mib(server), pulse.longest_pause_seconds)


def _clients(jobs: list[Job], seconds: float, ready: Any, answers: Any) -> None:
    gc.freeze()  # what the parent has is never looked through again, and its pages stay shared
    clients = [Client(*job) for job in jobs]
    for client in clients:
        client.warm_up()
    threads = [threading.Thread(target=_act, args=(client, seconds, answers)) for client in clients]
    ready.wait(PATIENCE_SECONDS)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _act(client: Client, seconds: float, answers: Any) -> None:
    started = time.perf_counter()
    try:
        while time.perf_counter() - started < seconds:
            client.act()
    except RuntimeError as error:
        answers.put(str(error))
    else:
        answers.put((time.perf_counter() - started, client.done, dict(client.latencies)))


def _next(answers: Any, seconds: float) -> Any:
    try:
        part = answers.get(timeout=seconds + PATIENCE_SECONDS)
    except queue.Empty:
        raise RuntimeError("a client did not come back") from None
    if isinstance(part, str):
        raise RuntimeError(part)
    return part


def _together(parts: list[tuple[float, Counter[str], dict[str, list[float]]]], cost: Cost) -> Load:
    latencies: defaultdict[str, list[float]] = defaultdict(list)
    for _, _, part in parts:
        for endpoint, some in part.items():
            latencies[endpoint] += some
    done: Counter[str] = sum((done for _, done, _ in parts), Counter())
    return Load(max(seconds for seconds, _, _ in parts), done, dict(latencies), cost)
