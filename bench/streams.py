"""Five hundred open event streams on one process: what they add to the time of other requests.

Everybody who listens is one of those whose escrows are made and released meanwhile, so all that is told is told to
somebody. Runs without and with the streams take turns on the same server.
"""

from __future__ import annotations

import multiprocessing
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection

from bench import load
from bench.browser import Browser
from bench.databases import place
from bench.instance import Instance
from bench.load import Load, percentile
from bench.people import Pair
from bench.rounds import MOST_TRIES
from bench.stage import Stage
from bench.targets import Measured

STREAMS = 500
HISTORY, CLIENTS = 1000, 2
# Threads for the requests besides the streams.
OTHER_THREADS = 8
PATIENCE_SECONDS = 120
WARM_UP_SECONDS = 2.0
HEARTBEAT_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Figure:
    """Without and with streams: the p50 of all other requests in ms, and the server's processor ms for a request."""

    p50_ms: tuple[float, float]
    server_ms: tuple[float, float]
    events: int

    @property
    def added_percent(self) -> float:
        """What the streams add to the p50."""
        without, with_streams = self.p50_ms
        return (with_streams / without - 1) * 100


def measure(stage: Stage) -> dict[str, Measured]:
    """What five hundred streams add, in percent, in each of so many pairs of runs."""
    room = {"live": {"streams_per_process": STREAMS}}
    threads = STREAMS + OTHER_THREADS
    with (
        place("postgres") as found,
        stage.served(found, HISTORY, 1, threads=threads, sections=room) as (instance, pairs),
    ):
        figures = list(_figures(stage, instance, pairs))
        stage.prove(instance)
    details = {
        "p50_ms": [figure.p50_ms for figure in figures],
        "events": [figure.events for figure in figures],
    }
    return {"streams": Measured([figure.added_percent for figure in figures], details=details)}


def _figures(stage: Stage, instance: Instance, pairs: list[Pair]) -> Iterator[Figure]:
    """Those in which the machine never stood still. Raises RuntimeError when the server does not hold all streams."""
    port, server, seconds = instance.port, instance.pid, stage.options.seconds
    cookies = [_cookie(port, pair) for pair in pairs[:STREAMS]]
    kept = 0
    load.run(port, server, pairs, "A", CLIENTS, WARM_UP_SECONDS, stage.options.seed)
    for number in range(stage.options.runs * MOST_TRIES):
        if kept == stage.options.runs:
            return
        if number:
            # Only by then the server has found out that nobody listens any more.
            time.sleep(HEARTBEAT_SECONDS + 1)
        quiet = load.run(port, server, pairs, "A", CLIENTS, seconds, 2 * number)
        listeners = Listeners(port, cookies)
        busy = load.run(port, server, pairs, "A", CLIENTS, seconds, 2 * number + 1)
        figure = Figure((_p50(quiet), _p50(busy)), (_server(quiet), _server(busy)), listeners.stop())
        stage.say(f"{figure}")
        if quiet.is_steady and busy.is_steady:
            kept += 1
            yield figure


class Listeners:
    """A process that holds a stream for each cookie and reads what comes. All are open when this is made."""

    def __init__(self, port: int, cookies: list[str]) -> None:
        context = multiprocessing.get_context("fork")
        self._end, theirs = context.Pipe()
        self._process = context.Process(target=_listen, args=(port, cookies, theirs), daemon=True)
        self._process.start()
        self._hear()

    def stop(self) -> int:
        """End all streams; how many events were heard. Raises RuntimeError if a stream has ended before."""
        self._end.send("stop")
        heard = self._hear()
        self._process.join()
        return heard

    def _hear(self) -> int:
        if not self._end.poll(PATIENCE_SECONDS):
            raise RuntimeError("the streams were not opened in time")
        said: int | str = self._end.recv()
        if isinstance(said, str):
            raise RuntimeError(said)
        return said


def _listen(port: int, cookies: list[str], end: Connection) -> None:
    try:
        with selectors.DefaultSelector() as selector:
            for number, cookie in enumerate(cookies):
                selector.register(_open(port, cookie, number), selectors.EVENT_READ)
            end.send(0)
            selector.register(end, selectors.EVENT_READ)
            end.send(_events(selector, end))
    except (OSError, RuntimeError) as error:
        end.send(f"streams: {error}")


def _open(port: int, cookie: str, number: int) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
    request = f"GET /live?page=bench-{number} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n"
    stream.sendall(request.encode())
    head = stream.recv(1 << 14)
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise RuntimeError(f"stream {number} was not opened: {head[:80]!r}")
    return stream


def _events(selector: selectors.BaseSelector, end: Connection) -> int:
    heard = 0
    while True:
        for key, _ in selector.select():
            if key.fileobj is end:
                return heard
            assert isinstance(key.fileobj, socket.socket)
            part = key.fileobj.recv(1 << 16)
            if not part:
                raise RuntimeError("a stream was ended by the server")
            heard += part.count(b"event: ")


def _cookie(port: int, pair: Pair) -> str:
    browser = Browser(port)
    browser.log_in(pair.payer.email)
    return browser.cookie


def _p50(driven: Load) -> float:
    return percentile([one for some in driven.latencies.values() for one in some], 50)


def _server(driven: Load) -> float:
    return driven.cost.spent.server / driven.requests * 1000
