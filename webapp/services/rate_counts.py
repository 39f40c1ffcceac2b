"""How often everyone has asked lately, counted over all processes in Redis, without asking Redis each time.

`limits` counts in a sliding window with two round trips for a request: one to take a place, one for the headers. Here
a process lets those who are far from their limit pass by what it was told last, and tells Redis of them together,
every `EXCHANGE_SECONDS`. What it lets pass and Redis does not know of is at most a twentieth of what was left, and
nothing above `EXACT_FROM` of the limit: from there on every request takes its place in Redis. So all processes together
may let somebody exceed a limit by a twentieth of it for each of them, in a rush, and no further. A limit below twenty
is exact.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from limits.storage import RedisStorage

_PREFIX = "counted+"
# Not a cluster: one script speaks of many keys.
_SCHEMES = ("redis", "rediss", "redis+unix")
EXCHANGE_SECONDS = 0.1
EXACT_FROM = 0.8
ROOM_PART = 20
MAX_KEPT = 20_000

# KEYS: the previous and the current window of each. ARGV: for each its expiry in milliseconds, what was let pass, what
# is asked for now, and the limit. Answers for each whether there was place for what is asked, and the windows: count
# and milliseconds left of the previous and of the current one. The windows are those of the library.
_EXCHANGE = """
local answers = {}
for i = 1, #KEYS / 2 do
  local previous, current = KEYS[2 * i - 1], KEYS[2 * i]
  local expiry, passed = tonumber(ARGV[4 * i - 3]), tonumber(ARGV[4 * i - 2])
  local asked, limit = tonumber(ARGV[4 * i - 1]), tonumber(ARGV[4 * i])
  local left = redis.call('pttl', current)
  if left > 0 and left < expiry then
    redis.call('rename', current, previous)
    redis.call('set', current, 0, 'PX', left + expiry)
  end
  local before = tonumber(redis.call('get', previous) or 0)
  local before_left = math.max(redis.call('pttl', previous), 0)
  local count = tonumber(redis.call('get', current) or 0)
  local has_place = math.floor(before * before_left / expiry) + count + passed + asked <= limit
  local added = passed + (has_place and asked or 0)
  if redis.call('exists', current) == 1 then
    redis.call('incrby', current, added)
  elseif added > 0 then
    redis.call('set', current, added, 'PX', expiry * 2)
  end
  left = math.max(redis.call('pttl', current), 0)
  answers[i] = {has_place and 1 or 0, before, before_left, count + added, left}
end
return answers
"""


def counted_address(address: str) -> str:
    """The address of the same storage, counted here where that is known to be right."""
    is_counted = address.partition("://")[0] in _SCHEMES
    return f"{_PREFIX}{address}" if is_counted else address


@dataclass(slots=True)
class _Count:
    """What is known of one key. Times are of the process's clock, in seconds. Redis does not know of `unsent` yet."""

    limit: int
    expiry: int
    previous: int = 0
    previous_ends: float = 0.0
    current: int = 0
    current_ends: float = 0.0
    unsent: int = 0
    sending: int = 0

    def is_known(self, now: float) -> bool:
        """Whether the window that Redis told of is still the current one; it is kept for twice its time."""
        return now < self.current_ends - self.expiry

    def weight(self, now: float) -> float:
        """As the library weighs it: the previous window by what is left of it."""
        before = self.previous * max(0.0, self.previous_ends - now) / self.expiry
        return before + self.current

    def has_place(self, now: float, amount: int) -> bool:
        """Whether the process may let `amount` pass by itself."""
        unknown, weight = self.unsent + self.sending + amount, self.weight(now)
        has_room = unknown <= (self.limit - weight) // ROOM_PART
        return has_room and weight + unknown <= self.limit * EXACT_FROM and self.is_known(now)

    def learn(self, now: float, before: int, before_left: int, count: int, left: int) -> None:
        """Take what Redis has told; times in milliseconds."""
        self.previous, self.previous_ends = before, now + before_left / 1000
        self.current, self.current_ends = count, now + left / 1000


@dataclass(frozen=True, slots=True)
class _Message:
    """What Redis is told of one key, and asked."""

    count: _Count
    passed: int
    asked: int = 0


class CountedRedisStorage(RedisStorage):
    """Redis as a storage of `limits` that is asked seldom, for sliding windows. Its address begins with `counted+`."""

    STORAGE_SCHEME = [f"{_PREFIX}{scheme}" for scheme in _SCHEMES]

    def __init__(self, uri: str, **options: Any) -> None:
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._unsent: set[str] = set()
        self._next_exchange = 0.0
        super().__init__(uri.removeprefix(_PREFIX), **options)

    def initialize_storage(self, _uri: str) -> None:
        """Make our script known together with the library's."""
        super().initialize_storage(_uri)
        self._exchange_script = self.get_connection().register_script(_EXCHANGE.encode())

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Take `amount` places. Raises RedisError when Redis is needed for it and away."""
        now = time.monotonic()
        with self._lock:
            count = self._count(key, limit, expiry)
            has_place = count.has_place(now, amount)
            if has_place:
                count.unsent += amount
                self._unsent.add(key)
                if now < self._next_exchange:
                    return True
            messages = self._take_unsent(now)
            if not has_place:
                passed = messages[key].passed if key in messages else 0
                messages[key] = _Message(count, passed, amount)
        answers = self._exchange(messages)
        return has_place or answers[key]

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Count and seconds left of the previous and of the current window."""
        now = time.monotonic()
        with self._lock:
            count = self._counts.get(key)
            if count is not None and count.is_known(now):
                current = count.current + count.unsent + count.sending
                return count.previous, max(0.0, count.previous_ends - now), current, count.current_ends - now
        return super().get_sliding_window(key, expiry)

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget the key here and there."""
        with self._lock:
            self._counts.pop(key, None)
        super().clear_sliding_window(key, expiry)

    def reset(self) -> int | None:
        """Forget everything here and there."""
        with self._lock:
            self._counts.clear()
        return super().reset()

    def _count(self, key: str, limit: int, expiry: int) -> _Count:
        count = self._counts.get(key)
        if count is None or (count.limit, count.expiry) != (limit, expiry):
            count = self._counts[key] = _Count(limit, expiry)
        self._counts.move_to_end(key)
        return count

    def _take_unsent(self, now: float) -> dict[str, _Message]:
        """What is to be told, marked as being on its way. Whoever calls has the lock."""
        self._next_exchange = now + EXCHANGE_SECONDS
        messages = {}
        for key in self._unsent:
            if (count := self._counts.get(key)) is not None:
                messages[key] = _Message(count, count.unsent)
                count.sending += count.unsent
                count.unsent = 0
        self._unsent.clear()
        while len(self._counts) > MAX_KEPT:
            self._counts.popitem(last=False)
        return messages

    def _exchange(self, messages: dict[str, _Message]) -> dict[str, bool]:
        """Tell and ask, in one round trip: who has a place. What does not arrive is forgotten."""
        keys, arguments = [], []
        for key, message in messages.items():
            keys += [self.prefixed_key(self._previous_window_key(key))]
            keys += [self.prefixed_key(self._current_window_key(key))]
            count = message.count
            arguments += [count.expiry * 1000, message.passed, message.asked, count.limit]
        answers: list[list[int]] = []
        try:
            answers = self._exchange_script(keys, arguments)
        finally:
            now = time.monotonic()
            with self._lock:
                for message in messages.values():
                    message.count.sending -= message.passed
                for message, (_, *windows) in zip(messages.values(), answers, strict=False):
                    message.count.learn(now, *windows)
        return {key: bool(has_place) for key, (has_place, *_) in zip(messages, answers, strict=True)}
