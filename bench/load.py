"""Mix A: clients in processes of their own create and release escrows for a number of seconds."""

from __future__ import annotations

import hashlib
import multiprocessing
import random
import statistics
import time
import uuid
from dataclasses import dataclass

from bench.signed_client import SignedClient
from webapp.domain.canonical import sign_result
from webapp.domain.money import Amount


@dataclass(frozen=True)
class Pair:
    """A payer with its key, and a provider with the secret it signs results with."""

    payer_wallet_id: int
    provider_wallet_id: int
    key_id: str
    secret: str
    provider_secret: str


@dataclass(frozen=True)
class Result:
    """What came of one run. Latencies are in milliseconds."""

    lifecycles_per_second: float
    create_ms: list[float]
    release_ms: list[float]

    def percentile(self, latencies: list[float], percent: int) -> float:
        """The latency that `percent` of the requests did not exceed."""
        return statistics.quantiles(latencies, n=100)[percent - 1]


def run(port: int, pairs: list[Pair], clients: int, seconds: float) -> Result:
    """Drive the server with `clients` processes at once."""
    context = multiprocessing.get_context("fork")
    with context.Pool(clients) as pool:
        jobs = [(port, pairs[number::clients], seconds, number) for number in range(clients)]
        parts = pool.starmap(_client, jobs)
    create = [latency for part in parts for latency in part[0]]
    release = [latency for part in parts for latency in part[1]]
    return Result(len(release) / seconds, create, release)


def _client(port: int, pairs: list[Pair], seconds: float, seed: int) -> tuple[list[float], list[float]]:
    chooser = random.Random(seed)
    clients = {pair.key_id: SignedClient("127.0.0.1", port, pair.key_id, pair.secret) for pair in pairs}
    create_ms: list[float] = []
    release_ms: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pair = chooser.choice(pairs)
        started = time.perf_counter()
        escrow = clients[pair.key_id].post("/escrow/create", _order(pair, chooser))
        created = time.perf_counter()
        clients[pair.key_id].post(f"/escrow/{escrow['id']}/release", _result(pair, escrow))
        create_ms.append((created - started) * 1000)
        release_ms.append((time.perf_counter() - created) * 1000)
    return create_ms, release_ms


def _order(pair: Pair, chooser: random.Random) -> dict[str, object]:
    return {
        "payer_wallet_id": pair.payer_wallet_id,
        "provider_wallet_id": pair.provider_wallet_id,
        "amount": str(Amount(chooser.randint(100, 10_000) * 20)),
        "service_name": "image_upscaler_v1",
        "task_id": f"task-{chooser.getrandbits(48):012x}",
    }


def _result(pair: Pair, escrow: dict[str, str]) -> dict[str, str]:
    result_hash = hashlib.sha256(escrow["id"].encode()).hexdigest()
    amount = Amount.parse(escrow["amount"])
    signature = sign_result(pair.provider_secret, uuid.UUID(escrow["id"]), amount, result_hash)
    return {"result_hash": result_hash, "provider_signature": signature}
