"""Cursors: every row once, in order, and nothing but our own cursors is understood."""

from __future__ import annotations

import base64
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain.exceptions import ValidationError
from webapp.domain.pagination import MAX_PAGE_SIZE, Page, checked_limit, decode_cursor, encode_cursor


@given(st.integers(0, 2**63))
def test_a_number_comes_back_out_of_its_cursor(key: int) -> None:
    assert decode_cursor(encode_cursor(key), int) == key


@given(st.uuids())
def test_an_id_comes_back_out_of_its_cursor(key: uuid.UUID) -> None:
    assert decode_cursor(encode_cursor(key), uuid.UUID) == key


@given(st.lists(st.integers(1, 10**6), unique=True, max_size=60), st.integers(1, 7))
def test_following_the_cursors_shows_every_row_once_and_in_order(rows: list[int], limit: int) -> None:
    rows.sort(reverse=True)
    seen: list[int] = []
    cursor: str | None = None
    for _ in range(len(rows) + 1):
        after = decode_cursor(cursor, int)
        rest = [row for row in rows if after is None or row < after]
        page = Page.of(rest[: limit + 1], limit, lambda row: row)
        assert len(page.items) <= limit
        seen += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert (seen, cursor) == (rows, None)


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "?",
        "é",
        "\ud800",
        "AAAA",
        "=",
        "====",
        encode_cursor(5)[:-1] + "!",
        "MTIz\n.",
        base64.b64encode(b"\xff").decode(),
    ],
)
def test_what_is_no_cursor_of_ours_is_refused_by_name(cursor: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        decode_cursor(cursor, uuid.UUID)
    assert set(refusal.value.fields) == {"cursor"}


@given(st.text())
def test_no_text_whatever_is_more_than_a_refusal(cursor: str) -> None:
    try:
        decode_cursor(cursor, uuid.UUID)
    except ValidationError as refusal:
        assert set(refusal.fields) == {"cursor"}


def test_no_cursor_begins_at_the_beginning() -> None:
    assert decode_cursor(None, int) is None
    assert decode_cursor("", int) is None


@pytest.mark.parametrize("limit", [0, -1, MAX_PAGE_SIZE + 1])
def test_a_page_of_a_wrong_size_is_refused(limit: int) -> None:
    with pytest.raises(ValidationError):
        checked_limit(limit)


def test_page_sizes() -> None:
    assert checked_limit(None) == 25
    assert [checked_limit(limit) for limit in (1, MAX_PAGE_SIZE)] == [1, MAX_PAGE_SIZE]
