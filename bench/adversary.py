"""Mix C: clients that get in each other's way on purpose, and what must come of it.

Three rounds in turn, in each of which all clients send at the same moment: they release the same escrow, they send one
order under the same idempotency key, they spend the same balance twice over. Every round has one right outcome.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from bench.connection import Answer
from bench.load import PATIENCE_SECONDS, Load, metered
from bench.mixes import order, result
from bench.people import Pair
from bench.signed_client import SignedClient
from webapp.domain.money import Amount

Job = tuple[Pair, str, dict[str, object], str]  # whose payer sends it, path, body, idempotency key
Round = list[Answer]


class UnexpectedOutcomeError(RuntimeError):
    """A round came to something else than it must."""


class Adversary:
    """Sends rounds through processes that are all ready before the first of them sends."""

    def __init__(self, port: int, pairs: list[Pair], clients: int, seed: int) -> None:
        self._port, self._pairs, self._clients = port, pairs, clients
        self._chooser = random.Random(seed)
        self._numbers = iter(range(10**9))
        self._prefix = f"bench-c-{self._chooser.getrandbits(64):016x}"
        self._ends: list[Connection] = []
        self.done: Counter[str] = Counter()
        self.latencies: defaultdict[str, list[float]] = defaultdict(list)

    def run(self, server: int, seconds: float) -> Load:
        """Rounds for so many seconds. Raises UnexpectedOutcomeError."""
        with self._senders():
            self._round("release")  # connections are made by now
            self.done.clear()
            self.latencies.clear()
            took, cost = metered(server, lambda: self._rounds(seconds))
        return Load(took, self.done, dict(self.latencies), cost)

    def _rounds(self, seconds: float) -> float:
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            for name in ("release", "replay", "drain"):
                self._round(name)
        return time.perf_counter() - began

    def _round(self, name: str) -> None:
        play: Callable[[Pair], None] = getattr(self, f"_{name}")
        play(self._chooser.choice(self._pairs))
        self.done[name] += 1

    def _release(self, pair: Pair) -> None:
        """One release counts; whoever was later hears that it is over."""
        escrow = self._program(pair).post("/escrow/create", order(pair, self._chooser))
        path, body = f"/escrow/{escrow['id']}/release", result(pair, escrow)
        answers = self._send("release", [(pair, path, body, self._key()) for _ in range(self._clients)])
        _expect("release", answers, {200: 1, 409: self._clients - 1})

    def _replay(self, pair: Pair) -> None:
        """One order, one escrow: whoever asks while another asks hears that, and has its answer when it asks alone."""
        job = (pair, "/escrow/create", order(pair, self._chooser), self._key())
        answers = self._send("create", [job] * self._clients)
        program = self._program(pair)
        answers.append(program.ask(program.sign(*job[1:])))
        made = {answer.body["id"] for answer in answers if answer.status == 201}
        if len(made) != 1 or answers[-1].status != 201:
            raise UnexpectedOutcomeError(f"replay: {len(made)} escrows came of one idempotency key")
        early = sum(answer.status == 409 for answer in answers)
        _expect("replay", answers, {201: len(answers) - early, 409: early})

    def _drain(self, pair: Pair) -> None:
        """A balance is spent once, however many reach for it; the provider gives it back afterwards."""
        wallet = f"/wallet/{pair.payer.wallet_id}"
        before = Amount.parse(self._program(pair).get(wallet)["available"])
        affordable = max(self._clients // 2, 1)
        body = order(pair, self._chooser) | {"amount": str(Amount(before.base_units // affordable))}
        jobs = [(pair, "/escrow/create", body, self._key()) for _ in range(self._clients)]
        answers = self._send("create", jobs)
        _expect("drain", answers, {201: affordable, 409: self._clients - affordable})
        provider = SignedClient("127.0.0.1", self._port, pair.provider.key.key_id, pair.provider.key.secret)
        for answer in answers:
            if answer.status == 201:
                provider.post(f"/escrow/{answer.body['id']}/refund", {"reason": "it was never meant"})
        after = Amount.parse(self._program(pair).get(wallet)["available"])
        if after != before:
            raise UnexpectedOutcomeError(f"drain: {before} FLOP were there before, {after} FLOP after")

    def _program(self, pair: Pair) -> SignedClient:
        return SignedClient("127.0.0.1", self._port, pair.payer.key.key_id, pair.payer.key.secret)

    def _key(self) -> str:
        return f"{self._prefix}-{next(self._numbers)}"

    def _send(self, endpoint: str, jobs: list[Job]) -> Round:
        for end, job in zip(self._ends, jobs, strict=True):
            end.send(job)
        received = []
        for end in self._ends:
            if not end.poll(PATIENCE_SECONDS):
                raise UnexpectedOutcomeError("a client did not come back")
            received.append(end.recv())
        self.latencies[endpoint] += [milliseconds for _, milliseconds in received]
        return [answer for answer, _ in received]

    @contextmanager
    def _senders(self) -> Iterator[None]:
        context = multiprocessing.get_context("fork")
        together = context.Barrier(self._clients)
        processes = []
        for _ in range(self._clients):
            ours, theirs = context.Pipe()
            self._ends.append(ours)
            processes.append(
                context.Process(target=_sender, args=(self._port, theirs, together), daemon=True)
            )
            processes[-1].start()
        try:
            yield
        finally:
            for process in processes:
                process.terminate()
                process.join()


def _expect(name: str, answers: Round, expected: dict[int, int]) -> None:
    found = Counter(answer.status for answer in answers)
    if found != Counter(expected):
        raise UnexpectedOutcomeError(f"{name}: {expected} was expected, {dict(found)} came")


def _sender(port: int, end: Connection, together) -> None:  # type: ignore[no-untyped-def]
    """Sign, wait until the others have, send."""
    clients: dict[str, SignedClient] = {}
    while True:
        pair, path, body, idempotency_key = end.recv()
        key = pair.payer.key
        if key.key_id not in clients:
            clients[key.key_id] = SignedClient("127.0.0.1", port, key.key_id, key.secret)
        request = clients[key.key_id].sign(path, body, idempotency_key)
        together.wait(PATIENCE_SECONDS)
        started = time.perf_counter()
        answer = clients[key.key_id].ask(request)
        end.send((answer, (time.perf_counter() - started) * 1000))
