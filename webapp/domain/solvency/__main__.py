"""`python -m webapp.domain.solvency verify FILE`: check a statement or a proof, with nothing but the file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .reading import RefusedError, load
from .verification import verify


def main() -> int:
    """Print what was found. 0: it holds, 1: it does not, 2: it cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m webapp.domain.solvency")
    command = parser.add_subparsers(required=True).add_parser(
        "verify", help="check a statement of reserves, or a proof that a balance is counted"
    )
    command.add_argument("file", type=Path, help="what was downloaded")
    command.add_argument(
        "--strict",
        action="store_true",
        help="refuse what is covered only by coins that nobody has signed for",
    )
    options = parser.parse_args()
    try:
        document = load(options.file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, RefusedError) as error:
        _say(f"{options.file}: {error}")
        return 2 if isinstance(error, OSError) else 1
    verdict = verify(document)
    for line in verdict.lines:
        _say(line)
    for doubt in verdict.doubts:
        _say(f"NOTE: {doubt}")
    is_good = verdict.is_good and not (options.strict and verdict.doubts)
    if is_good:
        _say(
            "What no file can tell: ask any node of the network whether these addresses held these coins then,"
        )
        _say("and compare the statement's number with the one that everybody else sees on the page.")
    _say("OK" if is_good else "NOT GOOD")
    return 0 if is_good else 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


sys.exit(main())
