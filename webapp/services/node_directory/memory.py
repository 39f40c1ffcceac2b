"""What a registry answered a moment ago, in this process: so that pages neither wait for it nor wear it out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from webapp.services.node_directory.port import DirectoryUnreachableError

MOST_ANSWERS = 1000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Answer:
    """A value, or why there is none. `asked_at` is in seconds of the monotonic clock."""

    asked_at: float
    value: Any = None
    failure: str = ""


class Memory:
    """Answers by question. Safe for several threads; nobody holds the lock while the registry is asked."""

    def __init__(self) -> None:
        self._answers: dict[str, _Answer] = {}
        self._last_failure: _Answer | None = None
        self._lock = threading.Lock()

    def answer(
        self,
        question: str,
        max_age_seconds: float,
        fresh: bool,
        ask: Callable[[], T],
        *,
        fails_with_others: bool = False,
    ) -> T:
        """What `ask` answered within the last `max_age_seconds`, else what it answers now; with `fresh` always that.

        That the registry is out of reach is remembered for as long; with `fails_with_others` it is not asked either
        when another question was in vain a moment ago. Raises DirectoryUnreachableError.
        """
        known = None if fresh else self._young(question, max_age_seconds)
        if known is None and fails_with_others and not fresh:
            known = self._young_failure(max_age_seconds)
        if known is None:
            known = self._ask(question, max_age_seconds, ask)
        if known.failure:
            raise DirectoryUnreachableError(known.failure)
        return cast(T, known.value)

    def _ask(self, question: str, max_age_seconds: float, ask: Callable[[], T]) -> _Answer:
        now = time.monotonic()
        try:
            made = _Answer(now, ask())
        except DirectoryUnreachableError as error:
            made = _Answer(now, failure=error.detail)
        with self._lock:
            self._last_failure = made if made.failure else None
        earlier = self._young(question, max_age_seconds)
        # Pages may go on with what was learnt a moment ago.
        if not (made.failure and earlier and not earlier.failure):
            self._keep(question, made)
        return made

    def _young(self, question: str, max_age_seconds: float) -> _Answer | None:
        with self._lock:
            known = self._answers.get(question)
        return known if known and time.monotonic() - known.asked_at < max_age_seconds else None

    def _young_failure(self, max_age_seconds: float) -> _Answer | None:
        with self._lock:
            known = self._last_failure
        return known if known and time.monotonic() - known.asked_at < max_age_seconds else None

    def _keep(self, question: str, answer: _Answer) -> None:
        with self._lock:
            self._answers.pop(question, None)
            self._answers[question] = answer
            while len(self._answers) > MOST_ANSWERS:
                del self._answers[next(iter(self._answers))]
