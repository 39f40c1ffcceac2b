"""The service under test: an instance of its own on the cluster's database, served as in production."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from bench.load import Pair
from tests.support.instances import Sections, write_config
from tests.support.processes import free_port
from webapp import create_app
from webapp.config import Settings, load_config
from webapp.domain import accounts
from webapp.domain.money import Amount
from webapp.extensions import db
from webapp.ledger.integrity import Gap, check_books
from webapp.ledger.journal import Move, post
from webapp.models import Wallet
from webapp.schema import create_if_missing
from webapp.services.container import Services
from webapp.services.database import Session
from webapp.services.reconciliation import full_check
from webapp.services.unit_of_work import unit_of_work

WALLETS = 1000
EACH = Amount.parse(100_000)


class Instance:
    """Settings, people with money, and the server process."""

    def __init__(self, folder: Path, database_url: str) -> None:
        loud: Sections = {
            "database": {"url": database_url},
            "security": {"enable_rate_limiting": True, "max_requests_per_minute": 10_000_000},
        }
        self.settings: Settings = load_config(write_config(folder, loud))
        self.port = free_port()
        self._server: subprocess.Popen[bytes] | None = None

    def prepare(self) -> list[Pair]:
        """Make the schema and the wallets, fund them, and give every pair its keys."""
        app = create_app(self.settings)
        create_if_missing(app)
        services = Services.of(self.settings)
        with app.app_context():
            session = db.session()
            owner = services.identity(session).register("bench@example.com", "bench-bench", "payer")
            with unit_of_work(session):
                session.add_all([Wallet(user_id=owner.id) for _ in range(WALLETS)])
                session.flush()
                ids = list(session.scalars(db.select(Wallet.id).order_by(Wallet.id)))
                for wallet_id in ids:
                    move = Move(accounts.CHAIN, accounts.available(wallet_id), EACH)
                    post(session, f"bench:{wallet_id}", "deposit_credit", [move])
                keys = services.signing_keys(session)
                issued = {
                    wallet_id: keys.create(wallet_id, ["escrow:create", "escrow:release"])
                    for wallet_id in ids
                }
        pairs = zip(ids, ids[1:] + ids[:1], strict=True)
        return [
            Pair(payer, provider, issued[payer].key_id, issued[payer].secret, issued[provider].secret)
            for payer, provider in pairs
        ]

    def start(self, workers: int) -> None:
        """Start the server and wait for its first answer."""
        environment = {**os.environ, "DUXOS_INSTANCE_PATH": str(self.settings.instance_path)}
        granian = Path(sys.executable).with_name("granian")
        options = [
            "--interface",
            "wsgi",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--log-level",
            "error",
        ]
        threads = ["--workers", str(workers), "--blocking-threads", "8"]
        self._server = subprocess.Popen([str(granian), *options, *threads, "wsgi:app"], env=environment)
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/live", timeout=2).close()
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
            else:
                return
        raise RuntimeError("the server did not start")

    def stop(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait(30)

    def gaps(self) -> list[Gap]:
        """What is wrong in the books and the audit trails."""
        with Session(self.settings) as session:
            books = check_books(session)
            session.rollback()
            return books or full_check(session, Services.of(self.settings).daemon).gaps
