"""A running service in miniature: a payer and a provider, a real daemon with real coins, and the worker.

`close` proves the books against the coins in the daemon, to the last unit.
"""

from __future__ import annotations

from typing import Any

from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.support.chain import Chain
from tests.support.compiled import share_statements
from tests.support.money import balances, fund_balance
from tests.support.people import (
    Pair,
    Person,
    make_escrow,
    make_pair,
    manager,
    signature,
)
from webapp.domain.money import Amount
from webapp.extensions import db, prepare_engine
from webapp.models import Alert, Escrow, Payout
from webapp.services import audit_trail
from webapp.services.chain_watcher import ChainWatcher
from webapp.services.container import Services
from webapp.services.daemon.shared import forget_daemons
from webapp.services.database import engine_options
from webapp.services.payouts import halts as payout_halts
from webapp.services.reconciliation import Report, full_check
from webapp.services.settlement import Settlement
from webapp.services.wallet_ownership import set_payout_address
from webapp.worker import Worker


def worker_app(services: Services) -> Flask:
    """An application with nothing but what the worker needs, so that a broken page fails the tests of pages only."""
    app = Flask("worker")
    app.config["SQLALCHEMY_DATABASE_URI"] = services.settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(services.settings)
    app.extensions["duxos"] = services
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)
    return app


class Market:
    """What a journey needs, in the words of its story. Amounts are decimal strings."""

    def __init__(self, chain: Chain, session: Session, services: Services) -> None:
        self.chain = chain
        self.app = worker_app(services)
        with self.app.app_context():
            share_statements(db.engine)
        self.session = session
        self.services = services
        self.pair: Pair = make_pair(session, services)

    @property
    def payer(self) -> Person:
        return self.pair.payer

    @property
    def provider(self) -> Person:
        return self.pair.provider

    def work(self, *, is_expected_to_succeed: bool = True) -> None:
        """One round of every task of the worker, as `flask worker --once` does it."""
        self.session.rollback()  # what was read before is the past
        with self.app.app_context():
            succeeded = Worker(self.app).run_once()
        assert succeeded or not is_expected_to_succeed

    def move_coins(self) -> None:
        """Only those of the worker's tasks that read the chain and pay, which is most of what many blocks need."""
        self.session.rollback()
        settings, daemon = self.services.settings, self.services.daemon
        ChainWatcher(self.session, settings, daemon).run()
        Settlement(self.session, settings, daemon).run()

    def address_of(self, person: Person) -> str:
        """Where coins for this person are sent to."""
        address = self.services.wallets(self.session).deposit_address(person.wallet_id)
        assert address is not None
        return address

    def deposit(self, person: Person, amount: str, confirmations: int = 2) -> str:
        """Send coins from outside, mine, and let the worker see them; the txid."""
        txid = self.chain.deposit(self.address_of(person), amount, confirmations)
        self.work()
        return txid

    def pay_to(self, person: Person, address: str) -> None:
        """Have the person's earnings paid out to `address` from here on."""
        set_payout_address(self.session, self.services.daemon, person.actor, person.wallet_id, address)

    def escrow(self, amount: str = "100", **terms: Any) -> Escrow:
        """An escrow between payer and provider, created by the payer."""
        return make_escrow(self.session, self.services, self.pair, amount, **terms)

    def release(self, escrow: Escrow, result_hash: str = "ab" * 32) -> Escrow:
        """The payer accepts a result that the provider signed."""
        return manager(self.session, self.services, self.payer).release_escrow(
            escrow.id, result_hash, signature(self.pair, escrow, result_hash)
        )

    def withdraw(self, person: Person, address: str, amount: str) -> Payout:
        """Ask for coins to be sent out."""
        return self.services.wallets(self.session).payouts.withdraw(
            person.wallet_id, address, Amount.parse(amount)
        )

    def settle(self) -> None:
        """Send what is queued and mine it until it is final."""
        self.work()
        self.chain.mine(2)
        self.work()

    def balances(self, person: Person) -> tuple[str, str]:
        """(available, held)."""
        return balances(self.session, person.wallet_id)

    def fund(self) -> str:
        """The community fund's balance."""
        return fund_balance(self.session)

    def payouts(self) -> list[Payout]:
        """Every payout as it stands, the first one first."""
        statement = select(Payout).order_by(Payout.id).execution_options(populate_existing=True)
        rows = list(self.session.scalars(statement))
        self.session.commit()
        return rows

    def alerts(self) -> list[str]:
        """The kinds of the alerts that were raised, in order."""
        kinds = list(self.session.scalars(select(Alert.kind).order_by(Alert.id)))
        self.session.commit()
        return kinds

    def halts(self) -> list[str]:
        """The causes for which payouts are stopped."""
        causes = [halt.cause for halt in payout_halts.standing(self.session)]
        self.session.commit()
        return causes

    def trail(self, escrow: Escrow) -> list[str]:
        """The kinds of events on an escrow's timeline, in order."""
        kinds = [entry.kind for entry in audit_trail.entries(self.session, escrow.id)]
        self.session.commit()
        return kinds

    def report(self) -> Report:
        """`ledger-check`, with the coins."""
        report = full_check(self.session, self.services.daemon)
        self.session.rollback()
        return report

    def stop_daemon(self) -> None:
        """Stop the custody daemon. It would wait for connections that are kept open, so they are closed first."""
        self.services.daemon.rpc.close()
        self.chain.custody.stop()

    def start_daemon(self, *options: str) -> None:
        """Start it again, and let it and us find each other; with `-connect=0` it stays without peers."""
        self.chain.custody.start(*options)
        if not options:
            self.chain.sync()
        forget_daemons()
        self.services = Services.of(self.services.settings)
        self.app.extensions["duxos"] = self.services

    def close(self) -> None:
        """Fail unless books and coins agree exactly."""
        self.chain.sync()
        self.work()
        report = self.report()
        assert report.gaps == []
        assert report.coins is not None, report.coins_note
        assert report.coins.unexplained == 0, report.lines()

    def dispose(self) -> None:
        """Give the database's connections back."""
        with self.app.app_context():
            db.engine.dispose()
