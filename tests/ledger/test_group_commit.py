"""Threads that write to SQLite together: one commit for all who waited, and each change stands or falls by itself."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from webapp.models import group_commit
from webapp.models.group_commit import GroupCommit, RefusedError


class Book:
    """Stands for a connection: writes down what it is told, and fails where it is asked to."""

    def __init__(self, fails_at: str = "") -> None:
        self.said: list[str] = []
        self.is_asked = threading.Event()
        self.may_begin = threading.Event()
        self._fails_at = fails_at

    def say(self, statement: str) -> None:
        if statement == "BEGIN IMMEDIATE":
            self.is_asked.set()
            self.may_begin.wait(10)
        self.said.append(statement)
        if statement == self._fails_at:
            raise OSError("the disk is full")


def written_together(book: Book, numbers: range) -> list[str]:
    """What became of changes by so many threads, of which number 2 is refused. The first holds the others up."""
    commits: GroupCommit[Book] = GroupCommit()

    def work(connection: Book, number: int) -> None:
        connection.say(f"change {number}")
        if number == 2:
            raise RefusedError("2 is refused")

    def write(number: int) -> str:
        try:
            commits.run(book, lambda connection: work(connection, number))
        except (RefusedError, OSError) as error:
            return str(error)
        return "done"

    with ThreadPoolExecutor(len(numbers)) as pool:
        outcomes = [pool.submit(write, numbers[0])]
        book.is_asked.wait(10)
        outcomes += [pool.submit(write, number) for number in numbers[1:]]
        while len(commits._waiting) < len(numbers) - 1:
            time.sleep(0.001)
        book.may_begin.set()
        return [outcome.result() for outcome in outcomes]


def test_who_waits_is_written_by_the_first_of_them_and_refusals_are_ones_own() -> None:
    book = Book()
    assert written_together(book, range(5)) == ["done", "done", "2 is refused", "done", "done"]
    assert book.said.count("BEGIN IMMEDIATE") == book.said.count("COMMIT") == 2
    assert {f"change {number}" for number in range(5)} <= set(book.said)
    refused = book.said.index("change 2")
    assert book.said[refused - 1 : refused + 3] == [
        "SAVEPOINT change", "change 2", "ROLLBACK TO change", "RELEASE change",
    ]  # fmt: skip


@pytest.mark.parametrize("fails_at", ["COMMIT", "BEGIN IMMEDIATE"])
def test_nobody_is_told_of_success_when_the_common_commit_fails(fails_at: str) -> None:
    book = Book(fails_at)
    assert set(written_together(book, range(4))) == {"the disk is full"}
    assert book.said.count("ROLLBACK") == book.said.count("BEGIN IMMEDIATE") == 2


def test_nobody_is_told_of_success_who_was_taken_along_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the thread that was to write for others is interrupted before it does."""
    monkeypatch.setattr(group_commit, "_write", lambda *_: None)
    commits: GroupCommit[Book] = GroupCommit()
    with pytest.raises(RefusedError, match="nobody"):
        commits.run(Book(), lambda connection: connection.say("change"))
