"""`python -m webapp.domain.case_file verify FILE [--key HEX]`: check a case file, with nothing but the file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from webapp.domain.case_file.verification import verify


def main() -> int:
    """Print what was checked. 0: it is genuine, 1: it is not, 2: it cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m webapp.domain.case_file")
    command = parser.add_subparsers(required=True).add_parser("verify", help="check a case file")
    command.add_argument("file", type=Path, help="what was downloaded")
    command.add_argument(
        "--key", metavar="HEX", help="the service's public key, as its page /case-files shows it"
    )
    options = parser.parse_args()
    try:
        with options.file.open("rb") as stream:
            verdict = verify(stream, options.key)
    except OSError as error:
        _say(f"{options.file}: {error.strerror}")
        return 2
    for line in verdict.lines:
        _say(line)
    for doubt in verdict.doubts:
        _say(f"NOT CHECKED: {doubt}.")
    _say("GENUINE" if verdict.is_good else "NOT GENUINE")
    return 0 if verdict.is_good else 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
