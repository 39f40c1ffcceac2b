"""What the tests of the web plumbing share. The plumbing knows no database of its own, so one kind is enough."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.support.browsing import Browser
from tests.support.databases import SqliteDatabases


@pytest.fixture
def databases(sqlite_databases: SqliteDatabases) -> SqliteDatabases:
    """SQLite only."""
    return sqlite_databases


@pytest.fixture
def browser(app: Flask) -> Browser:
    """A visitor who is not logged in."""
    return Browser(app)


@pytest.fixture
def payer(app: Flask) -> Browser:
    """A payer who is logged in."""
    visitor = Browser(app)
    visitor.register("payer@example.org")
    return visitor
