"""Every check of the books finds the defect that it is there for, and right books have none."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from tests.support.airdrops import make_nodes
from tests.support.arrivals import credit_payment, see_payment, stock_addresses
from tests.support.money import credit
from tests.support.people import Pair, make_escrow, make_pair, manager, signature
from webapp.domain import accounts
from webapp.domain.escrow_states import Party
from webapp.domain.money import Amount
from webapp.domain.roles import PROGRAM
from webapp.ledger.integrity import _CHECKS, check_books
from webapp.ledger.journal import Move, post
from webapp.models import Payout
from webapp.services import audit_trail
from webapp.services.airdrops import book
from webapp.services.container import Services
from webapp.services.disputes.ladder import DisputeLadder
from webapp.services.escrow_division import EscrowDivision
from webapp.services.pooled_accounts import CheckpointFolder
from webapp.services.unit_of_work import unit_of_work

pytestmark = pytest.mark.broken_books
ADDRESS = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"
TRIGGERED = ("journal_entries", "postings", "escrow_transactions")


@dataclass(frozen=True)
class Books:
    """Books with a bit of everything in them."""

    session: Session
    pair: Pair

    def checks(self) -> set[str]:
        """The names of the checks that complain."""
        self.session.rollback()
        found = {gap.check for gap in check_books(self.session)}
        self.session.rollback()
        return found

    @contextmanager
    def forged(self, *statements: str) -> Iterator[Session]:
        """What somebody with the database's password could do, guards removed; undone afterwards."""
        self.session.rollback()
        self.session.connection(execution_options={"sqlite_begin": "IMMEDIATE"})
        if self.session.get_bind().dialect.name == "postgresql":
            self.session.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            self.session.execute(text("PRAGMA defer_foreign_keys = ON"))
            for table in TRIGGERED:
                for event in ("update", "delete"):
                    self.session.execute(text(f"DROP TRIGGER {table}_refuse_{event}"))
        for statement in statements:
            self.session.execute(text(statement))
        yield self.session
        self.session.rollback()


@pytest.fixture
def books(session: Session, services: Services) -> Books:
    """An active, a delivered, a refunded and a released escrow, a payout under way, checkpoints; escrows with an
    address of their own: one that waits with a part of its amount, one that ended so, one that was paid for; and an
    airdrop for a wallet, for an address, and for a node that was suspended before it was posted. Two disputes.
    """
    pair = make_pair(session, services)
    credit(session, pair.payer.wallet_id, "1000")
    make_escrow(session, services, pair, "1")
    delivered, refunded, released = (make_escrow(session, services, pair, "10") for _ in range(3))
    as_provider = manager(session, services, pair.provider)
    as_provider.deliver_escrow(delivered.id, "ab" * 32, signature(pair, delivered))
    as_provider.refund_escrow(refunded.id, "no")
    manager(session, services, pair.payer).release_escrow(released.id, "ab" * 32, signature(pair, released))
    services.wallets(session).payouts.withdraw(pair.payer.wallet_id, ADDRESS, Amount.parse("5"))
    stock_addresses(session, 3)
    for amount in ("4", "6", "5"):
        own = make_escrow(session, services, pair, "6", funding="deposit")
        credit_payment(session, services.settings, see_payment(session, own, amount))
    as_provider.refund_escrow(own.id, "too little")
    _divide(session, services, pair)
    _dispute(session, services, pair)
    give_airdrop(session, services, pair)
    assert CheckpointFolder(session).run()
    return Books(session, pair)


def _divide(session: Session, services: Services, pair: Pair) -> None:
    escrow = make_escrow(session, services, pair, "3")
    division = EscrowDivision(session, services.settings, PROGRAM, services.wallets(session))
    with unit_of_work(session):
        division.divide(escrow, Amount.parse("2"), Party.AGREEMENT, {})


def _dispute(session: Session, services: Services, pair: Pair) -> None:
    """A dispute that is open and one that has ended, each with a bond of the payer's."""
    with_bond = services.settings.disputes.model_copy(update={"bond": Amount.parse("0.5")})
    changed = services.settings.model_copy(update={"disputes": with_bond})
    payer = DisputeLadder(session, changed, pair.payer.actor, services.wallets(session))
    still_open, ended = (make_escrow(session, services, pair, "2") for _ in range(2))
    for escrow in (still_open, ended):
        payer.open(escrow.id, "why")
    manager(session, services, pair.provider).refund_escrow(ended.id, "you are right")


def give_airdrop(session: Session, services: Services, pair: Pair) -> None:
    """Half of a FLOP, of which a fifth stays in the fund."""
    wallet_id = pair.provider.wallet_id
    here, suspended = (make_nodes(session, [wallet_id], status=each)[0] for each in ("active", "suspended"))
    recipients = [
        book.Recipient(here, Amount.parse("0.2"), wallet_id, "balance", None),
        book.Recipient("elsewhere", Amount.parse("0.2"), None, "chain", ADDRESS),
        book.Recipient(suspended, Amount.parse("0.1"), wallet_id, "balance", None),
    ]
    with unit_of_work(session):
        airdrop = book.store(
            session,
            airdrop_id=uuid.uuid4(),
            number=1,
            kind="manual",
            requested_by="user:1",
            reason="",
            balance=Amount.parse("0.5"),
            block_height=1,
            document="{}",
            recipients=recipients,
        )
        assert airdrop is not None
        book.post(session, services.settings, airdrop.id)


def test_right_books_have_no_gap(books: Books) -> None:
    assert books.checks() == set()
    # Another transaction has paid a part of the share that was sent: the rest is the fund's again.
    with unit_of_work(books.session) as session:
        (share,) = session.scalars(select(Payout).where(Payout.wallet_id.is_(None)))
        missing = Amount.parse("0.05")
        move = Move(accounts.PAYOUTS_IN_FLIGHT, accounts.FUND, missing)
        post(session, f"payout:{share.id}:missing:{uuid.uuid4()}", "payout_missing", [move])
        share.gross -= missing
    assert books.checks() == set()
    assert list(audit_trail.broken_links(books.session)) == []


FORGERIES = {
    "wallet balance differs from its postings": [
        "UPDATE wallets SET available = available + 1",
        "DELETE FROM postings WHERE id = (SELECT min(id) FROM postings)",
        "UPDATE postings SET amount = amount + 1 WHERE id = (SELECT min(id) FROM postings)",
        "UPDATE postings SET destination = 'fund' WHERE id = (SELECT min(id) FROM postings)",
    ],
    "held differs from live escrows": [
        "UPDATE escrows SET status = 'active' WHERE status = 'refunded'",
        "UPDATE escrows SET status = 'refunded' WHERE status = 'active'",
        "UPDATE escrows SET amount = amount + 1, provider_amount = provider_amount + 1 WHERE status = 'delivered'",
        "UPDATE escrows SET deposited_amount = deposited_amount - 1 WHERE status = 'pending'",
        "UPDATE escrows SET status = 'active' WHERE status = 'pending'",
        "UPDATE escrows SET status = 'pending' WHERE status = 'refunded' AND funding = 'deposit'",
        "UPDATE disputes SET bond = bond - 1 WHERE rung = 'talk'",
        "UPDATE disputes SET rung = 'ended', ended_at = CURRENT_TIMESTAMP WHERE rung = 'talk'",
    ],
    "bond differs from its entries": [
        "UPDATE disputes SET bond = bond + 1 WHERE rung = 'talk'",
        "UPDATE disputes SET bond = 0 WHERE rung = 'ended'",
        "UPDATE disputes SET is_bond_lost = true WHERE rung = 'ended'",
        "UPDATE disputes SET rung = 'ended', ended_at = CURRENT_TIMESTAMP WHERE rung = 'talk'",
        "UPDATE disputes SET rung = 'talk', ended_at = NULL WHERE rung = 'ended'",
        "DELETE FROM postings WHERE journal_entry_id IN"
        " (SELECT id FROM journal_entries WHERE kind = 'dispute_bond_return')",
    ],
    "escrow differs from what was paid into it": [
        "UPDATE escrows SET deposited_amount = deposited_amount + 1 WHERE status = 'pending'",
        "UPDATE escrows SET deposited_amount = deposited_amount + 1 WHERE status = 'active' AND funding = 'balance'",
        "UPDATE escrows SET status = 'active' WHERE status = 'pending'",
        "UPDATE deposits SET held_amount = held_amount - 1",
        "UPDATE deposits SET escrow_id = NULL",
        "UPDATE escrows SET funding = 'deposit' WHERE status = 'released'",
        "DELETE FROM deposits",
    ],
    "entry without postings": [
        "INSERT INTO journal_entries (key, kind, created_at) VALUES ('forged', 'test', CURRENT_TIMESTAMP)",
    ],
    "posting to an unknown account": [
        "INSERT INTO postings (journal_entry_id, source, destination, amount)"
        " SELECT min(id), 'chain', 'available:404', 1 FROM journal_entries",
        "INSERT INTO postings (journal_entry_id, source, destination, amount)"
        " SELECT min(id), 'chain', 'my_pocket', 1 FROM journal_entries",
    ],
    "final escrow without its entry": [
        "UPDATE escrows SET status = 'released' WHERE status = 'delivered'",
        "UPDATE escrows SET status = 'refunded' WHERE status = 'active'",
        "UPDATE escrows SET status = 'refunded' WHERE status = 'released'",
        "UPDATE escrows SET status = 'released' WHERE status = 'refunded'",
        "UPDATE escrows SET amount = amount + 1, provider_amount = provider_amount + 1 WHERE status = 'released'",
        "UPDATE escrows SET deposited_amount = deposited_amount + 1 WHERE status = 'refunded' AND funding = 'deposit'",
        "UPDATE escrows SET status = 'refunded' WHERE status = 'pending'",
    ],
    "release differs from what was agreed": [
        "UPDATE escrows SET provider_amount = provider_amount - 1, community_amount = community_amount + 1"
        " WHERE status = 'released'",
        "UPDATE postings SET destination = 'available:1' WHERE destination = 'fund'",
        "UPDATE postings SET destination = 'fund' WHERE destination = 'available:2' AND source <> 'fund'",
        "UPDATE escrows SET provider_wallet_id = payer_wallet_id, payer_wallet_id = provider_wallet_id"
        " WHERE status = 'released'",
    ],
    "division differs from what was decided": [
        "UPDATE escrows SET resolved_provider_amount = resolved_provider_amount - 1",
        "UPDATE escrows SET resolved_community_amount = resolved_community_amount + 1",
        "UPDATE postings SET amount = amount + 1 WHERE destination = 'available:1' AND journal_entry_id IN"
        " (SELECT id FROM journal_entries WHERE kind = 'escrow_resolve')",
    ],
    "payouts in flight differ": [
        "UPDATE payouts SET status = 'confirmed'",
        "UPDATE payouts SET status = 'failed'",
        "UPDATE payouts SET gross = gross + 1",
        "DELETE FROM payouts",
    ],
    "the fund is overdrawn": [
        "INSERT INTO postings (journal_entry_id, source, destination, amount)"
        " SELECT min(id), 'fund', 'chain', 100000000000 FROM journal_entries",
    ],
    "airdrop differs from its entry": [
        "UPDATE airdrop_recipients SET amount = amount + 1 WHERE status = 'credited'",
        "UPDATE airdrop_recipients SET status = 'failed' WHERE status = 'credited'",
        "UPDATE airdrop_recipients SET status = 'credited' WHERE status = 'failed'",
        "UPDATE airdrop_recipients SET wallet_id = (SELECT min(id) FROM wallets) WHERE status = 'credited'",
        "UPDATE airdrops SET status = 'snapshot'",
        "UPDATE airdrops SET status = 'abandoned'",
        "UPDATE airdrops SET total = total + 1",
        "UPDATE journal_entries SET key = 'airdrop:of-nobody' WHERE kind = 'airdrop'",
        "DELETE FROM airdrop_recipients WHERE status = 'paying'",
    ],
    "airdrop share differs from its payout": [
        "UPDATE airdrop_recipients SET amount = amount + 1 WHERE status = 'paying'",
        "UPDATE airdrop_recipients SET payout_id = (SELECT id FROM payouts WHERE wallet_id IS NOT NULL)"
        " WHERE status = 'credited'",
        "UPDATE airdrop_recipients SET payout_id = (SELECT id FROM payouts WHERE wallet_id IS NULL)",
        "UPDATE payouts SET wallet_id = (SELECT min(id) FROM wallets) WHERE wallet_id IS NULL",
    ],
    "deposit differs from its entries": [
        "INSERT INTO deposit_addresses (address, purpose, created_at) VALUES ('a', 'stock', CURRENT_TIMESTAMP);"
        "INSERT INTO deposits (wallet_id, address, txid, vout, amount, held_amount, status, disposition,"
        " confirmations, credit_round, shortfall, first_seen_at) SELECT min(id), 'a', 'forged', 0, 100, 0,"
        " 'credited', 'balance', 9, 1, 0, CURRENT_TIMESTAMP FROM wallets",
    ],
    "checkpoint differs from its postings": [
        "UPDATE account_checkpoints SET total_in = total_in + 1 WHERE account = 'fund'",
        "UPDATE account_checkpoints SET total_out = total_out + 1 WHERE account = 'chain'",
        "UPDATE account_checkpoints SET last_posting_id = 0 WHERE account = 'fund'",
    ],
}


@pytest.mark.parametrize("check", FORGERIES)
def test_a_forgery_is_found_by_its_check(books: Books, check: str) -> None:
    for forgery in FORGERIES[check]:
        with books.forged(*forgery.split(";")) as session:
            assert check in {gap.check for gap in check_books(session)}, forgery
    assert books.checks() == set()


def test_every_check_has_a_forgery() -> None:
    assert set(FORGERIES) == set(_CHECKS)


LAST = "(SELECT max(id) FROM escrow_transactions)"
TRAIL_FORGERIES = [
    "UPDATE escrow_transactions SET amount = amount + 1 WHERE sequence = 1",
    "UPDATE escrow_transactions SET actor = 'user:666' WHERE kind = 'released'",
    "UPDATE escrow_transactions SET kind = 'refunded' WHERE kind = 'released'",
    "UPDATE escrow_transactions SET detail = '{}' WHERE kind = 'created'",
    "UPDATE escrow_transactions SET created_at = CURRENT_TIMESTAMP WHERE kind = 'created'",
    "UPDATE escrow_transactions SET previous_hash = hash WHERE sequence = 2",
    "DELETE FROM escrow_transactions WHERE kind = 'created'",
    "DELETE FROM escrow_transactions WHERE kind = 'released'",
    "DELETE FROM escrow_transactions WHERE kind = 'funded'",
    "DELETE FROM escrow_transactions",
]


def test_a_forged_audit_trail_is_found(books: Books) -> None:
    for forgery in TRAIL_FORGERIES:
        with books.forged(forgery) as session:
            assert list(audit_trail.broken_links(session)), forgery
    assert list(audit_trail.broken_links(books.session)) == []
