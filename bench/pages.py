"""How long lists, pages and statistics take, one after the other, for somebody with much history."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from bench.browser import Browser
from bench.people import Person
from bench.signed_client import SignedClient

PAGES = ("/", "/escrows", "/escrows?status=released", "/wallet", "/wallet/movements", "/fund", "/network")


def milliseconds(port: int, reader: Person, times: int) -> dict[str, float]:
    """The p50 of each list and page that this person reads, by its address."""
    program = SignedClient("127.0.0.1", port, reader.key.key_id, reader.key.secret)
    browser = Browser(port)
    browser.log_in(reader.email)
    cursor = program.get("/escrow/list?limit=25")["next_cursor"]
    questions: dict[str, Callable[[], object]] = {
        "GET /escrow/list": lambda: program.get("/escrow/list?limit=25"),
        "GET /escrow/list?status=refunded": lambda: program.get("/escrow/list?limit=5&status=refunded"),
        "GET /wallet": lambda: program.get(f"/wallet/{reader.wallet_id}"),
        "GET /community-fund/status": lambda: program.get("/community-fund/status"),
    }
    if cursor:
        questions["GET /escrow/list, second page"] = lambda: program.get(
            f"/escrow/list?limit=25&cursor={cursor}"
        )
    for page in PAGES:
        questions[f"page {page}"] = lambda page=page: browser.get(page)  # type: ignore[misc]
    return {name: _median(question, times) for name, question in questions.items()}


def _median(question: Callable[[], object], times: int) -> float:
    question()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        question()
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)
