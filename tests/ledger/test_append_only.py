"""The database itself refuses to change what was written."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from tests.support.evidence import add, disputed
from tests.support.money import credit
from tests.support.people import make_escrow, make_pair, manager
from webapp.domain.clock import utcnow
from webapp.domain.terms.presets import auto_refund
from webapp.services.container import Services
from webapp.services.unit_of_work import unit_of_work

TABLES = ("journal_entries", "postings", "escrow_transactions", "evidence", "escrow_facts")


@pytest.fixture(autouse=True)
def history(session: Session, services: Services) -> None:
    """One row at least in each of the tables."""
    pair = make_pair(session, services)
    credit(session, pair.payer.wallet_id, "100")
    add(session, services, pair.payer, disputed(session, services, pair, "10"), "A sentence")
    terms = auto_refund(utcnow() + timedelta(hours=1))
    escrow = make_escrow(session, services, pair, "10", terms=terms)
    manager(session, services, pair.payer).terms.approve(escrow.id)


def refuses(session: Session, statement: str) -> None:
    with pytest.raises(DatabaseError, match="append-only"), unit_of_work(session):
        session.execute(text(statement))


@pytest.mark.parametrize("table", TABLES)
def test_rows_cannot_be_updated_or_deleted(session: Session, table: str) -> None:
    refuses(session, f"UPDATE {table} SET id = id")
    refuses(session, f"UPDATE {table} SET id = id + 1000 WHERE id = (SELECT max(id) FROM {table})")
    refuses(session, f"DELETE FROM {table}")
    refuses(session, f"DELETE FROM {table} WHERE id = (SELECT max(id) FROM {table})")


@pytest.mark.parametrize("table", TABLES)
def test_a_table_cannot_be_emptied_or_a_row_replaced(session: Session, table: str) -> None:
    if session.get_bind().dialect.name == "postgresql":
        refuses(session, f"TRUNCATE {table} CASCADE")
    else:
        refuses(session, f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE wallets SET available = -1",
        "UPDATE wallets SET held = -1",
        "UPDATE escrows SET provider_amount = provider_amount + 1",
        "UPDATE escrows SET status = 'stolen'",
        "UPDATE escrows SET payer_wallet_id = provider_wallet_id",
        "INSERT INTO postings (journal_entry_id, source, destination, amount) SELECT min(id), 'fund', 'chain', 0"
        " FROM journal_entries",
        "INSERT INTO postings (journal_entry_id, source, destination, amount) SELECT min(id), 'fund', 'fund', 1"
        " FROM journal_entries",
        "INSERT INTO postings (journal_entry_id, source, destination, amount) VALUES (404, 'fund', 'chain', 1)",
    ],
)
def test_what_must_never_be_is_refused_by_a_constraint(session: Session, statement: str) -> None:
    with pytest.raises(DatabaseError), unit_of_work(session):
        session.execute(text(statement))
