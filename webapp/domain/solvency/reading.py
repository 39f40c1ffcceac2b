"""Reading a document that somebody may have forged: exactly the fields that belong there, each of exactly its form.

Amounts are FLOP with eight decimals as text; here they are base units.
"""

from __future__ import annotations

import json
import re
from typing import Any

DECIMALS = 8
LARGEST_SUM = 2**63 - 1

_AMOUNT = re.compile(r"(?:0|[1-9][0-9]{0,10})\.[0-9]{8}", re.ASCII)
_TEXT = re.compile(r"[!-~]{1,100}", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


class RefusedError(Exception):
    """The document is not what it claims to be; the text says where."""


def load(text: str) -> Any:
    """The JSON in `text`. Raises RefusedError for what is not JSON, a name that stands twice, and any float."""
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_float=_no_float, parse_constant=_no_float)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"this is not a JSON document: {error}") from None


def fields(value: object, where: str, *names: str) -> list[Any]:
    """The values under `names`, in that order. Raises RefusedError unless it is an object of exactly these names."""
    if not isinstance(value, dict) or set(value) != set(names):
        raise RefusedError(f"{where} must have exactly these fields: {', '.join(names)}")
    return [value[name] for name in names]


def items(value: object, where: str) -> list[Any]:
    """A list. Raises RefusedError."""
    if not isinstance(value, list):
        raise RefusedError(f"{where} must be a list")
    return value


def text(value: object, where: str) -> str:
    """One word of printable ASCII: nothing that a terminal would obey. Raises RefusedError."""
    if not isinstance(value, str) or not _TEXT.fullmatch(value):
        raise RefusedError(f"{where} must be one word of at most 100 plain characters")
    return value


def integer(value: object, where: str, largest: int = LARGEST_SUM) -> int:
    """A whole number from 0 to `largest`. Raises RefusedError."""
    if type(value) is not int or not 0 <= value <= largest:
        raise RefusedError(f"{where} must be a whole number from 0 to {largest}")
    return value


def base_units(value: object, where: str) -> int:
    """The base units of an amount such as "12.50000000". Raises RefusedError."""
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise RefusedError(f"{where} must be an amount with eight decimals")
    found = int(value.replace(".", ""))
    if found > LARGEST_SUM:
        raise RefusedError(f"{where} is more than can exist")
    return found


def flop(amount: int) -> str:
    """The other way round: "12.50000000"."""
    whole, decimals = divmod(amount, 10**DECIMALS)
    return f"{whole}.{decimals:0{DECIMALS}d}"


def hash_bytes(value: object, where: str) -> bytes:
    """The 32 bytes of a hash in lower-case hex. Raises RefusedError."""
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise RefusedError(f"{where} must be 64 hexadecimal characters")
    return bytes.fromhex(value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _no_float(value: str) -> Any:
    raise ValueError(f"{value} is a number that no field has")
