"""How long lists, pages and statistics take, one after the other, for somebody with much history and for an operator.

Everything that reads escrows, postings or the audit trail is there: with a hundred times the history it must take
hardly longer.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator

from bench.browser import Browser
from bench.people import OPERATOR, Person
from bench.signed_client import SignedClient

STATES = ("", "open", "active", "released", "refunded")
SORTS = ("", "oldest", "amount", "deadline")
FILTERS = (
    "text=task-000012",
    "text=no+such+task",
    "service=image_upscaler_v1",
    "created_from={day}",
    "created_to={day}",
)
PAGES = (
    "/",
    "/escrows/{escrow}",
    "/escrows/new",
    "/wallet",
    "/wallet/movements",
    "/wallet/statement",
    "/wallet/statement?since={day}",
    "/wallet/addresses",
    "/fund",
    "/fund/airdrops",
    "/network",
    "/catalogue",
    "/notices",
    "/account",
    "/disputes/statistics",
    "/solvency",
)
OPERATOR_PAGES = (
    "/",
    "/escrows/{escrow}",
    "/operations",
    "/operations/payouts",
    "/metrics",
    "/disputes",
    "/network",
)
LISTS = (
    "/escrow/list",
    *(f"/escrow/list?status={state}" for state in ("active", "released", "refunded")),
    *(f"/escrow/list?sort={sort}" for sort in SORTS if sort),
    "/escrow/list?side=payer&sort=amount&status=released",
    "/escrow/list?text=no+such+task",
    "/escrow/list?service_name=image_upscaler_v1",
    "/escrow/list?created_from={day}",
    "/escrow/{escrow}",
    "/escrow/{escrow}/transactions",
    "/wallet/{wallet}",
    "/community-fund/status",
)
Questions = Iterator[tuple[str, Callable[[], object]]]


def milliseconds(port: int, reader: Person, times: int) -> dict[str, float]:
    """The p50 of each list and page that this person, its program and an operator read, by reader and address."""
    return {name: _median(question, times) for name, question in _questions(port, reader)}


def _questions(port: int, reader: Person) -> Questions:
    program = SignedClient("127.0.0.1", port, reader.key.key_id, reader.key.secret)
    newest = program.get("/escrow/list?limit=25")
    found = newest["items"][0] if newest["items"] else {}
    names = {
        "wallet": reader.wallet_id,
        "escrow": found.get("id", ""),
        "day": str(found.get("created_at", "2026-01-01"))[:10],
    }
    for path in LISTS:
        yield f"program GET {path}", lambda path=path: program.get(path.format(**names))  # type: ignore[misc]
    if newest["next_cursor"]:
        yield (
            "program GET /escrow/list, second page",
            lambda: program.get(f"/escrow/list?cursor={newest['next_cursor']}"),
        )
    for who, email, pages in (("payer", reader.email, PAGES), ("operator", OPERATOR, OPERATOR_PAGES)):
        browser = Browser(port)
        browser.log_in(email)
        for page in (*_escrow_lists(), *pages):
            yield f"{who} {page}", lambda page=page, browser=browser: browser.get(page.format(**names))  # type: ignore[misc]


def _escrow_lists() -> Iterator[str]:
    """The list of escrows in every state and order, and narrowed by each filter in two orders."""
    for state, sort in itertools.product(STATES, SORTS):
        asked = [f"{name}={value}" for name, value in (("status", state), ("sort", sort)) if value]
        yield f"/escrows?{'&'.join(asked)}" if asked else "/escrows"
    for wanted, sort in itertools.product(FILTERS, ("", "amount")):
        yield f"/escrows?{wanted}{f'&sort={sort}' if sort else ''}"


def _median(question: Callable[[], object], times: int) -> float:
    question()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        question()
        taken.append((time.perf_counter() - started) * 1000)
    return statistics.median(taken)
