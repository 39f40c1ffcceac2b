"""Fresh, migrated databases of either kind: the migrations make the schema once, then it is copied."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Protocol
from zlib import crc32

import flask_migrate
import pytest
import sqlalchemy.orm
from flask import Flask
from flask_migrate import Migrate
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from tests.support.compiled import share_statements
from tests.support.postgres import PostgresCluster
from tests.support.processes import temporary_folder
from webapp import ROOT
from webapp.extensions import db, prepare_engine
from webapp.ledger.integrity import check_books


class Databases(Protocol):
    """Where databases come from: `create` returns the URL of an empty one at the newest schema, `drop` removes it."""

    def create(self) -> str: ...

    def drop(self, url: str) -> None: ...


def in_turn(request: pytest.FixtureRequest) -> Databases:
    """One kind for each test: for a fixture `databases` of tests that are too dear to run on both."""
    kind = ("sqlite_databases", "postgres_databases")[crc32(request.node.name.encode()) % 2]
    found: Databases = request.getfixturevalue(kind)
    return found


class SqliteDatabases:
    """Copies of one migrated file."""

    def __init__(self) -> None:
        self._folder = temporary_folder("sqlite")
        self._template = self._folder / "template.db"
        self._made = 0
        migrate(f"sqlite:///{self._template}")

    def create(self) -> str:
        self._made += 1
        copy = self._folder / f"{self._made}.db"
        shutil.copyfile(self._template, copy)
        return f"sqlite:///{copy}"

    def drop(self, url: str) -> None:
        file = Path(make_url(url).database or "")
        for path in file.parent.glob(f"{file.name}*"):
            path.unlink()


class PostgresDatabases:
    """Copies of one migrated template in a cluster."""

    def __init__(self, cluster: PostgresCluster) -> None:
        self._cluster = cluster
        self._template = cluster.create_database()
        migrate(cluster.url(self._template))

    def create(self) -> str:
        return self._cluster.url(self._cluster.create_database(self._template))

    def drop(self, url: str) -> None:
        self._cluster.drop_database(make_url(url).database or "")


def migrate(url: str) -> None:
    """Bring the database at `url` to the newest schema and leave no connection to it.

    It runs the project's migrations in an application that has nothing else, so that a page that cannot be imported
    fails the tests of pages and not every test.
    """
    app = Flask("migrations")
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    db.init_app(app)
    Migrate().init_app(app, db, directory=str(ROOT / "webapp" / "migrations"))
    with app.app_context():
        prepare_engine(db.engine)
        try:
            flask_migrate.upgrade()
        finally:
            db.engine.dispose()


def check_database(url: str) -> None:
    """Fail, with every gap spelled out, unless the books in this database agree with themselves."""
    engine = share_statements(prepare_engine(create_engine(url)))
    try:
        with sqlalchemy.orm.Session(engine) as session:
            gaps = check_books(session)
    finally:
        engine.dispose()
    assert not gaps, "the books do not balance:\n" + "\n".join(map(str, gaps))
