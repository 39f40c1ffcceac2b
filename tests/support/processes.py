"""Child processes that never outlive the tests: how to start one, find it a port, wait for it, end it.

Every child asks the kernel to be killed with its parent (`PR_SET_PDEATHSIG`), so that not even a test run ended
by SIGKILL leaves a daemon behind, and is also ended at interpreter exit. The death signal follows the *thread*
that started the child: start long-lived ones from the main thread.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

POLL_SECONDS = 0.02
SHORTEST_POLL_SECONDS = 0.002
PR_SET_PDEATHSIG = 1
_MEMORY = Path("/dev/shm")
_PLENTY_BYTES = 2 << 30  # two test workers need a quarter of it
_libc = ctypes.CDLL(None, use_errno=True)
_random = random.SystemRandom()  # the plugins that reseed `random` would give every worker the same ports
_handed_out: set[int] = set()


def free_port() -> int:
    """A loopback port nobody listens on, below the ephemeral range so that no outgoing connection takes it."""
    while True:
        port = _random.randrange(16_000, 32_000)
        if port in _handed_out:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _handed_out.add(port)
        return port


def spawn(
    command: list[str],
    *,
    log: Path,
    user: str | None = None,
    death_signal: int = signal.SIGKILL,
    is_talked_to: bool = False,
) -> subprocess.Popen[bytes]:
    """Start `command` with its output in `log`, as `user` when given (needs root). It dies with this process.

    With `is_talked_to`, its standard input and output are pipes to us, and only its complaints are logged.
    """

    def die_with_parent() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, death_signal)

    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if is_talked_to else subprocess.DEVNULL,
            stdout=subprocess.PIPE if is_talked_to else output,
            stderr=output,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - it makes one system call and takes no lock
            start_new_session=True,  # Ctrl-C reaches the tests, which then end their daemons in order
            user=user,
            group=user,
            extra_groups=[] if user else None,
        )
    atexit.register(end, process, death_signal)
    return process


def end(process: subprocess.Popen[bytes], how: int = signal.SIGTERM, timeout_seconds: float = 30) -> None:
    """Signal a process and reap it; SIGKILL when it does not go. A process that is gone already is fine."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(condition: Callable[[], object], what: str, timeout_seconds: float = 30) -> None:
    """Poll until `condition` holds; `TimeoutError` names `what` was waited for."""
    deadline = time.monotonic() + timeout_seconds
    pause = SHORTEST_POLL_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_seconds} s for {what}")
        time.sleep(pause)
        pause = min(pause * 2, POLL_SECONDS)  # most of what is waited for is there at once


def temporary_folder(name: str, owner: str | None = None, *, is_on_disk: bool = False) -> Path:
    """A folder removed at exit, outside pytest's private one so that another user (`owner`) may enter it.

    It is in memory where there is plenty: daemons and databases wait for the disk at every step, and what the tests
    kill are processes, which take nothing with them that was written. `TMPDIR` has it elsewhere.
    """
    parent = None if is_on_disk or "TMPDIR" in os.environ else _memory()
    folder = Path(tempfile.mkdtemp(prefix=f"duxos-{os.getpid()}-{name}-", dir=parent))
    if owner:
        shutil.chown(folder, owner, owner)
    atexit.register(_remove_if_ours, folder, os.getpid())
    return folder


@functools.cache
def _memory() -> Path | None:
    """Where folders are in memory, if there is plenty; what runs that were killed have left there is removed first."""
    if not _MEMORY.is_dir():
        return None
    for left in _MEMORY.glob("duxos-*-*"):
        pid = left.name.split("-")[1]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(left, ignore_errors=True)
    return _MEMORY if shutil.disk_usage(_MEMORY).free > _PLENTY_BYTES else None


def _remove_if_ours(folder: Path, pid: int) -> None:
    if os.getpid() == pid:  # a forked child (pytest-flask's live server) inherits the hook, not the folder
        shutil.rmtree(folder, ignore_errors=True)
