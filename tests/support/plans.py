"""How a database means to answer the statements that it has been sent: whether through an index, and what it sorts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event, text
from sqlalchemy.orm import Session

# What grows with every escrow.
LARGE = ("escrows", "escrow_transactions", "journal_entries", "postings")
# A table that has as many rows on as many pages as it would have after years; the pages of its file are multiplied.
_ROWS_ON_A_PAGE = 40_000
# What may be sorted: the first few of some scans.
MOST_SORTED = 20_000
Sent = list[tuple[str, Any]]


def seem_large(session: Session) -> None:
    """Have PostgreSQL believe that there are millions of rows; what is in them stays as it was gathered last."""
    if session.connection().dialect.name == "postgresql":
        names = ", ".join(f"'{name}'" for name in LARGE)
        rows = f"reltuples = relpages * {_ROWS_ON_A_PAGE}"
        session.execute(text(f"UPDATE pg_class SET {rows} WHERE relname IN ({names})"))
    session.commit()


@contextmanager
def listening(session: Session) -> Iterator[Sent]:
    """The queries of large tables, with their parameters, that are sent meanwhile."""
    sent: Sent = []

    def listen(_c: Connection, _u: object, statement: str, parameters: Any, *_: object) -> None:
        reads = statement.startswith(("SELECT", "WITH")) and any(f" {name}" in statement for name in LARGE)
        if reads and statement not in {each for each, _ in sent}:
            sent.append((statement, parameters))

    engine = session.get_bind().engine
    event.listen(engine, "before_cursor_execute", listen)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", listen)


def costly_steps(session: Session, statement: str, parameters: Any) -> list[str]:
    """The steps of its plan that take the longer the more rows there are: whole tables read, and large sorts."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        return list(
            _costly_on_sqlite(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters))
        )
    plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
    found = plan if isinstance(plan, list) else json.loads(plan)
    return [_step(node) for node in _nodes(found[0]["Plan"]) if _is_costly(node)]


def _costly_on_sqlite(steps: Iterable[Any]) -> Iterator[str]:
    """Tables that are read whole, and orders that are not those of the index that a SELECT begins with."""
    first: dict[int, str] = {}
    for _number, parent, _, step in steps:
        reads = any(step.startswith((f"SCAN {name}", f"SEARCH {name}")) for name in LARGE)
        if reads and step.startswith("SCAN") and "USING" not in step:
            yield step
        first.setdefault(parent, step if reads else "")
        if step == "USE TEMP B-TREE FOR ORDER BY" and first[parent]:
            yield f"{step} of {first[parent]}"


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


def _is_costly(node: dict[str, Any]) -> bool:
    if node["Node Type"] == "Seq Scan":
        return str(node["Relation Name"]) in LARGE
    return node["Node Type"] == "Sort" and int(node["Plan Rows"]) > MOST_SORTED


def _step(node: dict[str, Any]) -> str:
    of = node.get("Relation Name") or node.get("Sort Key")
    return f"{node['Node Type']} of {of}: {node['Plan Rows']} rows"
