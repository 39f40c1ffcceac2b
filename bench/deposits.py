"""How long it takes to catch up with ten thousand wallet transactions, all included: the daemon, too.

    python -m bench.deposits [--transactions 10000] [--db postgres|sqlite] [--wallets 300] [--blocks 300] [--top 0]

A real daemon on regtest has received them while nobody looked. The worker's tasks run in this process.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session as AnySession

from bench import many_deposits, people
from bench.daemon_time import Took, profiled, spending, timed_daemons
from bench.databases import KINDS, place
from bench.report import table
from bench.settlement import instance
from tests.support.chain import Chain
from tests.support.processes import temporary_folder
from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.ledger.integrity import check_books
from webapp.models import Deposit, DepositAddress, Wallet
from webapp.services.chain_watcher import ChainWatcher
from webapp.services.container import Services
from webapp.services.database import Session
from webapp.services.reconciliation import reconcile_block
from webapp.services.unit_of_work import unit_of_work

EACH_UNITS = 10_000_000


@dataclass(frozen=True, slots=True)
class Measured:
    """What each task took; `gaps` are what is wrong in the books afterwards."""

    transactions: int
    tasks: dict[str, Took]
    gaps: list[str]


def measure(
    db: str = "postgres", transactions: int = 10_000, wallets: int = 300, blocks: int = 300, top: int = 0
) -> Measured:
    """Let them come to a chain and a database that are made for it, and read them."""
    chain = Chain(temporary_folder("bench-deposits-chain")).start()
    try:
        with place(db) as found, timed_daemons():
            settings = instance(chain, found.create())
            with Session(settings) as session:
                return caught_up(session, settings, chain, transactions, wallets, blocks, top)
    finally:
        chain.stop()


def caught_up(
    session: AnySession,
    settings: Settings,
    chain: Chain,
    transactions: int,
    wallets: int,
    blocks: int,
    top: int = 0,
) -> Measured:
    """The same in a place that is there."""
    services = Services.of(settings)
    watcher = ChainWatcher(session, settings, services.daemon)
    watcher.run()  # The cursor stands where the chain ended before.
    addresses = _give_addresses(session, services, chain, wallets)
    many_deposits.pay(chain, addresses, transactions, blocks, EACH_UNITS)
    chain.mine(settings.wallet.confirmations_required - 1)
    return _read(session, services, watcher, transactions, top)


def _give_addresses(session: AnySession, services: Services, chain: Chain, wallets: int) -> list[str]:
    """An address for each of so many empty wallets."""
    owner = services.identity(session).register("bench@example.com", people.PASSWORD, "payer")
    addresses = many_deposits.custody_addresses(chain, wallets)
    with unit_of_work(session):
        session.execute(insert(Wallet), [{"user_id": owner.id}] * (wallets - 1))
        owned = session.scalars(select(Wallet.id).where(Wallet.user_id == owner.id))
        assigned = {"purpose": "wallet", "assigned_at": utcnow()}
        rows = [
            {"address": address, "wallet_id": wallet_id, **assigned}
            for address, wallet_id in zip(addresses, owned, strict=True)
        ]
        session.execute(insert(DepositAddress), rows)
    session.expunge_all()
    return addresses


def _read(
    session: AnySession, services: Services, watcher: ChainWatcher, transactions: int, top: int
) -> Measured:
    engine = session.get_bind().engine
    tasks: dict[str, Took] = {}
    with profiled(top), spending(engine) as tasks["deposits"]:
        watcher.run()
    with spending(engine) as tasks["deposits, once more"]:
        watcher.run()
    with profiled(top), spending(engine) as tasks["reconciliation"]:
        reconcile_block(session, services.daemon)
    return Measured(transactions, tasks, _gaps(session, transactions))


def _gaps(session: AnySession, transactions: int) -> list[str]:
    session.rollback()
    count = select(func.count()).where(Deposit.status == "credited")
    credited = session.execute(count).scalar_one()
    wrong = [] if credited == transactions else [f"{credited} of {transactions} are credited"]
    return wrong + [f"{gap.check}: {gap.detail}" for gap in check_books(session)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.deposits")
    parser.add_argument("--transactions", type=int, default=10_000)
    parser.add_argument("--db", choices=KINDS, default="postgres")
    parser.add_argument("--wallets", type=int, default=300)
    parser.add_argument("--blocks", type=int, default=300)
    parser.add_argument("--top", type=int, default=0, help="functions of a profile to print")
    options = parser.parse_args()
    measured = measure(options.db, options.transactions, options.wallets, options.blocks, options.top)
    head = ["task", "s", "of it the daemon", "processor s", "database s", "statements", "commits"]
    rows = [
        [name, f"{took.wall:.2f}", f"{took.daemon:.2f}", f"{took.processor:.2f}", f"{took.database:.2f}",
         took.statements, took.commits]
        for name, took in measured.tasks.items()
    ]  # fmt: skip
    print(table(head, rows))
    print("\n".join(measured.gaps) or "The books agree.")


if __name__ == "__main__":
    main()
