"""Migrations and models say the same, on both databases, forwards and back."""

from __future__ import annotations

from collections.abc import Iterator

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from flask import Flask
from sqlalchemy import CheckConstraint, inspect, text

import webapp.models  # noqa: F401  (makes every table known)
from webapp import ROOT
from webapp.extensions import Base, db, prepare_engine
from webapp.extensions import migrate as alembic


@pytest.fixture
def database(database_url: str) -> Iterator[Flask]:
    """A migrated database inside an application context."""
    app = Flask("migrations")
    app.config["SQLALCHEMY_DATABASE_URI"] = database_url
    db.init_app(app)
    alembic.init_app(app, db, directory=str(ROOT / "webapp" / "migrations"))
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


@pytest.mark.usefixtures("database")
def test_the_tables_of_the_seed_exist_by_their_names() -> None:
    tables = set(inspect(db.engine).get_table_names())
    assert {"escrows", "escrow_transactions", "community_fund", "disputes"} <= tables


@pytest.mark.usefixtures("database")
def test_downgrading_to_nothing_and_upgrading_again_gives_the_same_schema() -> None:
    before = (triggers(), check_constraints())
    assert len(before[0]) == 8
    flask_migrate.downgrade(revision="base")
    assert set(inspect(db.engine).get_table_names()) <= {"alembic_version"}
    assert triggers() == set()
    flask_migrate.upgrade()
    assert differences() == []
    assert (triggers(), check_constraints()) == before
