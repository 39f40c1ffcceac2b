"""Opaque cursors for keyset lists: a reader hands back what it got and learns nothing from it."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from webapp.domain.exceptions import ValidationError
from webapp.domain.said import said

T = TypeVar("T")
K = TypeVar("K")

MAX_PAGE_SIZE = 100
DEFAULT_PAGE_SIZE = 25
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows in the order of their list, and the cursor of the next page (None when this is the last)."""

    items: list[T]
    next_cursor: str | None

    @classmethod
    def of(cls, rows: list[T], limit: int, key: Callable[[T], uuid.UUID | int | str]) -> Page[T]:
        """A page from up to `limit` + 1 rows: the extra row only tells that there is more."""
        items = rows[:limit]
        return cls(items, encode_cursor(key(items[-1])) if len(rows) > limit else None)


def encode_cursor(key: uuid.UUID | int | str) -> str:
    """The cursor that continues after `key`."""
    return base64.urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, parse: Callable[[str], K]) -> K | None:
    """The key inside a cursor, or None for no cursor. Raises ValidationError naming `cursor`."""
    if not cursor:
        return None
    try:
        return parse(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode())
    except (ValueError, binascii.Error):
        raise ValidationError.of("cursor", said("is not one that this service gave out")) from None


def row_id(text: str) -> int:
    """A parser for cursors over numbered rows. Raises ValueError for what no column of ours could hold."""
    number = int(text)
    if not 0 <= number <= _LARGEST_ID:
        raise ValueError(said("no row has such an id"))
    return number


def checked_limit(limit: int | None) -> int:
    """A page size between 1 and MAX_PAGE_SIZE. Raises ValidationError naming `limit`."""
    if limit is None:
        return DEFAULT_PAGE_SIZE
    if not 1 <= limit <= MAX_PAGE_SIZE:
        raise ValidationError.of(
            "limit", said("must be between 1 and {max_page_size}", max_page_size=MAX_PAGE_SIZE)
        )
    return limit
