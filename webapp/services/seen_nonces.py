"""The latest nonces that this process has seen: what comes a second time is looked up before it counts as its key's.

A nonce is used up last, and that it was used already shows then: it is not looked up beforehand. But somebody who
sends an old request again and again must not use up the rate limit of the key that signed it: so the second time that
one process sees it, it is looked up before the limit.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

MAX_SEEN = 20_000


class SeenNonces:
    """One for all threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    def has_seen(self, key_id: str, nonce: str) -> bool:
        """Whether this process knows the nonce already; from now on it does."""
        name = (key_id, nonce)
        with self._lock:
            if name in self._seen:
                return True
            self._seen[name] = None
            if len(self._seen) > MAX_SEEN:
                self._seen.popitem(last=False)
            return False
