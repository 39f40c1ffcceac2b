"""How long a thousand queued payouts keep settlement busy, from the claim to the last confirmation.

    python -m bench.settlement [--payouts 1000] [--db postgres|sqlite] [--confirmations 2] [--top 0]

Each is what an escrow sends to an address of its own, so that each has a trail to write to. A real daemon pays them on
regtest, and its time is not counted. The worker's tasks run in this process.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import func, select
from sqlalchemy.orm import Session as AnySession

from bench import people
from bench.daemon_time import Took, profiled, spending, timed_daemons
from bench.databases import KINDS, place
from bench.history import History
from bench.report import table
from tests.support.chain import Chain
from tests.support.instances import rpc_section, write_config
from tests.support.processes import temporary_folder
from webapp import create_app
from webapp.config import Settings, load_config
from webapp.domain.money import Amount
from webapp.ledger.integrity import check_books
from webapp.models import Escrow, Payout
from webapp.schema import create_if_missing
from webapp.services.container import Services
from webapp.services.database import Session
from webapp.services.payouts.queue import PayoutQueue
from webapp.services.reconciliation import check_trails
from webapp.services.settlement import Settlement
from webapp.services.unit_of_work import unit_of_work

WALLETS, COINS, EACH_COIN = 100, 20, "150"
WARM_UP = 3
AMOUNT = Amount.parse(1)
SPARE_ESCROWS = 1.25  # of all that are loaded, nine in ten were released
ADDRESSES_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Measured:
    """What each step took, for so many payouts; `gaps` are what is wrong in the books and trails afterwards."""

    payouts: int
    steps: dict[str, Took]
    gaps: list[str]

    @property
    def all(self) -> Took:
        """The steps together."""
        return sum(self.steps.values(), start=Took())


def measure(db: str = "postgres", payouts: int = 1000, confirmations: int = 2, top: int = 0) -> Measured:
    """Queue and pay them on a chain and a database that are made for it; prints the `top` functions of a profile."""
    chain = Chain(temporary_folder("bench-settlement-chain")).start()
    try:
        with place(db) as found, timed_daemons():
            settings = instance(chain, found.create(), payout_confirmations=confirmations)
            with Session(settings) as session:
                return paid(session, settings, chain, payouts, top)
    finally:
        chain.stop()


def paid(session: AnySession, settings: Settings, chain: Chain, payouts: int, top: int = 0) -> Measured:
    """The same in a place that is there. What is learnt once in a worker's life is learnt by the first few payouts."""
    settlement = Settlement(session, settings, Services.of(settings).daemon)
    _fund(chain)
    queue = _queue(session, settings, chain, payouts + WARM_UP)
    for count in (WARM_UP, payouts):
        queue(count)
        steps = _pay(session, settlement, chain, settings.wallet.payout_confirmations, top)
    return Measured(payouts, steps, _gaps(session, payouts + WARM_UP))


def instance(chain: Chain, url: str, **wallet: int) -> Settings:
    """The settings of an instance with its schema, whose daemon is the chain's custody."""
    folder = temporary_folder("bench-worker") / "instance"
    config = write_config(folder, {"database": {"url": url}, "wallet": wallet}, rpc_section(chain.custody))
    settings = load_config(config)
    create_if_missing(create_app(settings))
    return settings


def _fund(chain: Chain) -> None:
    for _ in range(COINS):
        chain.miner.rpc("sendtoaddress", chain.custody.rpc("getnewaddress", "", "legacy"), EACH_COIN)
    chain.mine(2)


def _queue(session: AnySession, settings: Settings, chain: Chain, most: int) -> Callable[[int], None]:
    """Queues as many as asked for: what released escrows send to an address each, out of their providers' wallets."""
    pairs = people.pairs(people.settle(session, settings, WALLETS))
    History(pairs, round(most * SPARE_ESCROWS) + WARM_UP, seed=1).load(session.get_bind().engine)
    escrows = iter(
        session.execute(
            select(Escrow.id, Escrow.provider_wallet_id).where(Escrow.status == "released").limit(most)
        ).all()
    )
    addresses = _addresses(chain, most)
    payouts = PayoutQueue(session, settings)

    def queue(count: int) -> None:
        with unit_of_work(session):
            for (escrow_id, wallet_id), address in islice(zip(escrows, addresses, strict=True), count):
                payout = payouts.queue_refund(wallet_id, address, AMOUNT, escrow_id)
                assert payout is not None, "the wallets have enough"
        session.expunge_all()

    return queue


def _addresses(chain: Chain, count: int) -> Iterator[str]:
    for start in range(0, count, ADDRESSES_AT_ONCE):
        calls = [("getnewaddress", "", "legacy")] * min(ADDRESSES_AT_ONCE, count - start)
        yield from chain.miner.rpc_in_turn(*calls)


def _pay(
    session: AnySession, settlement: Settlement, chain: Chain, confirmations: int, top: int
) -> dict[str, Took]:
    engine = session.get_bind().engine
    steps: dict[str, Took] = {}

    def step(name: str, work: Callable[[], object]) -> None:
        with profiled(top), spending(engine) as took:
            work()
        steps[name] = steps.get(name, Took()) + took

    step("claim, build, sign, store, send", settlement.pay)
    for number in range(1, confirmations + 1):
        chain.mine(1)
        step("follow" if number < confirmations else "confirm", settlement.follow)
    return steps


def _gaps(session: AnySession, payouts: int) -> list[str]:
    session.rollback()
    done = session.execute(select(func.count()).where(Payout.status == "confirmed")).scalar_one()
    wrong = [] if done == payouts else [f"{done} of {payouts} payouts are confirmed"]
    return wrong + [f"{gap.check}: {gap.detail}" for gap in check_books(session) + check_trails(session)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.settlement")
    parser.add_argument("--payouts", type=int, default=1000)
    parser.add_argument("--db", choices=KINDS, default="postgres")
    parser.add_argument("--confirmations", type=int, default=2)
    parser.add_argument("--top", type=int, default=0, help="functions of a profile to print")
    options = parser.parse_args()
    measured = measure(options.db, options.payouts, options.confirmations, options.top)
    head = ["step", "own s", "daemon s", "processor s", "database s", "statements a payout", "commits"]
    rows = [
        [name, f"{spent.own:.3f}", f"{spent.daemon:.3f}", f"{spent.processor:.3f}", f"{spent.database:.2f}",
         f"{spent.statements / measured.payouts:.3f}", spent.commits]
        for name, spent in {**measured.steps, "all": measured.all}.items()
    ]  # fmt: skip
    print(table(head, rows))
    print("\n".join(measured.gaps) or "The books and all audit trails agree.")


if __name__ == "__main__":
    main()
