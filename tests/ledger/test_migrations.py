"""Migrations and models say the same, on both databases, forwards and back."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from flask import Flask
from sqlalchemy import CheckConstraint, Connection, inspect, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

import webapp.models  # noqa: F401  (makes every table known)
from tests.support.escrow_rows import make_unpaid
from tests.support.people import make_person
from webapp import ROOT
from webapp.domain.clock import utcnow
from webapp.domain.escrow_states import Status
from webapp.domain.money import Amount
from webapp.extensions import Base, db, prepare_engine
from webapp.models import Dispute
from webapp.services.container import Services


@pytest.fixture
def database(database_url: str) -> Iterator[Flask]:
    """A migrated database inside an application context."""
    app = Flask("migrations")
    app.config["SQLALCHEMY_DATABASE_URI"] = database_url
    db.init_app(app)
    flask_migrate.Migrate().init_app(app, db, directory=str(ROOT / "webapp" / "migrations"))
    with app.app_context():
        prepare_engine(db.engine)
        yield app
        db.engine.dispose()


def differences() -> list[object]:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": False}
        )
        return list(compare_metadata(context, Base.metadata))


def triggers() -> set[str]:
    is_postgresql = db.engine.dialect.name == "postgresql"
    statement = (
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
        if is_postgresql
        else "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    )
    with db.engine.connect() as connection:
        return set(connection.execute(text(statement)).scalars())


def check_constraints() -> dict[str, set[str]]:
    look = inspect(db.engine)
    return {
        table: {str(found["name"]) for found in look.get_check_constraints(table)}
        for table in look.get_table_names()
        if table != "alembic_version"
    }


@pytest.mark.usefixtures("database")
def test_the_migrated_schema_is_the_one_of_the_models() -> None:
    assert differences() == []


@pytest.mark.usefixtures("database")
def test_every_check_of_the_models_is_in_the_database() -> None:
    expected = {
        table.name: {
            str(constraint.name)
            for constraint in table.constraints
            if isinstance(constraint, CheckConstraint)
        }
        for table in Base.metadata.sorted_tables
    }
    assert check_constraints() == expected


def indexes(connection: Connection, schema: str) -> dict[str, str]:
    """What each index of a schema is made by, as the database itself says it, without the schema's name."""
    statement = (
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = :schema AND tablename <> 'alembic_version'"
        if connection.dialect.name == "postgresql"
        else f"SELECT name, sql FROM {schema}.sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    )
    used = {"schema": schema} if ":schema" in statement else {}
    return {
        name: re.sub(rf'["\s]|\b{schema}\.', "", made)
        for name, made in connection.execute(text(statement), used)
    }


@pytest.mark.usefixtures("database")
def test_every_index_of_the_models_is_in_the_database_with_what_it_is_limited_to() -> None:
    with db.engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        connection.execute(text("ATTACH ':memory:' AS model" if is_sqlite else "CREATE SCHEMA model"))
        modelled = connection.execution_options(schema_translate_map={None: "model"})
        Base.metadata.create_all(modelled)
        expected, found = indexes(connection, "model"), indexes(connection, "main" if is_sqlite else "public")
        connection.rollback()
    assert len(expected) > 50
    assert found == expected


@pytest.mark.parametrize(
    ("column", "known"),
    [("status", set(Status) - {Status.RESOLVED}), ("funding", {"balance", "deposit"})],
)
@pytest.mark.usefixtures("database")
def test_an_escrow_has_one_of_the_known_states(
    session: Session, services: Services, column: str, known: set[str]
) -> None:
    payer, provider = make_person(session, services), make_person(session, services, "provider")
    make_unpaid(session, payer.wallet_id, provider.wallet_id, 1)
    session.close()
    flask_migrate.downgrade(revision="0019")
    for migrate in (lambda: None, flask_migrate.upgrade):
        migrate()
        for word in ("lost", "", "pending,active", "balance,deposit", "Active"):
            with db.engine.connect() as connection, pytest.raises(IntegrityError):
                connection.execute(text(f"UPDATE escrows SET {column} = :word"), {"word": word})
        with db.engine.connect() as connection:
            for word in sorted(known):
                connection.execute(text(f"UPDATE escrows SET {column} = :word"), {"word": str(word)})


@pytest.mark.usefixtures("database")
def test_the_tables_of_the_seed_exist_by_their_names() -> None:
    tables = set(inspect(db.engine).get_table_names())
    assert {"escrows", "escrow_transactions", "community_fund", "disputes"} <= tables


@pytest.mark.usefixtures("database")
def test_downgrading_to_nothing_and_upgrading_again_gives_the_same_schema() -> None:
    before = (triggers(), check_constraints())
    assert len(before[0]) == 19
    flask_migrate.downgrade(revision="base")
    assert set(inspect(db.engine).get_table_names()) <= {"alembic_version"}
    assert triggers() == set()
    flask_migrate.upgrade()
    assert differences() == []
    assert (triggers(), check_constraints()) == before


@pytest.mark.usefixtures("database")
def test_disputes_of_before_the_ladder_begin_to_talk_or_have_ended(
    session: Session, services: Services
) -> None:
    payer, provider = make_person(session, services), make_person(session, services, "provider")
    first, second = make_unpaid(session, payer.wallet_id, provider.wallet_id, 2)
    session.close()
    (ladder,) = (ROOT / "webapp" / "migrations" / "versions").glob("*_ladder_of_disputes.py")
    flask_migrate.downgrade(revision=f"{int(ladder.name[:4]) - 1:04d}")
    with db.engine.connect() as connection:
        for escrow_id, status, resolution, resolved_at in (
            (first, "open", None, None),
            (second, "resolved", "released", "2030-01-02 00:00:00"),
        ):
            values = {"escrow": escrow_id.hex, "status": status, "resolution": resolution, "at": resolved_at}
            connection.execute(
                text(
                    "INSERT INTO disputes (escrow_id, opened_by_wallet_id, reason, status, resolution, created_at,"
                    " resolved_at) VALUES (:escrow, 1, 'why', :status, :resolution, '2030-01-01', :at)"
                ),
                values,
            )
        connection.commit()
    before = utcnow()
    flask_migrate.upgrade()
    talking, ended = session.scalars(select(Dispute).order_by(Dispute.id))
    assert (talking.rung, talking.basis, talking.bond) == ("talk", None, Amount(0))
    assert abs(talking.rung_ends_at - before - timedelta(hours=72)) < timedelta(minutes=5)
    assert (ended.rung, ended.basis, ended.share_basis_points) == ("ended", "ruling", 10_000)
    assert ended.ended_at == datetime(2030, 1, 2, tzinfo=UTC)
    session.close()
    flask_migrate.downgrade(revision=f"{int(ladder.name[:4]) - 1:04d}")
    with db.engine.connect() as connection:
        kept = connection.execute(text("SELECT status, resolution FROM disputes ORDER BY id"))
        assert [tuple(row) for row in kept] == [("open", None), ("resolved", "released")]
        connection.execute(text("DELETE FROM disputes"))
        connection.commit()
    flask_migrate.upgrade()


OLD_ROWS = """
INSERT INTO users (id, email, password_hash, role, is_active, created_at)
  VALUES (1, 'a@example.org', 'x', 'payer', true, '2030-01-01');
INSERT INTO wallets (id, user_id, name, available, held, is_frozen, created_at)
  VALUES (1, 1, 'Main', 0, 0, false, '2030-01-01');
INSERT INTO deposit_addresses (address, wallet_id, created_at, assigned_at)
  VALUES ('given', 1, '2030-01-01', '2030-01-01'), ('stock', NULL, '2030-01-01', NULL);
INSERT INTO deposits (id, wallet_id, address, txid, vout, amount, status, confirmations, credit_round, shortfall,
                      first_seen_at)
  VALUES (1, 1, 'given', 'aa', 0, 5, 'seen', 0, 0, 0, '2030-01-01');
INSERT INTO chain_cursor (id, since_block, tip_hash, tip_height, read_at) VALUES (1, 'bb', 'cc', 700, '2030-01-01');
INSERT INTO chain_transactions (id, status, txid, signed_hex, fee, confirmations, built_on_block, reason, created_at)
  VALUES (:final, 'confirmed', 'dd', :hex, 9, 6, 'bb', '', '2030-01-01'),
         (:sent, 'broadcast', 'ee', :hex, 9, 0, 'bb', '', '2030-01-01');
INSERT INTO chain_transaction_inputs (transaction_id, txid, vout) VALUES (:sent, 'ff', 1);
INSERT INTO payouts (id, wallet_id, address, status, gross, fee, net, fee_paid_by, transaction_id, output_index,
                     next_attempt_at, attempts, reason, created_at, status_since)
  VALUES (:payout, 1, 'out', 'broadcast', 10, 1, 9, 'recipient', :sent, 0, '2030-01-01', 1, '', '2030-01-01',
          '2030-01-01')
"""


@pytest.mark.usefixtures("database")
def test_rows_of_before_mean_the_same_afterwards() -> None:
    flask_migrate.downgrade(revision="0002")
    # One input, two outputs: the payee's and the change.
    script = "76a914" + "00" * 20 + "88ac"
    output = "0100000000000000" + "19" + script
    signed_hex = (
        "02000000" + "01" + "ff" * 32 + "00000000" + "00" + "ffffffff" + "02" + output * 2 + "00000000"
    )
    names = {name: uuid.uuid4().hex for name in ("final", "sent", "payout")}
    with db.engine.connect() as connection:
        for statement in OLD_ROWS.split(";"):
            used = {
                name: value for name, value in {**names, "hex": signed_hex}.items() if f":{name}" in statement
            }
            connection.execute(text(statement), used)
        connection.commit()
    flask_migrate.upgrade()
    with db.engine.connect() as connection:

        def rows(statement: str) -> list[tuple[object, ...]]:
            return [tuple(row) for row in connection.execute(text(statement))]

        assert rows("SELECT address, purpose FROM deposit_addresses ORDER BY address") == [
            ("given", "wallet"),
            ("stock", "stock"),
        ]
        assert rows(
            "SELECT status, kind, size, block_height, change_index FROM chain_transactions ORDER BY status"
        ) == [
            ("broadcast", "payouts", len(signed_hex) // 2, None, 1),
            ("confirmed", "payouts", len(signed_hex) // 2, 700, None),
        ]
        assert rows("SELECT requested_by, is_return_requested FROM payouts") == [("worker", False)]
        assert rows("SELECT held_amount, disposition FROM deposits") == [(0, "balance")]
        for table in ("payouts", "deposits", "deposit_addresses", "wallets", "users"):
            connection.execute(text(f"DELETE FROM {table}"))
        connection.commit()
