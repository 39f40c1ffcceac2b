"""Rates counted in each process and told to Redis now and then: exact near the limit, bounded before it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage, storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter

from webapp.services import rate_counts
from webapp.services.rate_counts import EXCHANGE_SECONDS, CountedRedisStorage, counted_address

KEY = "key:somebody"


class Clock:
    """The clock of all the processes."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


class Process:
    """A process with a storage of its own, and how often it has asked Redis."""

    def __init__(self, address: str, limit: int) -> None:
        storage = storage_from_string(counted_address(address))
        assert isinstance(storage, CountedRedisStorage)
        self.storage = storage
        self.item = RateLimitItemPerMinute(limit)
        self.limiter = SlidingWindowCounterRateLimiter(storage)
        self.asked = 0
        exchange = storage._exchange_script

        def counted(*told: object) -> object:
            self.asked += 1
            return exchange(*told)

        storage._exchange_script = counted

    def hit(self, times: int = 1) -> int:
        """Ask so often; how often it may."""
        return sum(self.limiter.hit(self.item, KEY) for _ in range(times))

    def remaining(self) -> int:
        return self.limiter.get_window_stats(self.item, KEY).remaining

    def remaining_by_redis(self) -> int:
        """What Redis knows, asked as the library asks."""
        previous, left, current, _ = RedisStorage.get_sliding_window(self.storage, self.item.key_for(KEY), 60)
        return self.item.amount - int(previous * left / 60) - current


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(rate_counts, "time", SimpleNamespace(monotonic=made.monotonic))
    return made


def processes(address: str, limit: int, count: int) -> list[Process]:
    return [Process(address, limit) for _ in range(count)]


def test_a_small_limit_is_exact_over_all_processes(redis_url: str, clock: Clock) -> None:
    several = processes(redis_url, 19, 3)
    passed = [each.hit() for _ in range(10) for each in several]
    assert passed == [1] * 19 + [0] * 11
    assert {each.remaining() for each in several} == {0}


def test_those_far_from_their_limit_pass_without_redis_which_is_told_of_them(
    redis_url: str, clock: Clock
) -> None:
    one, other = processes(redis_url, 1000, 2)
    assert one.hit(20) == 20
    assert one.asked == 1, "to learn how things stand"
    assert (one.remaining(), one.remaining_by_redis()) == (980, 999)
    clock.seconds += EXCHANGE_SECONDS
    assert one.hit() == 1
    assert one.asked == 2
    assert one.remaining() == one.remaining_by_redis() == 979
    assert other.hit() == 1
    assert other.remaining() == 978


@pytest.mark.parametrize("count", [1, 4])
def test_a_limit_is_exceeded_by_a_twentieth_for_each_process_at_most(
    count: int, redis_url: str, clock: Clock
) -> None:
    several = processes(redis_url, 100, count)
    for each in several:
        assert each.hit() == 1
    passed = count
    for _ in range(100):
        passed += sum(each.hit(3) for each in several)
    assert 100 <= passed <= 100 + count * 5
    assert not any(each.hit() for each in several)
    one = several[0]
    asked = one.asked
    assert one.hit(10) == 0
    assert one.asked == asked + 10, "near the limit every request is judged by Redis"


def test_what_was_asked_in_the_window_before_counts_by_what_is_left_of_it(
    redis_url: str, clock: Clock
) -> None:
    one, other = processes(redis_url, 200, 2)
    assert one.hit(5) == 5
    clock.seconds += EXCHANGE_SECONDS
    assert one.hit(95) == 95
    clock.seconds += EXCHANGE_SECONDS
    assert one.hit() == 1
    # Half a minute into the next window: of two minutes that a count is kept, half a minute is left.
    current = one.storage.prefixed_key(one.storage._current_window_key(one.item.key_for(KEY)))
    one.storage.get_connection().pexpire(current, 30_000)
    clock.seconds += 90
    assert other.hit() == 1
    assert other.remaining() == pytest.approx(200 - 101 * 30 / 60 - 1, abs=1)
    assert one.hit() == 1, "it sees by the clock that its window is over, and asks"
    assert one.remaining() == pytest.approx(other.remaining() - 1, abs=1)
    clock.seconds += 15
    assert one.remaining() == pytest.approx(200 - 101 * 15 / 60 - 2, abs=1)


def test_a_reset_forgets_here_and_there(redis_url: str, clock: Clock) -> None:
    (one,) = processes(redis_url, 100, 1)
    one.hit(100)
    one.storage.reset()
    assert one.remaining() == 100
    one.hit(5)
    one.storage.clear_sliding_window(one.item.key_for(KEY), 60)
    assert one.hit() == 1
    assert one.remaining() == one.remaining_by_redis() == 99


def test_other_storages_are_what_they_were() -> None:
    assert counted_address("memory://") == "memory://"
    assert counted_address("redis+cluster://host:1") == "redis+cluster://host:1"
    assert counted_address("rediss://host:1/2") == "counted+rediss://host:1/2"
