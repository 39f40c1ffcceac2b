"""Workers in processes of their own that SIGKILL themselves at a failpoint.

A process that has imported everything (`python -m tests.support.killed_worker`) forks each of them, which takes
hundredths of a second instead of one. It holds no connection, no thread and no name of a worker that a child could
inherit. Requests and answers are lines of JSON:

    {"config", "log", "point", "visit", "action"}  ->  {"began": pid}  ...  {"ended": pid, "status": -9}
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from flask import Flask

from tests.support.market import Market, worker_app
from tests.support.processes import PR_SET_PDEATHSIG, spawn, temporary_folder
from webapp import ROOT
from webapp.config import load_config
from webapp.domain import failpoints
from webapp.logs import configure_logs
from webapp.services.container import Services
from webapp.worker import Worker

ANYWHERE = "*"  # any point: the visits of all of them are counted
NEVER = ""
SIGKILLED = -signal.SIGKILL

Action = Callable[[Flask], object]


def work(app: Flask) -> None:
    """What a worker does unless told otherwise: every task once."""
    Worker(app).run_once()


def work_on(app: Flask) -> None:
    """Several rounds, as a worker that goes on while others come and go."""
    worker = Worker(app)
    for _ in range(4):
        worker.run_once()


class WorkerProcess:
    """A worker that was forked."""

    def __init__(self, nursery: Nursery, pid: int, log: Path) -> None:
        self._nursery = nursery
        self.pid = pid
        self.log = log

    def wait(self, timeout_seconds: float = 60) -> int:
        """Its exit status; `SIGKILLED` when it died at its point."""
        return self._nursery.status_of(self.pid, timeout_seconds)


class Nursery:
    """The process that forks workers, seen from outside."""

    def __init__(self) -> None:
        log = temporary_folder("nursery") / "log"
        command = ["/usr/bin/env", f"--chdir={ROOT}", sys.executable, "-m", __name__]
        self._process = spawn(command, log=log, is_talked_to=True)
        self._log = log
        self._buffer = b""
        self._ended: dict[int, int] = {}

    def start(
        self, market: Market, point: str, visit: int = 1, action: Action = work, config: Path | None = None
    ) -> WorkerProcess:
        """Fork a worker that dies at the `visit`th visit of `point` (one of POINTS, ANYWHERE or NEVER)."""
        assert point in (*failpoints.POINTS, ANYWHERE, NEVER), f"there is no point {point}"
        folder = market.services.settings.instance_path
        request = {
            "config": str(config or folder / "config.yaml"),
            "log": str(folder / "worker.log"),
            "point": point,
            "visit": visit,
            "action": f"{action.__module__}:{action.__qualname__}",
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        while "began" not in (answer := self._answer(60)):
            self._ended[answer["ended"]] = answer["status"]
        return WorkerProcess(self, answer["began"], folder / "worker.log")

    def status_of(self, pid: int, timeout_seconds: float) -> int:
        """Wait for a worker's end."""
        while pid not in self._ended:
            answer = self._answer(timeout_seconds)
            self._ended[answer["ended"]] = answer["status"]
        return self._ended.pop(pid)

    def _answer(self, timeout_seconds: float) -> dict[str, int]:
        assert self._process.stdout is not None
        output = self._process.stdout.fileno()
        deadline = time.monotonic() + timeout_seconds
        while b"\n" not in self._buffer:
            is_ready, _, _ = select.select([output], [], [], max(deadline - time.monotonic(), 0))
            read = os.read(output, 65536) if is_ready else b""
            if not read:
                raise TimeoutError(f"no worker came or went: {self._log.read_text()[-2000:]}")
            self._buffer += read
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer: dict[str, int] = json.loads(line)
        return answer


@functools.cache
def nursery() -> Nursery:
    """The one of this process, started when it is first asked for."""
    return Nursery()


def _serve() -> None:
    """The nursery itself: fork on request, and say at once when a child has ended, so that none stays a zombie."""
    bell, ringer = os.pipe()
    os.set_blocking(ringer, False)
    signal.set_wakeup_fd(ringer)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    requests = b""
    while True:
        ready, _, _ = select.select([0, bell], [], [])
        if bell in ready:
            os.read(bell, 4096)
            _report_the_ended()
        if 0 in ready:
            read = os.read(0, 65536)
            if not read:
                return
            *lines, requests = (requests + read).split(b"\n")
            for line in lines:
                _fork(json.loads(line))


def _report_the_ended() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _say(ended=pid, status=os.waitstatus_to_exitcode(status))


def _fork(request: dict[str, Any]) -> None:
    nursery_pid = os.getpid()
    pid = os.fork()
    if pid:
        _say(began=pid)
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != nursery_pid:
        os._exit(1)
    _be_a_worker(request)


def _be_a_worker(request: dict[str, Any]) -> NoReturn:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    status = 1
    try:
        configure_logs()
        _run(request)
        status = 0
    except BaseException:  # noqa: BLE001  (nobody is above who could be told: the log is)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _run(request: dict[str, Any]) -> None:
    module, _, name = request["action"].partition(":")
    action: Action = getattr(importlib.import_module(module), name)
    if request["point"] != NEVER:
        failpoints.arm(_killer(request["point"], request["visit"]))
    app = worker_app(Services.of(load_config(request["config"])))
    with app.app_context():
        action(app)


def _killer(point: str, visit: int) -> Callable[[str], None]:
    visits_left = visit

    def die_here(reached: str) -> None:
        nonlocal visits_left
        visits_left -= point in (reached, ANYWHERE)
        if not visits_left:
            os.write(2, f"SIGKILL at {reached}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    return die_here


def _say(**answer: int) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    _serve()
