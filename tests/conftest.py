"""The fixtures of every test. The machinery behind them is in `tests/support`; nothing starts before it is asked for.

Session fixtures live once in each worker process: `regtest`, `postgres_cluster`, `redis_server`. What a test gets of
them is its own: an empty custody wallet (`chain`), a new database (`database_url`), an emptied cache (`redis_url`).
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy.orm
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner

from tests.support.chain import Chain
from tests.support.compiled import share_addresses, share_statements, share_templates
from tests.support.databases import Databases, PostgresDatabases, SqliteDatabases, check_database
from tests.support.instances import Sections, rpc_section, write_config
from tests.support.market import Market
from tests.support.postgres import PostgresCluster
from tests.support.processes import temporary_folder
from tests.support.redis import RedisServer
from webapp import create_app
from webapp.config import Settings, load_config
from webapp.extensions import db
from webapp.services.container import Services
from webapp.services.daemon.shared import forget_daemons
from webapp.services.database import Session
from webapp.services.key_ring import KeyRing

hypothesis.settings.register_profile("duxos", deadline=None)  # a busy machine is not a fault
hypothesis.settings.load_profile("duxos")
share_addresses()

for _name in [name for name in os.environ if name.startswith("DUXOS_")]:
    del os.environ[_name]  # a developer's own settings have no part in the tests


@pytest.hookimpl(trylast=True)  # after the folders have marked what is theirs
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long goes first, so that no worker is left with it when the others have nothing to do any more."""
    items.sort(key=lambda item: not (item.get_closest_marker("slow") or item.get_closest_marker("browser")))


def pytest_collection_finish() -> None:
    """What is there now stays to the end: the collector of garbage need not go through all of it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def regtest() -> Iterator[Chain]:
    """The daemons behind `chain`; ask for that one."""
    daemons = Chain(temporary_folder("chain")).start()
    yield daemons
    daemons.stop()


@pytest.fixture
def chain(regtest: Chain) -> Chain:
    """Two real daemons on one regtest chain. The custody wallet is empty, and the settings lead to it."""
    regtest.fresh_wallet()
    return regtest


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[PostgresCluster]:
    """A real PostgreSQL server."""
    cluster = PostgresCluster().start()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The server behind `redis_url`, for a test that stops it."""
    server = RedisServer().start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of an empty Redis; with it the settings keep rate limits there."""
    return redis_server.emptied().url


@pytest.fixture(scope="session")
def sqlite_databases() -> SqliteDatabases:
    """Makes migrated SQLite files."""
    return SqliteDatabases()


@pytest.fixture(scope="session")
def postgres_databases(postgres_cluster: PostgresCluster) -> PostgresDatabases:
    """Makes migrated PostgreSQL databases."""
    return PostgresDatabases(postgres_cluster)


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest) -> Databases:
    """Makes as many databases as wanted (one for each example, say), of each kind in turn."""
    maker: Databases = request.getfixturevalue(
        "sqlite_databases" if request.param == "sqlite" else "postgres_databases"
    )
    return maker


@pytest.fixture
def database_url(databases: Databases, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database at the newest schema; a test that uses it runs on both kinds, and must leave the books right.

    `@pytest.mark.broken_books` is for tests that break them on purpose.
    """
    url = databases.create()
    yield url
    try:
        if not request.node.get_closest_marker("broken_books"):
            check_database(url)
    finally:
        databases.drop(url)


@pytest.fixture
def settings(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[Settings]:
    """Settings of an instance folder of the test's own. They know the daemon or Redis only if the test uses one.

    `@pytest.mark.settings(wallet={"dust_limit": "1"})` changes keys; the marker nearest to the test wins.
    """
    layers: list[Sections] = [{"database": {"url": database_url}}]
    if "chain" in request.fixturenames:
        layers.append(rpc_section(request.getfixturevalue("chain").custody))
    if "redis_url" in request.fixturenames:
        layers.append({"security": {"rate_limit_storage_url": request.getfixturevalue("redis_url")}})
    marked = [marker.kwargs for marker in request.node.iter_markers("settings")]
    yield load_config(write_config(tmp_path / "instance", *layers, *reversed(marked)))
    forget_daemons()


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The application as `wsgi.py` makes it, with these settings."""
    made = share_templates(create_app(settings))
    made.testing = True
    instance: Services = made.extensions["duxos"]
    # What a test does to a key counts at its very next request, and not within a second.
    made.extensions["duxos"] = replace(instance, key_ring=KeyRing(instance.secret_box, ask_every=0))
    with made.app_context():
        share_statements(db.engine)
    yield made
    made.extensions["duxos_live"].close()
    with made.app_context():
        db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser's worth of cookies. Every request has contexts of its own, as on a server."""
    return app.test_client()


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    """Runs `flask` commands: `runner.invoke(args=["user", "create", ...])`."""
    return app.test_cli_runner()


@pytest.fixture
def session(settings: Settings) -> Iterator[sqlalchemy.orm.Session]:
    """A database session without Flask, as the services take it."""
    with Session(settings) as opened:
        share_statements(opened.get_bind().engine)
        yield opened
    opened.get_bind().engine.dispose()


@pytest.fixture
def services(settings: Settings) -> Services:
    """The services of these settings, without Flask: factories that take a `session`."""
    return Services.of(settings)


@pytest.fixture
def market(chain: Chain, session: sqlalchemy.orm.Session, services: Services) -> Iterator[Market]:
    """A payer and a provider without money, and a worker that runs when told to. Books and coins agree in the end."""
    made = Market(chain, session, services)
    try:
        yield made
        made.close()
    finally:
        made.dispose()


@pytest.fixture(autouse=True)
def _push_request_context() -> None:
    """Takes the place of pytest-flask's: with its one context around the test, all requests would share one `g`,
    and with it the logged-in user and the database session."""
