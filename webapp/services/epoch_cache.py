"""What was read from the database and is kept in the process, as long as nothing has changed that it depends on.

The database counts the changes (`models.KeyEpoch`) and says whose they are (`models.KeyChange`). A cache asks from
time to time, and forgets what was read of these. It asks at most every `ask_every` seconds, and what was not confirmed
within `TRUSTED_SECONDS` is not used: a change is seen everywhere within a second, whatever happens.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from math import inf
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from webapp.models import KeyChange, KeyEpoch

ASK_EVERY_SECONDS = 0.5
# While one request asks, and its answer takes its time, the others go on for so long.
TRUSTED_SECONDS = 0.9
MAX_KEPT = 10_000

_EPOCH = select(KeyEpoch.number)
# As a column of a question about something else, answered together with it.
EPOCH = _EPOCH.scalar_subquery().label("epoch")
_CHANGES = select(KeyChange.number, KeyChange.wallet_id).where(
    KeyChange.number > bindparam("known"), KeyChange.number <= bindparam("epoch")
)

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Found(Generic[Value]):
    """What was read of a wallet's keys, with the epoch of the same snapshot: of a change after it one will be told."""

    value: Value
    wallet_id: int
    epoch: int


class EpochCache:
    """At most `MAX_KEPT` values by their names; the one that was not used for longest is forgotten first."""

    def __init__(
        self, ask_every: float = ASK_EVERY_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask_every = ask_every
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, Found[Any]] = OrderedDict()
        self._names: defaultdict[int, set[Hashable]] = defaultdict(set)
        self._epoch = -1
        self._asked_at = -inf
        self._is_asking = False

    def get(self, session: Session, name: Hashable, read: Callable[[], Found[Value] | None]) -> Value | None:
        """The value under this name: the kept one, or what `read` finds. What is not found is not kept."""
        self._catch_up(session)
        with self._lock:
            entry = self._entries.get(name)
            if entry is not None:
                self._entries.move_to_end(name)
                return cast(Value, entry.value)
        found = read()
        if found is None:
            return None
        self._keep(name, found)
        return found.value

    def _catch_up(self, session: Session) -> None:
        """Forget what has changed, unless that was done a moment ago."""
        now = self._clock()
        with self._lock:
            age, known = now - self._asked_at, self._epoch
            if age < (TRUSTED_SECONDS if self._is_asking else self._ask_every):
                return
            self._is_asking = True
        try:
            epoch = session.connection().execute(_EPOCH).scalar_one()
            changes = (
                session.execute(_CHANGES, {"known": known, "epoch": epoch}).all()
                if epoch > known >= 0
                else []
            )
        finally:
            self._is_asking = False
        with self._lock:
            # Of two answers the one that was asked for last is right, not the one that came last.
            if now < self._asked_at:
                return
            self._asked_at = now
            if known != self._epoch or len({number for number, _ in changes}) != epoch - known:
                self._entries.clear()  # somebody else was told of others, or they are told of no more
                self._names.clear()
            for _, wallet_id in changes:
                for name in self._names.pop(wallet_id, ()):
                    self._entries.pop(name, None)
            self._epoch = epoch

    def _keep(self, name: Hashable, entry: Found[Any]) -> None:
        with self._lock:
            if entry.epoch < self._epoch:
                return  # what has changed since it was read is not told again
            self._entries[name] = entry
            self._entries.move_to_end(name)
            self._names[entry.wallet_id].add(name)
            if len(self._entries) > MAX_KEPT:
                self._forget(*self._entries.popitem(last=False))

    def _forget(self, name: Hashable, entry: Found[Any]) -> None:
        names = self._names[entry.wallet_id]
        names.discard(name)
        if not names:
            del self._names[entry.wallet_id]
