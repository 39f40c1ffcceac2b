"""What processes have used of the machine, as the kernel counts it: time of the processors, and memory."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
DATABASE, LIMITS = "postgres", "redis-server"


@dataclass(frozen=True, slots=True)
class Spent:
    """Processor seconds of the server, of PostgreSQL, of Redis, and of all the rest below this process: clients."""

    server: float
    database: float
    redis: float
    clients: float

    def __sub__(self, before: Spent) -> Spent:
        return Spent(
            self.server - before.server,
            self.database - before.database,
            self.redis - before.redis,
            self.clients - before.clients,
        )


@dataclass(frozen=True, slots=True)
class _Process:
    parent: int
    name: str
    seconds: float


def processor_seconds(root: int) -> float:
    """What a process, those below it and those of them that have ended have used so far."""
    processes = _all()
    return sum(processes[pid].seconds for pid in _tree(processes, root))


def spent(server: int) -> Spent:
    """What this process and everything that it has started have used so far; the server's first process is `server`."""
    processes = _all()
    ours = _tree(processes, os.getpid())
    by_server = sum(processes[pid].seconds for pid in _tree(processes, server))
    by_name = {
        name: sum(processes[pid].seconds for pid in ours if processes[pid].name == name)
        for name in (DATABASE, LIMITS)
    }
    everything = sum(processes[pid].seconds for pid in ours)
    clients = everything - by_server - sum(by_name.values())
    return Spent(by_server, by_name[DATABASE], by_name[LIMITS], clients)


def children_seconds() -> float:
    """The same of everything that this process has started: server, database, and clients that have ended."""
    processes, me = _all(), os.getpid()
    return sum(processes[pid].seconds for pid in _tree(processes, me) - {me})


def memory_mib(root: int) -> float:
    """MiB of memory of a process and those below it; what they share is counted once."""
    kib = 0
    for pid in _tree(_all(), root):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            kib += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kib / 1024


class Pulse:
    """Notes how long the machine stood still: virtual ones are stopped for seconds now and then."""

    def __init__(self, beat_seconds: float = 0.1, clock: Callable[[], float] = time.monotonic) -> None:
        self.longest_pause_seconds = 0.0
        self._beat_seconds, self._clock = beat_seconds, clock
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Pulse:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _beat(self) -> None:
        last = self._clock()
        while not self._is_over.wait(self._beat_seconds):
            now = self._clock()
            self.longest_pause_seconds = max(self.longest_pause_seconds, now - last - self._beat_seconds)
            last = now


@dataclass(frozen=True, slots=True)
class Memory:
    """MiB that a process has in memory; `proportional` divides what it shares among those who share it."""

    resident: float
    proportional: float


def memory_of(pid: int) -> Memory:
    """Of one process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines[1:])}
    return Memory(round(kib["Rss"] / 1024, 1), round(kib["Pss"] / 1024, 1))


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [child for child, process in _all().items() if process.parent == pid]


def _all() -> dict[int, _Process]:
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, rest = file.read_text().partition("(")[2].rpartition(")")
            fields = rest.split()
            ticks = sum(map(int, fields[11:15]))
            found[int(file.parent.name)] = _Process(int(fields[1]), name, ticks / _TICKS)
    return found


def _tree(processes: dict[int, _Process], root: int) -> set[int]:
    tree = {root} & processes.keys()
    while more := {pid for pid, process in processes.items() if process.parent in tree} - tree:
        tree |= more
    return tree
