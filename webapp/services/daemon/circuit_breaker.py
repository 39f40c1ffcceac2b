"""Stops asking a peer that does not answer, for a short while. Knows nothing of what is asked.

Closed: everything passes. After `failures_to_open` failures in a row, or one conclusive failure, it opens:
nothing passes for `cooldown_seconds`. Then one caller passes as a probe and the pause starts again for the
others; an answer closes it. A probe that never reports back blocks nobody: the next pause ends by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock


class CircuitBreaker:
    """Thread-safe; shared by every caller of one peer."""

    def __init__(
        self,
        *,
        failures_to_open: int = 5,
        cooldown_seconds: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures_to_open = failures_to_open
        self._cooldown_seconds = cooldown_seconds
        self._clock = clock
        self._lock = Lock()
        self._failures = 0
        self._closed_to_all_until = 0.0

    def may_try(self) -> bool:
        """Whether this caller may ask. True for one caller per pause while open."""
        with self._lock:
            if self._failures < self._failures_to_open:
                return True
            if self._clock() < self._closed_to_all_until:
                return False
            self._closed_to_all_until = self._clock() + self._cooldown_seconds
            return True

    def answered(self) -> None:
        """The peer answered, whatever it said."""
        with self._lock:
            self._failures = 0

    def failed(self, *, conclusive: bool = False) -> None:
        """The peer did not answer. `conclusive` opens at once: a time-out has cost enough waiting."""
        with self._lock:
            self._failures = self._failures_to_open if conclusive else self._failures + 1
            self._closed_to_all_until = self._clock() + self._cooldown_seconds

    @property
    def is_open(self) -> bool:
        """Whether callers are being turned away at this moment."""
        with self._lock:
            waiting = self._clock() < self._closed_to_all_until
            return waiting and self._failures >= self._failures_to_open
