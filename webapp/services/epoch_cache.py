"""What was read from the database and is kept in the process, as long as nothing has changed that it depends on.

The database counts the changes (`models.KeyEpoch`). A cache asks for the count from time to time, and what was read
under an older count than the present one no longer counts. It is asked for at most every `ask_every` seconds, and what
was not confirmed within `TRUSTED_SECONDS` is not used: a change is seen everywhere within a second, whatever happens.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from math import inf
from typing import Any, TypeVar, cast

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from webapp.models import KeyEpoch

ASK_EVERY_SECONDS = 0.5
# While one request asks, and its answer takes its time, the others go on for so long.
TRUSTED_SECONDS = 0.9
MAX_KEPT = 10_000

_EPOCH: Select[int] = select(KeyEpoch.number)

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Entry:
    value: Any
    epoch: int


class EpochCache:
    """At most `MAX_KEPT` values by their names; the one that was not used for longest is forgotten first."""

    def __init__(
        self, ask_every: float = ASK_EVERY_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask_every = ask_every
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._epoch = -1
        self._asked_at = -inf
        self._is_asking = False

    def get(self, session: Session, name: Hashable, read: Callable[[], Value | None]) -> Value | None:
        """The value under this name: the kept one, or what `read` finds by this session. None is not kept."""
        epoch = self._present_epoch(session)
        with self._lock:
            entry = self._entries.get(name)
            if entry is not None and entry.epoch == epoch:
                self._entries.move_to_end(name)
                return cast(Value, entry.value)
        # Before the value, and by the same session: a change in between leaves the entry with a number that is gone.
        before = session.execute(_EPOCH).scalar_one()
        value = read()
        if value is not None:
            self._keep(name, _Entry(value, before))
        return value

    def _present_epoch(self, session: Session) -> int:
        now = self._clock()
        with self._lock:
            age = now - self._asked_at
            if age < (TRUSTED_SECONDS if self._is_asking else self._ask_every):
                return self._epoch
            self._is_asking = True
        try:
            epoch = session.execute(_EPOCH).scalar_one()
        finally:
            self._is_asking = False
        with self._lock:
            # Of two answers the one that was asked for last is right, not the one that came last.
            if now >= self._asked_at:
                self._asked_at = now
                if epoch != self._epoch:
                    self._entries.clear()
                    self._epoch = epoch
            return self._epoch

    def _keep(self, name: Hashable, entry: _Entry) -> None:
        with self._lock:
            self._entries[name] = entry
            self._entries.move_to_end(name)
            if len(self._entries) > MAX_KEPT:
                self._entries.popitem(last=False)
