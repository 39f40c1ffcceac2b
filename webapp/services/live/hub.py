"""The streams of one process, and the one thread and connection that finds out for all of them what has changed.

Nothing runs while nobody listens. Event ids are `<run>-<number>`: the changes of the present run are kept for a while,
so that a stream that was interrupted goes on where it was; every other id is answered with `again`.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque

import psycopg
import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from webapp.config import Settings
from webapp.services.live.attendance import audiences
from webapp.services.live.changes import OF_EVERYTHING, Change
from webapp.services.live.listeners import Listeners
from webapp.services.live.reader import Reader
from webapp.services.live.subscription import Subscription
from webapp.services.live.wake import make_engine, wake_on

log = structlog.get_logger(__name__)

KEPT_CHANGES = 1000
START_SECONDS = 5.0
# So long the thread waits for the next stream: a page is left and the next one comes.
LINGER_SECONDS = 5.0
LOOK_AROUND_SECONDS = 0.25
BETWEEN_READINGS_SECONDS = 0.25
# Even unasked it looks now and then: a word may be lost, and a connection that is dead is noticed only when used.
UNASKED_SECONDS = 10.0
RETRY_SECONDS = 1.0
DATABASE_AWAY = (DBAPIError, psycopg.Error)


class Hub:
    """Hands changes to subscriptions. Safe between threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.RLock()
        self._listeners = Listeners()
        self._kept: deque[tuple[int, Change]] = deque(maxlen=KEPT_CHANGES)
        self._run = ""
        self._number = 0
        self._thread: threading.Thread | None = None
        self._is_reading = threading.Event()
        self._left_at = 0.0
        self._is_closed = False

    def subscribe(self, subscription: Subscription, left: str = "", after: str = "") -> bool:
        """Let it listen from now on, or from event `after` on; false when there is no room for another stream.

        It takes the place of the user's earlier stream for its page, and of the one for the page that was `left` for
        it, and with too many of the user's, of the oldest. Its first event is `again`, if it may have missed one.
        """
        with self._lock:
            user_id = subscription.audience.user_id
            mine = [one for one in self._listeners if one.audience.user_id == user_id]
            for one in [one for one in mine if one.page and one.page in (subscription.page, left)]:
                self.unsubscribe(one)
                mine.remove(one)
            if len(mine) >= self._settings.live.streams_per_user:
                self.unsubscribe(mine[0])
            if self._is_closed or len(self._listeners) >= self._settings.live.streams_per_process:
                return False
            self._listeners.add(subscription)
            self._start()
        # What happens before somebody reads would be missed by a page that looks before that.
        self._is_reading.wait(START_SECONDS)
        with self._lock:
            for event_id, change in self._missed(after):
                subscription.tell(event_id, change)
        return True

    def unsubscribe(self, subscription: Subscription) -> None:
        """End a subscription. One that has ended is fine."""
        subscription.close()
        with self._lock:
            self._listeners.remove(subscription)
            self._left_at = time.monotonic()

    def close(self) -> None:
        """End every stream and the thread."""
        with self._lock:
            self._is_closed = True
            for subscription in self._listeners:
                self.unsubscribe(subscription)
            thread = self._thread
        if thread is not None:
            thread.join()

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._is_reading.clear()
            self._thread = threading.Thread(target=self._work, name="live", daemon=True)
            self._thread.start()

    def _missed(self, after: str) -> list[tuple[str, Change]]:
        run, _, number = after.partition("-")
        kept_from = self._kept[0][0] if self._kept else self._number + 1
        if run != self._run or not number.isdecimal() or not kept_from - 1 <= int(number) <= self._number:
            return [(self._id(self._number), OF_EVERYTHING)]
        return [(self._id(each), change) for each, change in self._kept if each > int(number)]

    def _id(self, number: int) -> str:
        return f"{self._run}-{number}"

    def _publish(self, changes: set[Change]) -> None:
        with self._lock:
            for change in changes:
                self._number += 1
                self._kept.append((self._number, change))
                for subscription in self._listeners.of(change):
                    subscription.tell(self._id(self._number), change)

    def _work(self) -> None:
        while not self._is_over():
            try:
                self._read()
            except DATABASE_AWAY as error:
                log.warning("live_reading_failed", error=type(error).__name__)
                time.sleep(RETRY_SECONDS)

    def _is_over(self) -> bool:
        """Whether the thread is to end. It has ended for everybody else then, and the next stream starts another."""
        with self._lock:
            if self._is_wanted():
                return False
            self._thread = None
            return True

    def _read(self) -> None:
        """Read until nobody listens. Raises what the database raises."""
        with make_engine(self._settings).connect() as connection:
            wake = wake_on(connection)
            reader = Reader(connection)
            self._begin_run()
            read_at = looked_at = time.monotonic()
            while self._is_wanted():
                if wake.wait(LOOK_AROUND_SECONDS) or time.monotonic() - read_at > UNASKED_SECONDS:
                    # What is told all the time is told now and then: reading takes the time of those who ask.
                    time.sleep(max(0.0, read_at + BETWEEN_READINGS_SECONDS - time.monotonic()))
                    self._publish(reader.read())
                    read_at = time.monotonic()
                if time.monotonic() - looked_at > self._settings.live.heartbeat_seconds:
                    self._look_who_is_there(connection)
                    looked_at = time.monotonic()

    def _look_who_is_there(self, connection: Connection) -> None:
        """End the streams whose session has ended, and learn who the others are by now."""
        with self._lock:
            tokens = {one.token for one in self._listeners if one.token}
        found = audiences(connection, self._settings, tokens)
        with self._lock:
            for subscription in self._listeners:
                audience = found.get(subscription.token)
                if audience:
                    self._listeners.renew(subscription, audience)
                elif subscription.token in tokens:
                    self.unsubscribe(subscription)

    def _begin_run(self) -> None:
        with self._lock:
            self._run, self._number = secrets.token_hex(4), 0
            self._kept.clear()
            # Whoever was here before has not heard what happened in between.
            self._publish({OF_EVERYTHING})
            self._is_reading.set()

    def _is_wanted(self) -> bool:
        with self._lock:
            is_left = not self._listeners and time.monotonic() - self._left_at > LINGER_SECONDS
            return not (is_left or self._is_closed)
