"""Names of processes that hold something, so that what a dead one held need not wait for its lease to end."""

from __future__ import annotations

import functools
import os
import secrets
import socket


def holder() -> str:
    """This process's name: `host:pid:random`. A forked child has another one than its parent."""
    return _holder_of(os.getpid())


def is_known_dead(name: str) -> bool:
    """True only for a process of this host that is gone. Another host's, and a reused number, count as alive."""
    host, _, rest = name.rpartition(":")[0].rpartition(":")
    if host != _host() or not rest.isdigit():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@functools.lru_cache(maxsize=1)
def _holder_of(pid: int) -> str:
    return f"{_host()}:{pid}:{secrets.token_hex(4)}"


def _host() -> str:
    return socket.gethostname()[:64]
