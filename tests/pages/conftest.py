"""What the tests of pages share: a visitor of every role, and a payer with coins. One kind of database is enough."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.orm import Session

from tests.support.browsing import Browser
from tests.support.databases import SqliteDatabases
from tests.support.money import credit
from tests.support.people import PASSWORD, Pair, Person, make_key, make_person
from webapp.extensions import db
from webapp.services.container import Services

STRANGER = "stranger"


@pytest.fixture
def databases(sqlite_databases: SqliteDatabases) -> SqliteDatabases:
    """SQLite only."""
    return sqlite_databases


@pytest.fixture
def pair(session: Session, services: Services) -> Pair:
    """A payer with 1000 FLOP, and a provider with a signing key."""
    payer, provider = make_person(session, services), make_person(session, services, "provider")
    credit(session, payer.wallet_id, "1000")
    return Pair(payer, provider, make_key(session, services, provider))


def logged_in(app: Flask, person: Person) -> Browser:
    """A browser in which this person is logged in."""
    browser = Browser(app)
    response = browser.log_in(person.user.email, PASSWORD)
    assert response.status_code == 303
    return browser


@pytest.fixture
def payer(app: Flask, pair: Pair) -> Browser:
    """The payer's browser."""
    return logged_in(app, pair.payer)


@pytest.fixture
def provider(app: Flask, pair: Pair) -> Browser:
    """The provider's browser."""
    return logged_in(app, pair.provider)


@pytest.fixture
def visitors(app: Flask, session: Session, services: Services, payer: Browser, provider: Browser):
    """A browser for each kind of visitor, by name. `other` is a payer who has nothing to do with the pair."""
    staff = {role: logged_in(app, make_person(session, services, role)) for role in ("operator", "arbiter")}
    other = logged_in(app, make_person(session, services))
    return {"payer": payer, "provider": provider, "other": other, STRANGER: Browser(app), **staff}


@pytest.fixture
def count_queries(app: Flask) -> Callable[[Callable[[], object]], int]:
    """`count_queries(action)`: how many statements the action sent to the database."""

    def count(action: Callable[[], object]) -> int:
        sent: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            sent.append(statement)

        with app.app_context():
            event.listen(db.engine, "before_cursor_execute", note)
            try:
                action()
            finally:
                event.remove(db.engine, "before_cursor_execute", note)
        return len(sent)

    return count
