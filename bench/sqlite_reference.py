"""The reference for SQLite: the same tables and statements as P8 in one process, each commit on the disk (FULL)."""

from __future__ import annotations

import random
import sqlite3
import time
from pathlib import Path

WALLETS = 1000
_TABLES = """
CREATE TABLE balance(wallet_id INTEGER PRIMARY KEY, available INTEGER NOT NULL CHECK(available>=0),
  held INTEGER NOT NULL DEFAULT 0 CHECK(held>=0));
CREATE TABLE escrow(id INTEGER PRIMARY KEY, payer INTEGER NOT NULL REFERENCES balance,
  provider INTEGER NOT NULL REFERENCES balance, amount INTEGER NOT NULL CHECK(amount>0), status TEXT NOT NULL,
  service TEXT NOT NULL, created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, released_at TEXT);
CREATE INDEX escrow_payer ON escrow(payer,id);
CREATE INDEX escrow_provider ON escrow(provider,id);
CREATE TABLE journal(id INTEGER PRIMARY KEY, escrow_id INTEGER NOT NULL REFERENCES escrow, kind TEXT NOT NULL,
  at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE INDEX journal_escrow ON journal(escrow_id);
CREATE TABLE posting(id INTEGER PRIMARY KEY, journal_id INTEGER NOT NULL REFERENCES journal, account INTEGER NOT NULL,
  amount INTEGER NOT NULL);
CREATE INDEX posting_account ON posting(account,id);
CREATE TABLE audit(id INTEGER PRIMARY KEY, escrow_id INTEGER NOT NULL, actor INTEGER NOT NULL, action TEXT NOT NULL,
  detail TEXT NOT NULL, at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
"""


def lifecycles_per_second(file: Path, seconds: float) -> float:
    """One sample. The file is made by the first one and grows, as the tables of P8 do."""
    is_new = not file.exists()
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        if is_new:
            connection.executescript(f"BEGIN;{_TABLES}")
            rows = [(number, 10**12 if number else 0) for number in range(WALLETS + 1)]
            connection.executemany("INSERT INTO balance(wallet_id, available) VALUES(?, ?)", rows)
            connection.execute("COMMIT")
        chooser, count, began = random.Random(), 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            _lifecycle(connection, chooser)
            count += 1
        return count / (time.perf_counter() - began)
    finally:
        connection.close()


def _lifecycle(connection: sqlite3.Connection, chooser: random.Random) -> None:
    payer, provider = chooser.sample(range(1, WALLETS + 1), 2)
    amount = chooser.randint(100, 10_000) * 20
    fee, run = amount // 20, connection.execute
    run("BEGIN IMMEDIATE")
    new = (
        "INSERT INTO escrow(payer,provider,amount,status,service) VALUES(?,?,?,'active','image_upscaler_v1')"
    )
    escrow = run(new, (payer, provider, amount)).lastrowid
    lock = "UPDATE balance SET available=available-?1, held=held+?1 WHERE wallet_id=?2 AND available>=?1"
    run(lock, (amount, payer))
    _enter(connection, escrow, "create", [(payer, -amount), (-1, amount)])
    audit = "INSERT INTO audit(escrow_id,actor,action,detail) VALUES(?,?,'create','{\"ip\":\"127.0.0.1\"}')"
    run(audit, (escrow, payer))
    run("COMMIT")
    run("BEGIN IMMEDIATE")
    run("UPDATE escrow SET status='released', released_at=CURRENT_TIMESTAMP WHERE id=?", (escrow,))
    _enter(connection, escrow, "release", [(-1, -amount), (provider, amount - fee), (0, fee)])
    for wallet, change in ((provider, amount - fee), (0, fee)):
        run("UPDATE balance SET available=available+? WHERE wallet_id=?", (change, wallet))
    run("COMMIT")


def _enter(
    connection: sqlite3.Connection, escrow: int | None, kind: str, moves: list[tuple[int, int]]
) -> None:
    entry = connection.execute("INSERT INTO journal(escrow_id,kind) VALUES(?,?)", (escrow, kind)).lastrowid
    rows = [(entry, account, amount) for account, amount in moves]
    connection.executemany("INSERT INTO posting(journal_id,account,amount) VALUES(?,?,?)", rows)
