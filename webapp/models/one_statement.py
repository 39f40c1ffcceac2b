"""Several changes that happen all together or not at all, in as few words to the database as it takes.

The changes are stated once, as `Step`s. PostgreSQL gets them as one statement of data-modifying CTEs, which is a
transaction by itself: one round trip, and the disk is waited for once. SQLite, which lives in the process, gets them
one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, bindparam, exists, literal_column, select, true
from sqlalchemy.dialects import postgresql, sqlite

from webapp.models.group_commit import RefusedError
from webapp.models.plain_connection import PlainConnection
from webapp.models.plain_statement import POSTGRESQL, SQLITE, Form, converted


class NotDoneError(RefusedError):
    """A step found nothing to change, or the database refused it. Nothing at all has been changed."""


@dataclass(frozen=True)
class Before:
    """What a step may lean on. `is_done` holds when the step before it, and so every one, has changed its row.

    `insert` makes the database's own INSERT, and `column(step, name)` is the value that an earlier step gives.
    """

    insert: Callable[[Table], Any]
    is_done: ColumnElement[bool]
    column: Callable[[str, str], ColumnElement[Any]]


@dataclass(frozen=True)
class Step:
    """One INSERT (from a SELECT) or UPDATE, of at least one row; `Before.is_done` is a part of its condition.

    `gives` are columns of the changed row that later steps need.
    """

    name: str
    change: Callable[[Before], Any]
    gives: tuple[str, ...] = ()


class OneStatement:
    """Steps in their order. Each waits for the row of the one before, so locks are taken in this order, too."""

    def __init__(self, *steps: Step) -> None:
        self._steps = steps

    def run(self, connection: PlainConnection, values: Mapping[str, Any]) -> None:
        """Do every step, in a transaction of its own. Raises NotDoneError; OperationalError as the database does."""
        try:
            if connection.dialect_name == SQLITE:
                parameters = converted(values, self._to_parameter)
                connection.change(lambda shared: self._run_in_turn(shared, parameters))
            else:
                connection.run(self._at_once, values)
        except RefusedError as error:
            raise NotDoneError(str(error)) from error

    @cached_property
    def _at_once(self) -> Form:
        """It divides by the rows of its last step: without one it fails, and all that was done before is undone."""
        done: dict[str, Any] = {}
        is_done: ColumnElement[bool] = true()
        for step in self._steps:
            change = step.change(Before(postgresql.insert, is_done, lambda name, of: _of(done[name], of)))
            given = [change.table.c[name] for name in step.gives] or [literal_column("1").label("one")]
            done[step.name] = change.returning(*given).cte(step.name)
            is_done = exists(select(literal_column("1")).select_from(done[step.name]))
        last = done[self._steps[-1].name]
        statement: Select[Any] = select(literal_column("1 / count(*)").label("is_done")).select_from(last)
        return Form(statement.add_cte(*done.values()), POSTGRESQL)

    @cached_property
    def _in_turn(self) -> list[Form]:
        forms = []
        for step in self._steps:
            change = step.change(Before(sqlite.insert, true(), _parameter))
            if step.gives:
                change = change.returning(*(change.table.c[name] for name in step.gives))
            forms.append(Form(change, SQLITE))
        return forms

    @cached_property
    def _to_parameter(self) -> dict[str, Any]:
        """The same name is the same kind of value in every step."""
        return {name: change for form in self._in_turn for name, change in form.to_parameter.items()}

    def _run_in_turn(self, connection: PlainConnection, parameters: dict[str, Any]) -> None:
        for step, form in zip(self._steps, self._in_turn, strict=True):
            row, count = connection.run_natively(form, parameters)
            if count < 1:
                raise NotDoneError(step.name)
            for name, value in zip(step.gives, row or (), strict=True):
                parameters[_name(step.name, name)] = value


def _of(done: Any, name: str) -> ColumnElement[Any]:
    return select(done.c[name]).scalar_subquery()


def _parameter(step: str, name: str) -> ColumnElement[Any]:
    return bindparam(_name(step, name))


def _name(step: str, column: str) -> str:
    return f"{step}_{column}"
