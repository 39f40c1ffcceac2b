"""Names of processes that hold something, so that what a dead one held need not wait for its lease to end."""

from __future__ import annotations

import os
import secrets
import socket

HOLDER = f"{socket.gethostname()[:64]}:{os.getpid()}:{secrets.token_hex(4)}"


def is_known_dead(holder: str) -> bool:
    """True only for a process of this host that is gone. Another host's, and a reused number, count as alive."""
    host, _, rest = holder.rpartition(":")[0].rpartition(":")
    if host != HOLDER.split(":", 1)[0] or not rest.isdigit():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
