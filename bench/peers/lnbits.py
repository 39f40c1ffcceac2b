"""LNbits: an invoice and its payment from another wallet of the same server, through its HTTP API."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import psycopg

from bench.connection import HttpConnection
from bench.peers.environment import python_with
from tests.support.postgres import PostgresCluster
from tests.support.processes import end, free_port, spawn, temporary_folder, wait_until

# A later bitstring has other names than a package that LNbits needs looks for.
PACKAGES = ("lnbits==1.6.2", "bitstring==4.4.0")
PATIENCE_SECONDS = 180
PAIRS, FUNDS, AMOUNT = 8, 1_000_000, 10  # satoshi
_SETTINGS = {
    "LNBITS_BACKEND_WALLET_CLASS": "FakeWallet",
    "LNBITS_ADMIN_UI": "false",
    "LNBITS_EXTENSIONS_DEACTIVATE_ALL": "true",
    "LNBITS_RATE_LIMIT_NO": "1000000000",
    "AUTH_SECRET_KEY": "of a server that exists for minutes",
}


class Lnbits:
    """A server on a database of the cluster, with wallets that have funds."""

    name = "LNbits 1.6.2, invoice and internal payment"

    def __init__(self, cluster: PostgresCluster) -> None:
        python = python_with(*PACKAGES)
        folder, database, self._port = temporary_folder("lnbits"), cluster.create_database(), free_port()
        where = f"postgres://postgres@127.0.0.1:{cluster.port}/{database}"
        settings = {**_SETTINGS, "LNBITS_DATABASE_URL": where, "LNBITS_DATA_FOLDER": str(folder / "data")}
        (folder / "data").mkdir()
        # It looks for its static files from where it is started.
        (home,) = python.parent.parent.glob("lib/python*/site-packages")
        program = [str(python.with_name("lnbits")), "--host", "127.0.0.1", "--port", str(self._port)]
        environment = [f"{name}={value}" for name, value in settings.items()]
        self._server = spawn(["env", "-C", str(home), *environment, *program], log=folder / "server.log")
        try:
            wait_until(self._answers, "LNbits to answer", PATIENCE_SECONDS)
            self._pairs = self._wallets(f"host=127.0.0.1 port={cluster.port} user=postgres dbname={database}")
        except (TimeoutError, RuntimeError) as error:
            self.stop()
            log: Path = folder / "server.log"
            raise RuntimeError(f"{self.name}: {error}: {log.read_text()[-1000:]}") from error

    def lifecycles_per_second(self, clients: int, seconds: float) -> float:
        """With so many connections at once, each between two wallets of its own."""
        rates: list[float] = []
        threads = [
            threading.Thread(target=self._pay, args=(payer, payee, seconds, rates))
            for payer, payee in self._pairs[:clients]
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if len(rates) < clients:
            raise RuntimeError(f"{self.name}: a client got an answer that it had not expected")
        return sum(rates)

    def stop(self) -> None:
        """End the server."""
        end(self._server)

    def _pay(self, payer: str, payee: str, seconds: float, rates: list[float]) -> None:
        connection, count, began = self._connect(), 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            asked = _ask(connection, "/api/v1/payments", payee, {"out": False, "amount": AMOUNT})
            _ask(connection, "/api/v1/payments", payer, {"out": True, "bolt11": asked["bolt11"]})
            count += 1
        rates.append(count / (time.perf_counter() - began))

    def _wallets(self, conninfo: str) -> list[tuple[str, str]]:
        """Keys of payers, who may spend, and of payees.

        Payers are given funds; what they spend in dollars is not looked up.
        """
        connection, pairs = self._connect(), []
        for number in range(PAIRS):
            payer, payee = (_ask(connection, "/api/v1/account", "", {"name": f"{number}"}) for _ in range(2))
            _ask(connection, "/api/v1/payments", payer["inkey"], {"out": False, "amount": FUNDS})
            pairs.append((payer["adminkey"], payee["inkey"]))
        with psycopg.connect(conninfo) as database:
            database.execute("UPDATE apipayments SET status = 'success'")
            database.execute("UPDATE wallets SET currency = ''")
        return pairs

    def _connect(self) -> HttpConnection:
        return HttpConnection("127.0.0.1", self._port)

    def _answers(self) -> bool:
        if self._server.poll() is not None:
            raise RuntimeError("it has ended")
        try:
            return (
                self._connect().ask(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n").status == 200
            )
        except RuntimeError:
            return False


def _ask(connection: HttpConnection, path: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    answer = connection.ask(head.encode() + content)
    if answer.status >= 300:
        raise RuntimeError(f"{path}: {answer.status}: {answer.content[:200]!r}")
    found: dict[str, Any] = answer.body
    return found
