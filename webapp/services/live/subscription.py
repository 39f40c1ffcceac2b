"""What one stream has to tell next: names of changes, each once, however often it has happened meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass

from webapp.services.live.changes import AGAIN, Audience, Change

# A reader who is this far behind looks at everything.
MOST_WAITING = 100


@dataclass(frozen=True, slots=True)
class Event:
    """A name to tell, and the id from which on a stream can be taken up again."""

    id: str
    topic: str

    @property
    def kind(self) -> str:
        """What the topic is one of: `escrow` of `escrow-<id>`; empty when there is only one."""
        kind, is_one_of_many, _ = self.topic.partition("-")
        return kind if is_one_of_many else ""


class Subscription:
    """The changes that concern one audience. Safe between threads.

    `page` is the open page that it is for; of what concerns everybody it is told the topics that it `shows`. `token` is
    that of the session that it ends with.
    """

    def __init__(
        self, audience: Audience, page: str = "", shows: Collection[str] = (), token: str = ""
    ) -> None:
        self.page = page
        self.shows = frozenset(shows)
        self.token = token
        self.audience = audience
        self._waiting: dict[str, str] = {}
        self._is_closed = False
        self._news = threading.Condition()

    @property
    def is_closed(self) -> bool:
        """Whether nothing will come any more."""
        return self._is_closed

    def tell(self, event_id: str, change: Change) -> None:
        """Put a change in line, if it concerns the audience and, where it concerns everybody, the page shows it."""
        if not change.concerns(self.audience):
            return
        if change.is_for_everybody and change.topic != AGAIN and change.topic not in self.shows:
            return
        with self._news:
            self._waiting.pop(change.topic, None)
            self._waiting[change.topic] = event_id
            if len(self._waiting) > MOST_WAITING:
                self._waiting = {AGAIN: event_id}
            self._news.notify()

    def wait(self, timeout_seconds: float) -> list[Event]:
        """What is in line, oldest first; empty after the timeout, or when it was closed."""
        with self._news:
            self._news.wait_for(lambda: self._waiting or self._is_closed, timeout_seconds)
            waiting, self._waiting = self._waiting, {}
        return [Event(event_id, topic) for topic, event_id in waiting.items()]

    def rest(self, seconds: float) -> None:
        """Let what comes gather for a while, unless it is closed."""
        with self._news:
            self._news.wait_for(lambda: self._is_closed, seconds)

    def close(self) -> None:
        """Let the stream end."""
        with self._news:
            self._is_closed = True
            self._news.notify()
