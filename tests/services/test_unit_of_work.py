"""All or nothing, once, by the outermost; and no write that nobody guards."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.extensions import UnguardedWriteError
from webapp.models import User
from webapp.services import database
from webapp.services.unit_of_work import unit_of_work


def user(name: str) -> User:
    return User(email=f"{name}@example.com", password_hash="none", role="payer")


def seen_by_others(settings: Settings) -> int:
    with database.Session(settings) as other:
        return other.execute(select(func.count()).select_from(User)).scalar_one()


def test_nothing_is_visible_until_the_outermost_unit_ends(session: Session, settings: Settings) -> None:
    with unit_of_work(session):
        with unit_of_work(session):
            session.add(user("inner"))
        session.flush()
        assert seen_by_others(settings) == 0
    assert seen_by_others(settings) == 1


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_any_error_takes_everything_back_and_the_session_goes_on(
    session: Session, settings: Settings, error: type[BaseException]
) -> None:
    with pytest.raises(error), unit_of_work(session):
        with unit_of_work(session):
            session.add(user("inner"))
        session.flush()
        raise error
    assert seen_by_others(settings) == 0
    with unit_of_work(session):
        session.add(user("next"))
    assert seen_by_others(settings) == 1


def test_an_error_of_an_inner_unit_takes_the_outer_one_with_it(session: Session, settings: Settings) -> None:
    with pytest.raises(RuntimeError), unit_of_work(session):
        session.add(user("outer"))
        with unit_of_work(session):
            session.add(user("inner"))
            session.flush()
            raise RuntimeError
    assert seen_by_others(settings) == 0


def test_a_write_outside_a_unit_of_work_is_refused(session: Session, settings: Settings) -> None:
    session.add(user("unguarded"))
    with pytest.raises(UnguardedWriteError):
        session.flush()
    session.rollback()
    with unit_of_work(session):
        guarded = user("guarded")
        session.add(guarded)
    guarded.role = "provider"
    with pytest.raises(UnguardedWriteError):
        session.commit()
    session.rollback()
    assert session.scalars(select(User.role)).all() == ["payer"]


def test_what_was_read_before_does_not_hinder_the_write(session: Session, settings: Settings) -> None:
    """On SQLite a transaction that has read could not become a writer after somebody else has written."""
    assert session.scalars(select(User.id)).all() == []
    with database.Session(settings) as other, unit_of_work(other):
        other.add(user("other"))
    with unit_of_work(session):
        session.add(user("mine"))
    assert seen_by_others(settings) == 2


def test_rows_stay_readable_after_the_commit(session: Session) -> None:
    with unit_of_work(session):
        made = user("somebody")
        session.add(made)
    session.close()
    assert made.email == "somebody@example.com"
