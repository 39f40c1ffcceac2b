"""The same story told twice, in two databases: whatever is drawn by lot comes out the same, and time stands still.

What the databases hold afterwards can be compared to the last column.
"""

from __future__ import annotations

import itertools
import random
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from sqlalchemy import JSON, Column, Select, Table, Text, cast, create_engine, select
from uuid_utils.compat import uuid7

from tests.support import people
from webapp.extensions import Base

BEGINNING = datetime(2030, 1, 1, 12, tzinfo=UTC)
# A salt that a library draws by itself is in these.
_SALTED = frozenset({"secret_sealed", "password_hash"})


@contextmanager
def the_same_again() -> Iterator[tuple[time_machine.Traveller, random.Random]]:
    """Ids, secrets and nonces come in the same order every time, from noon of 1 January 2030 on.

    Gives the clock, which somebody has to move, and what the lots are drawn from.
    """
    lots = random.Random(7)  # they are meant to be foreseen

    def identifier() -> uuid.UUID:
        return uuid.UUID(int=lots.getrandbits(128), version=4)

    def token(count: int = 32) -> str:
        return lots.randbytes(count).hex()

    with time_machine.travel(BEGINNING, tick=False) as clock, pytest.MonkeyPatch.context() as patch:
        patch.setattr("secrets.token_hex", token)
        patch.setattr("secrets.token_urlsafe", token)
        patch.setattr("uuid.uuid4", identifier)
        patch.setattr(people, "_numbers", itertools.count(1))
        for module in [module for name, module in sys.modules.items() if name.startswith("webapp.")]:
            if getattr(module, "uuid7", None) is uuid7:
                patch.setattr(module, "uuid7", identifier)
        yield clock, lots


def everything_in(url: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, but for what is salted. Rows that the database numbers are numbered without gaps."""
    engine = create_engine(url)
    numbers: dict[str, dict[Any, int]] = {}
    found: dict[str, list[dict[str, Any]]] = {}
    try:
        with engine.connect() as connection:
            for table in Base.metadata.sorted_tables:
                rows = [dict(row) for row in connection.execute(_rows(table)).mappings()]
                for column in table.columns:
                    _renumber(column, rows, numbers)
                found[table.name] = rows
    finally:
        engine.dispose()
    return found


def _rows(table: Table) -> Select[Any]:
    """Documents come as text: one that says `null` is not one that is missing."""
    columns = [
        cast(column, Text).label(column.name) if isinstance(column.type, JSON) else column
        for column in table.columns
        if column.name not in _SALTED
    ]
    return select(*columns).order_by(*table.primary_key)


def _renumber(column: Column[Any], rows: list[dict[str, Any]], numbers: dict[str, dict[Any, int]]) -> None:
    """In the order of the rows; what refers to a row in another table has that one's new number."""
    meant = next(iter(column.foreign_keys), None)
    if meant is not None:
        known = numbers.get(meant.column.table.name, {})
    elif column is column.table.autoincrement_column:
        known = {row[column.name]: number for number, row in enumerate(rows, 1)}
        numbers[column.table.name] = known
    else:
        return
    for row in rows:
        row[column.name] = known.get(row[column.name], row[column.name])
