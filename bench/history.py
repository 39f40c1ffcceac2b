"""What has happened before: escrows with their journal and audit trail, loaded as fast as the database can (COPY).

One escrow every ten seconds up to now: a longer history reaches further back. Nine in ten were released, one in
twenty was refunded, the others are active. Every tenth belongs to the first few wallets, which are busy.
"""

from __future__ import annotations

import hashlib
import random
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import Connection, Engine, Table, func, insert, select, text

from bench.people import Pair
from webapp.domain import accounts
from webapp.domain.audit_chain import GENESIS
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount, split
from webapp.models import Escrow, EscrowTransaction, JournalEntry, Posting
from webapp.services.audit_trail import row_hash

BETWEEN = timedelta(seconds=10)
DEADLINE = timedelta(days=7)
FUND_BASIS_POINTS = 500
BUSY_WALLETS = 10
AT_ONCE = 5000
_TABLES: tuple[Table, ...] = tuple(
    model.__table__  # type: ignore[misc]
    for model in (Escrow, JournalEntry, Posting, EscrowTransaction)
)
Row = dict[str, Any]


class History:
    """`count` escrows between these pairs; the same for the same seed, but for the time, which ends now."""

    def __init__(self, pairs: list[Pair], count: int, seed: int) -> None:
        self._pairs = pairs
        self._count = count
        self._chooser = random.Random(seed)
        self._now = utcnow()
        self._changes: defaultdict[str, int] = defaultdict(int)

    def load(self, engine: Engine) -> None:
        """Write it all and bring the wallets' balances up to date, in one transaction."""
        with engine.begin() as connection:
            first = connection.execute(select(func.coalesce(func.max(JournalEntry.id), 0))).scalar_one() + 1
            lives = (self._life(number, first + 2 * number) for number in range(self._count))
            while some := list(islice(lives, AT_ONCE)):
                for table, rows in zip(_TABLES, zip(*some, strict=True), strict=True):
                    _write(connection, table, [row for life in rows for row in life])
            self._settle(connection)
        if engine.dialect.name == "postgresql":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM ANALYZE"))

    def _life(self, number: int, entry: int) -> tuple[list[Row], ...]:
        """One escrow's rows for each of the tables. Its journal entries are `entry` and the next one."""
        at = self._now - (self._count - number) * BETWEEN
        escrow = self._escrow(number, at)
        fate = {"released": "release", "refunded": "refund"}.get(escrow["status"])
        entries = [_entry(entry, escrow, "create", at)]
        payer = escrow["payer_wallet_id"]
        available, held = accounts.available(payer), accounts.held(payer)
        moves = [(entry, available, held, escrow["amount"])]
        if fate:
            entries.append(_entry(entry + 1, escrow, fate, at))
        if fate == "refund":
            moves.append((entry + 1, held, available, escrow["amount"]))
        elif fate == "release":
            provider = accounts.available(escrow["provider_wallet_id"])
            moves.append((entry + 1, held, provider, escrow["provider_amount"]))
            moves.append((entry + 1, held, accounts.FUND, escrow["community_amount"]))
        return [escrow], entries, [self._posting(*move) for move in moves], list(_trail(escrow))

    def _escrow(self, number: int, at: datetime) -> Row:
        chooser = self._chooser
        pair = chooser.choice(self._pairs[:BUSY_WALLETS] if number % 10 == 0 else self._pairs)
        amount = Amount(chooser.randint(100, 10_000) * 20)
        provider_amount, community_amount = split(amount, FUND_BASIS_POINTS)
        status = chooser.choices(("released", "refunded", "active"), (90, 5, 5))[0]
        result = hashlib.sha256(number.to_bytes(8, "big")).hexdigest() if status == "released" else None
        return {
            "id": _uuid7(at, chooser),
            "payer_wallet_id": pair.payer.wallet_id,
            "provider_wallet_id": pair.provider.wallet_id,
            "amount": amount,
            "provider_amount": provider_amount,
            "community_amount": community_amount,
            "status": status,
            "service_name": "image_upscaler_v1",
            "task_id": f"task-{number:08}",
            "funding": "balance",
            "deposited_amount": Amount(0),
            "outage_id": 0,
            "metadata": {},
            "result_hash": result,
            "provider_signature": result,
            "refund_reason": "no result" if status == "refunded" else None,
            # Live ones are due in days: an escrow that seems to be late costs its lists further questions.
            "expires_at": self._now + DEADLINE,
            "created_at": at,
            "updated_at": at,
            "released_at": at if status == "released" else None,
            "refunded_at": at if status == "refunded" else None,
        }

    def _posting(self, entry: int, source: str, destination: str, amount: Amount) -> Row:
        self._changes[source] -= amount.base_units
        self._changes[destination] += amount.base_units
        return {"journal_entry_id": entry, "source": source, "destination": destination, "amount": amount}

    def _settle(self, connection: Connection) -> None:
        """The wallets' rows as the postings have it, and the numbers of entries that come after."""
        change = text(
            "UPDATE wallets SET available = available + :available, held = held + :held WHERE id = :wallet"
        )
        for wallet_id in {pair.payer.wallet_id for pair in self._pairs}:
            available = self._changes[accounts.available(wallet_id)]
            held = self._changes[accounts.held(wallet_id)]
            connection.execute(change, {"wallet": wallet_id, "available": available, "held": held})
        if connection.dialect.name == "postgresql":
            highest = "(SELECT max(id) FROM journal_entries)"
            sequence = "pg_get_serial_sequence('journal_entries', 'id')"
            connection.execute(text(f"SELECT setval({sequence}, {highest})"))


def _entry(number: int, escrow: Row, what: str, at: datetime) -> Row:
    key = f"escrow:{escrow['id']}:{what}"
    return {"id": number, "key": key, "kind": f"escrow_{what}", "escrow_id": escrow["id"], "created_at": at}


def _trail(escrow: Row) -> Iterator[Row]:
    previous = GENESIS
    kinds = ("created",) if escrow["status"] == "active" else ("created", escrow["status"])
    for sequence, kind in enumerate(kinds, 1):
        row = {
            "escrow_id": escrow["id"],
            "sequence": sequence,
            "kind": kind,
            "actor": "bench",
            "amount": escrow["amount"],
            "detail": {"service_name": escrow["service_name"], "task_id": escrow["task_id"]},
            "created_at": escrow["created_at"],
            "previous_hash": previous,
        }
        previous = row_hash(row)
        yield {**row, "hash": previous}


def _uuid7(at: datetime, chooser: random.Random) -> uuid.UUID:
    milliseconds = int(at.timestamp() * 1000)
    return uuid.UUID(
        int=milliseconds << 80 | 7 << 76 | chooser.getrandbits(12) << 64 | 2 << 62 | chooser.getrandbits(62)
    )


def _write(connection: Connection, table: Table, rows: list[Row]) -> None:
    """COPY on PostgreSQL, one prepared INSERT on SQLite."""
    if connection.dialect.name != "postgresql":
        connection.execute(insert(table), rows)
        return
    names = ", ".join(rows[0])
    driver: Any = connection.connection
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row(list(_plain(row.values())))


def _plain(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, Amount):
            yield value.base_units
        else:
            yield Jsonb(value) if isinstance(value, dict) else value
