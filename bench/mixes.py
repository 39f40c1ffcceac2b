"""What one client does: A creates and releases; B does what a busy day has, in its proportions.

A batch is a thousand of A's lifecycles in two requests.
"""

from __future__ import annotations

import hashlib
import random
import time
import uuid
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench.browser import Browser
from bench.connection import HttpConnection
from bench.people import Pair, Person
from bench.signed_client import SignedClient
from webapp.domain.canonical import sign_result
from webapp.domain.money import Amount

Escrow = dict[str, str]
REMEMBERED = 100
IN_A_BATCH = 1000, 10  # operations, and providers that they are for
MIXES: dict[str, dict[str, int]] = {
    "A": {"lifecycle": 100},
    "batch": {"batch": 100},
    "B": {"lifecycle": 60, "refund": 5, "dispute": 2, "get": 20, "list": 13},
}


class Client:
    """Acts for its pairs over one connection, each with its own key. Keeps milliseconds by endpoint."""

    def __init__(self, port: int, pairs: list[Pair], mix: str, seed: str) -> None:
        self.latencies: defaultdict[str, list[float]] = defaultdict(list)
        self.done: Counter[str] = Counter()
        self._port = port
        self._pairs = pairs
        self._chooser = random.Random(seed)
        self._connection = HttpConnection("127.0.0.1", port)
        self._programs: dict[int, SignedClient] = {}
        self._deeds: dict[str, Callable[[], None]] = {
            "lifecycle": self.lifecycle,
            "batch": self.batch,
            "refund": self.refund,
            "dispute": self.dispute,
            "get": self.get,
            "list": self.list,
        }
        self._names, self._weights = list(MIXES[mix]), list(MIXES[mix].values())
        self._known: deque[tuple[Pair, str]] = deque(maxlen=REMEMBERED)
        self._objector = pairs[0]
        self._browser = Browser(port)
        if "dispute" in MIXES[mix]:
            self._browser.log_in(self._objector.payer.email)

    def warm_up(self) -> None:
        """Connect, and do everything once that a lifecycle does, except to change something."""
        pair = self._pairs[0]
        program, nothing = self.program(pair.payer), {"id": str(uuid.UUID(int=0)), "amount": "1"}
        program.sign("/escrow/create", result(pair, nothing))
        program.get(f"/wallet/{pair.payer.wallet_id}")

    def act(self) -> None:
        """Do one thing of the mix."""
        name = self._chooser.choices(self._names, self._weights)[0]
        self._deeds[name]()
        self.done[name] += 1

    def lifecycle(self) -> None:
        """Create and release."""
        pair, escrow = self._create(self._chooser.choice(self._pairs))
        with self._timed("release"):
            self.program(pair.payer).post(f"/escrow/{escrow['id']}/release", result(pair, escrow))

    def batch(self) -> None:
        """Create a thousand escrows for the work of a few providers, and release them all."""
        payer, pairs = (
            self._chooser.choice(self._pairs).payer,
            self._chooser.choices(self._pairs, k=IN_A_BATCH[1]),
        )
        program = self.program(payer)
        mine = [Pair(payer, pair.provider) for pair in pairs if pair.provider is not payer]
        chosen = self._chooser.choices(mine, k=IN_A_BATCH[0])
        orders = [{"do": "create", **order(pair, self._chooser)} for pair in chosen]
        with self._timed("batch of creations"):
            created = done(program.post("/escrow/batch", {"operations": orders}))
        releases = [
            {"do": "release", "escrow_id": escrow["id"], **result(pair, escrow)}
            for pair, escrow in zip(chosen, created, strict=True)
        ]
        with self._timed("batch of releases"):
            self.done["lifecycle"] += len(done(program.post("/escrow/batch", {"operations": releases})))

    def refund(self) -> None:
        """Create, and have the provider give it back."""
        pair, escrow = self._create(self._chooser.choice(self._pairs))
        with self._timed("refund"):
            self.program(pair.provider).post(f"/escrow/{escrow['id']}/refund", {"reason": "the task failed"})

    def dispute(self) -> None:
        """Create, and object on the escrow's page: only people do."""
        _, escrow = self._create(self._objector)
        path = f"/escrows/{escrow['id']}"
        with self._timed("escrow page"):
            fields = self._browser.form(path, f"{path}/dispute")
        with self._timed("dispute form"):
            self._browser.post(f"{path}/dispute", fields | {"reason": "not what was agreed"})

    def get(self) -> None:
        """Read an escrow that this client has made."""
        pair, escrow_id = self._chooser.choice(self._known) if self._known else self._create_any()
        with self._timed("get"):
            self.program(pair.payer).get(f"/escrow/{escrow_id}")

    def list(self) -> None:
        """Read the first page of somebody's escrows."""
        with self._timed("list"):
            self.program(self._chooser.choice(self._pairs).payer).get("/escrow/list")

    def program(self, person: Person) -> SignedClient:
        """The program that has this person's key."""
        if person.wallet_id not in self._programs:
            key = person.key
            client = SignedClient("127.0.0.1", self._port, key.key_id, key.secret, self._connection)
            self._programs[person.wallet_id] = client
        return self._programs[person.wallet_id]

    def _create_any(self) -> tuple[Pair, str]:
        pair, escrow = self._create(self._chooser.choice(self._pairs))
        return pair, escrow["id"]

    def _create(self, pair: Pair) -> tuple[Pair, Escrow]:
        body = order(pair, self._chooser)
        with self._timed("create"):
            escrow = self.program(pair.payer).post("/escrow/create", body)
        self._known.append((pair, escrow["id"]))
        return pair, escrow

    @contextmanager
    def _timed(self, endpoint: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.latencies[endpoint].append((time.perf_counter() - started) * 1000)


def done(answer: dict[str, Any]) -> list[Escrow]:
    """The escrows of a batch. Raises RuntimeError when an operation was refused."""
    results = answer["results"]
    if refused := [one["problem"] for one in results if "problem" in one]:
        raise RuntimeError(f"a batch: {refused[0]}")
    return [one["escrow"] for one in results]


def order(pair: Pair, chooser: random.Random) -> dict[str, object]:
    """The body of a request that creates an escrow."""
    return {
        "payer_wallet_id": pair.payer.wallet_id,
        "provider_wallet_id": pair.provider.wallet_id,
        "amount": str(Amount(chooser.randint(100, 10_000) * 20)),
        "service_name": "image_upscaler_v1",
        "task_id": f"task-{chooser.getrandbits(48):012x}",
    }


def result(pair: Pair, escrow: Escrow) -> dict[str, object]:
    """The body of a request that releases it: a result with the provider's signature."""
    result_hash = hashlib.sha256(escrow["id"].encode()).hexdigest()
    amount = Amount.parse(escrow["amount"])
    signature = sign_result(pair.provider.key.secret, uuid.UUID(escrow["id"]), amount, result_hash)
    return {"result_hash": result_hash, "provider_signature": signature}
