"""Browser sessions: they end when idle, when old, when revoked, and a token is in no database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tests.support.people import Person, make_person
from webapp.domain.exceptions import NotFoundError
from webapp.models import User, UserSession
from webapp.services.container import Services
from webapp.services.sessions import Sessions
from webapp.services.unit_of_work import unit_of_work

START = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def person(session: Session, services: Services) -> Person:
    return make_person(session, services)


@pytest.fixture
def sessions(session: Session, services: Services) -> Sessions:
    return services.sessions(session)


def test_a_session_ends_after_thirty_idle_minutes_and_not_before(sessions: Sessions, person: Person) -> None:
    with time_machine.travel(START, tick=False) as clock:
        token = sessions.open(person.user)
        clock.shift(timedelta(minutes=30) - timedelta(microseconds=1))
        assert sessions.find(token)
        clock.shift(timedelta(minutes=30) - timedelta(microseconds=1))
        assert sessions.find(token), "use starts the clock again"
        clock.shift(timedelta(minutes=30))
        assert sessions.find(token) is None
        assert sessions.list_live(person.user) == []


@pytest.mark.settings(security={"session_timeout_minutes": 1})
def test_the_idle_limit_is_the_configured_one_and_use_extends_it(sessions: Sessions, person: Person) -> None:
    with time_machine.travel(START, tick=False) as clock:
        token = sessions.open(person.user)
        clock.shift(59)
        assert sessions.find(token)
        clock.shift(1)
        assert sessions.find(token) is None


def test_no_session_lasts_longer_than_two_weeks_however_busy(sessions: Sessions, person: Person) -> None:
    with time_machine.travel(START, tick=False) as clock:
        token = sessions.open(person.user)
        for _ in range(14 * 24 * 3 - 1):
            clock.shift(timedelta(minutes=20))
            assert sessions.find(token)
        clock.shift(timedelta(minutes=20))
        assert sessions.find(token) is None
        sessions.purge()
        assert sessions.list_live(person.user) == []


def test_a_revoked_session_is_dead_at_once_and_others_live(
    sessions: Sessions, person: Person, session: Session, services: Services
) -> None:
    first, second, third = (sessions.open(person.user, user_agent=name) for name in ("a", "b", "c"))
    listed = sessions.list_live(person.user)
    assert [row.user_agent for row in listed] == ["c", "b", "a"]
    sessions.revoke(person.user, listed[2].id)
    assert sessions.find(first) is None
    assert sessions.find(second)
    with pytest.raises(NotFoundError):
        sessions.revoke(person.user, listed[2].id)
    stranger = make_person(session, services)
    with pytest.raises(NotFoundError):
        sessions.revoke(stranger.user, listed[1].id)
    sessions.revoke_all(person.user, except_id=listed[0].id)
    assert sessions.find(second) is None
    assert sessions.find(third)


def test_a_user_who_was_switched_off_has_no_sessions(
    sessions: Sessions, person: Person, session: Session
) -> None:
    token = sessions.open(person.user)
    with unit_of_work(session):
        session.execute(update(User).where(User.id == person.user.id).values(is_active=False))
    session.expire_all()
    assert sessions.find(token) is None


def test_the_database_does_not_know_the_token(sessions: Sessions, person: Person, session: Session) -> None:
    token = sessions.open(person.user)
    stored = session.scalars(select(UserSession.token_hash)).one()
    assert token not in stored
    assert sessions.find(stored) is None, "what is stored does not log anybody in"
    assert sessions.find("") is None
