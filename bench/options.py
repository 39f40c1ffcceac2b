"""What a benchmark can be told."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from bench.databases import KINDS

MIXES = ("A", "B", "C")


def read(
    parts: Sequence[str], peers: Sequence[str] = (), arguments: Sequence[str] | None = None
) -> argparse.Namespace:
    """The options of `make bench`, whose parts and peers have these names."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--parts", type=_some_of(parts), default=list(parts), help=f"of {','.join(parts)}")
    parser.add_argument("--clients", type=_numbers, default=[1, 8, 32], help="at once; a list")
    parser.add_argument("--mix", type=_some_of(MIXES), default=["A"], help="A, B, C; a list")
    parser.add_argument(
        "--history", type=_numbers, default=[10_000], help="escrows that are there before; a list"
    )
    parser.add_argument(
        "--growth",
        type=_numbers,
        default=[10_000, 1_000_000],
        help="escrows with which reading is compared; a list",
    )
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--runs", type=int, default=5, help="kept runs of each setting")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--db", choices=KINDS, default="postgres")
    parser.add_argument(
        "--workers", type=int, help="processes of the server: one for two processors, for batches for each"
    )
    parser.add_argument("--wallets", type=int, default=1000)
    parser.add_argument("--adversaries", type=int, default=8, help="clients of mix C")
    parser.add_argument("--reads", type=int, default=30, help="times that each list and page is read")
    parser.add_argument("--requests", type=int, default=100_000, help="after which memory is looked at")
    parser.add_argument(
        "--peers", type=_some_of(peers), default=[], help=f"beside it, from their packages: {','.join(peers)}"
    )
    parser.add_argument("--profile", action="store_true", help="say why, where an aim is missed")
    options = parser.parse_args(arguments)
    # A batch keeps its process busy for long, and the database for less.
    options.batch_workers = options.workers or max(2, os.cpu_count() or 1)
    options.workers = options.workers or _workers(options.db)
    return options


def _workers(db: str) -> int:
    """One for two processors, where the database has the other of them.

    SQLite takes one writer at a time: a second process waits for the first, and its clients for both.
    """
    return 1 if db == "sqlite" else max(1, (os.cpu_count() or 1) // 2)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _some_of(names: Sequence[str]):  # type: ignore[no-untyped-def]
    known = {name.lower(): name for name in names}

    def read_names(text: str) -> list[str]:
        asked = text.lower().split(",")
        if unknown := set(asked) - known.keys():
            raise argparse.ArgumentTypeError(f"there is no {', '.join(sorted(unknown))}")
        return [known[name] for name in asked]

    return read_names
