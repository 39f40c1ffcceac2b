"""What dividing the large tables would change: plans of lists and money as of 10^8 escrows, in one piece and in parts.

    python -m bench.partitions [--rows 100000000] [--parts 24] [--sample 20000]

A scratch database gets copies of the tables, divided by time (ids begin with it) and by hash, filled with a small
history whose statistics are then multiplied. What the planner makes of the real statements is shown: its cost, the
milliseconds that it took to plan, and how many parts are looked into. Nothing is executed at that size.
"""

from __future__ import annotations

import argparse
import re
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import psycopg
from sqlalchemy.orm import Session as OrmSession

from bench import people, report
from bench.history import History
from bench.instance import Instance
from tests.support.plans import LARGE, listening
from tests.support.postgres import PostgresCluster
from tests.support.processes import temporary_folder
from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.escrow_states import Action, Party
from webapp.domain.roles import WORKER
from webapp.ledger import pooled
from webapp.services import audit_trail, escrow_desk, wallet_statement
from webapp.services.container import Services
from webapp.services.database import Session
from webapp.services.escrow_queries import list_page, of_everybody, of_wallets
from webapp.services.escrow_search import EscrowSearch, Sort
from webapp.services.express import statements
from webapp.services.pooled_accounts import CheckpointFolder

WALLETS, TIMES = 100, 5
# Each table by what it is divided.
KEYS = {"escrows": "id", "escrow_transactions": "escrow_id", "journal_entries": "id", "postings": "id"}
ONE, BY_TIME, BY_HASH = "in one piece", "by time", "by hash"
_PARAMETER = re.compile(r"\$(\d+)")


@dataclass(frozen=True, slots=True)
class Planned:
    """The planner's cost of a statement, how long it took to plan (ms), and the parts of large tables in the plan."""

    cost: float
    milliseconds: float
    parts: int


def measure(rows: int, parts: int, sample: int) -> tuple[dict[str, dict[str, Planned]], list[str]]:
    """Each statement's plan in each layout, and the unique indexes that a divided table could not keep."""
    cluster = PostgresCluster().start()
    try:
        instance = Instance(
            temporary_folder("partitions") / "instance", cluster.url(cluster.create_database())
        )
        instance.make_schema()
        with Session(instance.settings) as session:
            pairs = people.pairs(people.settle(session, instance.settings, WALLETS))
            History(pairs, sample, 1).load(session.get_bind().engine)
            CheckpointFolder(session).run()
            asked = dict(_reads(session, instance.settings, pairs[0].payer.wallet_id))
            url = session.get_bind().engine.url.set(drivername="postgresql")
            session.get_bind().engine.dispose()
        with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
            lost = [name for layout in (ONE, BY_TIME, BY_HASH) for name in _divide(connection, layout, parts)]
            _multiply(connection, rows / sample)
            return {
                name: {layout: planned(connection, layout) for layout in (ONE, BY_TIME, BY_HASH)}
                for name, planned in {**_planned_reads(asked), **_planned_moves()}.items()
            }, sorted(set(lost))
    finally:
        cluster.stop()


def _reads(session: OrmSession, settings: Settings, wallet_id: int) -> Iterator[tuple[str, tuple[str, Any]]]:
    """The statements that lists, pages and clocks send."""
    mine, all_of_them = of_wallets((wallet_id,), Party.PAYER), of_everybody()
    newest = list_page(session, mine, limit=25)
    wanted: dict[str, Callable[[], object]] = {
        "list of a payer": lambda: list_page(session, mine),
        "its second page": lambda: list_page(session, mine, cursor=newest.next_cursor),
        "its released ones by amount": lambda: list_page(
            session, mine, EscrowSearch("released", sort=Sort.AMOUNT)
        ),
        "its open ones by deadline": lambda: list_page(
            session, mine, EscrowSearch("open", sort=Sort.DEADLINE)
        ),
        "list of everybody": lambda: list_page(session, all_of_them),
        "everybody's by amount": lambda: list_page(session, all_of_them, EscrowSearch(sort=Sort.AMOUNT)),
        "whether a wallet has any": lambda: escrow_desk.has_any(session, (wallet_id,)),
        "an escrow": lambda: (
            Services.of(settings).escrow_manager(session, WORKER).get_escrow(newest.items[0].id)
        ),
        "its trail": lambda: audit_trail.entries(session, newest.items[0].id),
        "movements of a wallet": lambda: wallet_statement.list_statement(session, wallet_id),
        "the fund's total": lambda: pooled.totals(session, accounts.FUND),
    }
    for name, read in wanted.items():
        session.expunge_all()
        with listening(session) as sent:
            read()
        session.rollback()
        yield name, sent[0]


def _divide(connection: psycopg.Connection[Any], layout: str, parts: int) -> Iterator[str]:
    """Copies of the large tables in a schema of the layout's name. Gives the unique indexes that they cannot have."""
    connection.execute(f'CREATE SCHEMA "{layout}"')
    for table, key in KEYS.items():
        copy = f'"{layout}".{table}'
        made = f"CREATE TABLE {copy} (LIKE public.{table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"
        ways = {ONE: "", BY_TIME: f" PARTITION BY RANGE ({key})", BY_HASH: f" PARTITION BY HASH ({key})"}
        connection.execute(made + ways[layout])
        for number, bounds in enumerate(_bounds(connection, layout, table, parts)):
            connection.execute(
                f'CREATE TABLE "{layout}".{table}_{number} PARTITION OF {copy} FOR VALUES {bounds}'
            )
        connection.execute(f"INSERT INTO {copy} SELECT * FROM public.{table}")  # noqa: S608  (names of our own)
        yield from _index(connection, layout, table, key)
        connection.execute(f"ANALYZE {copy}")


def _bounds(connection: psycopg.Connection[Any], layout: str, table: str, parts: int) -> list[str]:
    if layout == BY_HASH:
        return [f"WITH (MODULUS {parts}, REMAINDER {number})" for number in range(parts)]
    if layout == ONE:
        return []
    key = KEYS[table]
    numbered = f"SELECT {key}, ntile({parts}) OVER (ORDER BY {key}) AS part FROM public.{table}"  # noqa: S608
    found = connection.execute(
        f"SELECT DISTINCT ON (part) {key}::text FROM ({numbered}) n WHERE part > 1 ORDER BY part, {key}"  # noqa: S608
    )
    edges = ["MINVALUE", *(f"'{row[0]}'" for row in found), "MAXVALUE"]
    return [f"FROM ({first}) TO ({last})" for first, last in pairwise(edges)]


def _index(connection: psycopg.Connection[Any], layout: str, table: str, key: str) -> Iterator[str]:
    found = connection.execute(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = %s", (table,)
    )
    for (made,) in found.fetchall():
        columns = made.partition("(")[2].partition(")")[0].split(", ")
        copy = made.replace(f"public.{table}", f'"{layout}".{table}', 1)
        if layout != ONE and "UNIQUE" in made and key not in columns:
            yield f"{table} ({', '.join(columns)})"
            copy = copy.replace("UNIQUE ", "")
        connection.execute(copy)


def _multiply(connection: psycopg.Connection[Any], factor: float) -> None:
    """Have the copies, their parts and their indexes seem to have so many times their rows."""
    connection.execute(
        "UPDATE pg_class SET reltuples = reltuples * %s FROM pg_namespace n"
        " WHERE n.oid = relnamespace AND n.nspname = ANY(%s) AND relkind IN ('r', 'i') AND reltuples > 0",
        (factor, [ONE, BY_TIME, BY_HASH]),
    )


Plan = Callable[[psycopg.Connection[Any], str], Planned]


def _planned_reads(asked: dict[str, tuple[str, Any]]) -> dict[str, Plan]:
    def plan(statement: str, values: Any) -> Plan:
        return lambda connection, layout: _explained(connection, layout, statement, values)

    return {name: plan(*sent) for name, sent in asked.items()}


def _planned_moves() -> dict[str, Plan]:
    """The money statements, planned once for all values as they are prepared."""

    def plan(statement: str) -> Plan:
        parameters = ", ".join(["NULL"] * max(map(int, _PARAMETER.findall(statement))))

        def look(connection: psycopg.Connection[Any], layout: str) -> Planned:
            connection.execute(f'SET search_path = "{layout}", public')
            connection.execute("SET plan_cache_mode = force_generic_plan")
            connection.execute(f"PREPARE move AS {statement}")
            try:
                return _explained(connection, layout, f"EXECUTE move({parameters})", None, 1)
            finally:
                connection.execute("DEALLOCATE move")
                connection.execute("RESET plan_cache_mode")

        return look

    return {
        "create": plan(statements.creation(is_keyed=True, is_limited=False)._at_once.text),
        "release": plan(statements.move(Action.RELEASE, is_keyed=True)._at_once.text),
    }


def _explained(
    connection: psycopg.Connection[Any], layout: str, statement: str, values: Any, times: int = TIMES
) -> Planned:
    connection.execute(f'SET search_path = "{layout}", public')
    taken: list[float] = []
    found: dict[str, Any] = {}
    for _ in range(times):
        row = connection.execute(f"EXPLAIN (FORMAT JSON, SUMMARY) {statement}", values).fetchone()
        found = row[0][0] if row else {}
        taken.append(float(found["Planning Time"]))
    nodes = list(_nodes(found["Plan"]))
    parts = {each["Relation Name"] for each in nodes if each.get("Relation Name", "").startswith(LARGE)}
    return Planned(float(found["Plan"]["Total Cost"]), statistics.median(taken), len(parts))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.partitions")
    parser.add_argument("--rows", type=int, default=10**8, help="escrows that there seem to be")
    parser.add_argument("--parts", type=int, default=24, help="of each table")
    parser.add_argument("--sample", type=int, default=20_000, help="escrows that there are")
    options = parser.parse_args()
    plans, lost = measure(options.rows, options.parts, options.sample)
    layouts = (ONE, BY_TIME, BY_HASH)
    head = ["statement", *(f"{layout}: cost, ms to plan, parts" for layout in layouts)]
    rows = (
        [name, *(f"{by[each].cost:.0f}, {by[each].milliseconds:.1f}, {by[each].parts}" for each in layouts)]
        for name, by in plans.items()
    )
    print(report.table(head, rows))
    print(f"\nNot unique any more when divided: {'; '.join(lost)}")


if __name__ == "__main__":
    main()
