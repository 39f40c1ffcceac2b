"""Checkpoints: folding postings early changes no balance, whatever runs at the same time."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.money import Amount
from webapp.ledger import pooled
from webapp.ledger.journal import Move, post
from webapp.models import AccountCheckpoint
from webapp.services import database
from webapp.services.pooled_accounts import CheckpointFolder
from webapp.services.unit_of_work import unit_of_work


def give(session: Session, key: str, amount: str, *, back: bool = False) -> None:
    move = Move(accounts.CHAIN, accounts.FUND, Amount.parse(amount))
    with unit_of_work(session):
        post(session, key, "test", [move.reversed() if back else move])


def is_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def fold_checkpoints(session: Session) -> bool:
    """One run of a folder that has not run before: it tries the present moment."""
    return CheckpointFolder(session).run()


def fund(session: Session) -> str:
    session.rollback()
    found = str(Amount(pooled.balance(session, accounts.FUND)))
    session.rollback()
    return found


def folded(session: Session) -> tuple[int, int]:
    """(in, out) of the fund's checkpoint."""
    session.rollback()
    row = session.execute(
        select(AccountCheckpoint.total_in, AccountCheckpoint.total_out).where(
            AccountCheckpoint.account == accounts.FUND
        )
    ).one()
    session.rollback()
    return int(row[0]), int(row[1])


@pytest.fixture
def other(settings: Settings) -> Iterator[Session]:
    """A second connection."""
    with database.Session(settings) as opened:
        yield opened


def test_a_fold_moves_sums_into_the_checkpoint_and_changes_no_balance(session: Session) -> None:
    assert fund(session) == "0.00000000"
    give(session, "a", "5")
    give(session, "b", "2", back=True)
    assert fund(session) == "3.00000000"
    assert fold_checkpoints(session)
    assert folded(session) == (5_00000000, 2_00000000)
    assert fund(session) == "3.00000000"
    give(session, "c", "0.00000001")
    assert fund(session) == "3.00000001"
    assert fold_checkpoints(session)
    assert fold_checkpoints(session)
    assert fund(session) == "3.00000001"
    totals = pooled.totals(session, accounts.FUND)
    assert (totals.total_in, totals.total_out) == (5_00000001, 2_00000000)


def test_totals_larger_than_a_big_integer_are_exact(session: Session) -> None:
    if not is_postgresql(session):
        pytest.skip("SQLite has no larger integer")
    for number in range(10):
        give(session, f"in {number}", "9999999999")
        give(session, f"out {number}", "9999999999", back=True)
        assert fold_checkpoints(session)
    give(session, "last", "9999999999")
    assert fold_checkpoints(session)
    assert folded(session) == (11 * 9999999999_00000000, 10 * 9999999999_00000000)
    assert fund(session) == "9999999999.00000000"


def test_an_older_entry_that_commits_later_is_neither_lost_nor_counted_twice(
    session: Session, other: Session
) -> None:
    """Ids are given out before the commit: a later id may be visible while an earlier one is not yet."""
    if not is_postgresql(session):
        pytest.skip("SQLite has one writer at a time")
    older = unit_of_work(other)
    older.__enter__()
    post(other, "older", "test", [Move(accounts.CHAIN, accounts.FUND, Amount.parse("1"))])
    give(session, "younger", "10")

    assert not fold_checkpoints(session), "the older one still runs"
    assert fund(session) == "10.00000000"
    horizon = pooled.horizon(session)
    session.rollback()
    older.__exit__(None, None, None)
    assert fund(session) == "11.00000000"
    with unit_of_work(session):
        assert pooled.fold(session, horizon)
    assert fund(session) == "11.00000000"
    assert folded(session) == (11_00000000, 0)
    assert fold_checkpoints(session)
    assert fund(session) == "11.00000000"


def test_an_older_entry_that_is_rolled_back_leaves_only_a_gap(session: Session, other: Session) -> None:
    if not is_postgresql(session):
        pytest.skip("SQLite has one writer at a time")
    with pytest.raises(KeyboardInterrupt), unit_of_work(other):
        post(other, "older", "test", [Move(accounts.CHAIN, accounts.FUND, Amount.parse("1"))])
        give(session, "younger", "10")
        assert not fold_checkpoints(session)
        raise KeyboardInterrupt
    assert fold_checkpoints(session)
    assert folded(session) == (10_00000000, 0)


def test_folding_while_many_write_loses_nothing(session: Session, settings: Settings) -> None:
    done = threading.Event()
    wrong: list[str] = []

    def write(writer: int) -> None:
        with database.Session(settings) as own:
            for number in range(25):
                give(own, f"{writer}:{number}", "1")

    def watch() -> None:
        seen = 0
        with database.Session(settings) as own:
            while not done.is_set():
                now = pooled.balance(own, accounts.FUND)
                own.rollback()
                if now < seen or now > 100_00000000:
                    wrong.append(f"{seen} then {now}")
                seen = now

    def keep_folding() -> None:
        with database.Session(settings) as own:
            folder = CheckpointFolder(own)
            while not done.is_set():
                folder.run()

    watchers = [threading.Thread(target=each) for each in (watch, keep_folding, keep_folding)]
    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in [*watchers, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in watchers:
        thread.join()
    assert wrong == []
    assert fund(session) == "100.00000000"
    assert fold_checkpoints(session)
    assert folded(session) == (100_00000000, 0)
    assert fund(session) == "100.00000000"


def test_a_worker_folds_what_was_there_at_its_run_before(session: Session) -> None:
    folder = CheckpointFolder(session)
    give(session, "a", "1")
    assert folder.run()
    assert folded(session) == (1_00000000, 0)
    give(session, "b", "2")
    assert folder.run()
    give(session, "c", "4")
    assert folder.run()
    assert folded(session) == (3_00000000, 0)
    assert fund(session) == "7.00000000"
