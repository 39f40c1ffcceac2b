"""Whole lists to take away, as CSV or JSON: written row by row while they are read, however long they are.

Programs that calculate with tables run what looks like a formula, wherever the text came from: such a cell gets an
apostrophe before it, as OWASP advises ("CSV injection").

With `read_first` all rows are read before the first is sent, into a file without a name: a list that is read in one
transaction then keeps it no longer than the database needs, however slow the line is, and what goes wrong is told.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from typing import IO

from flask import Response, stream_with_context

from webapp.domain.clock import to_rfc3339
from webapp.domain.money import Amount

Cell = str | int | bool | Amount | datetime | None
Row = Mapping[str, Cell]

_FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
# So many characters are sent at once.
_PIECE = 16_384


def csv_file(name: str, columns: Iterable[str], rows: Iterable[Row], *, read_first: bool = False) -> Response:
    """A download `<name>.csv` of the columns, with a line of their names first (RFC 4180)."""
    return _download(f"{name}.csv", "text/csv", _csv_lines(list(columns), rows), read_first)


def json_file(
    name: str, columns: Iterable[str], rows: Iterable[Row], *, read_first: bool = False
) -> Response:
    """A download `<name>.json`: a list of objects with the columns as members, one on each line."""
    return _download(f"{name}.json", "application/json", _json_lines(list(columns), rows), read_first)


def whole_file(form: str, name: str, columns: Iterable[str], rows: Iterable[Row]) -> Response:
    """A download `<name>.<form>`, "csv" or "json", of rows that are read in one transaction."""
    return (csv_file if form == "csv" else json_file)(name, columns, rows, read_first=True)


def safe_cell(value: Cell) -> str | int:
    """What stands in a cell: text that begins like a formula is made harmless."""
    plain = _plain(value)
    if plain is None:
        return ""
    if isinstance(plain, str) and plain.lstrip(" ").startswith(_FORMULA_BEGINS):
        return f"'{plain}"
    return plain


def _plain(value: Cell) -> str | int | None:
    if isinstance(value, datetime):
        return to_rfc3339(value)
    return str(value) if isinstance(value, Amount) else value


def _csv_lines(columns: list[str], rows: Iterable[Row]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([safe_cell(row[column]) for column in columns])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _json_lines(columns: list[str], rows: Iterable[Row]) -> Iterator[str]:
    begin = "[\n"
    for row in rows:
        yield begin + json.dumps({column: _plain(row[column]) for column in columns})
        begin = ",\n"
    yield "[]\n" if begin == "[\n" else "\n]\n"


def _download(name: str, mimetype: str, lines: Iterable[str], read_first: bool) -> Response:
    pieces = _in_pieces(lines)
    if read_first:
        file = _read_whole(pieces)
        response = Response(_sent(file), mimetype=mimetype)
        response.call_on_close(file.close)
    else:
        response = Response(stream_with_context(pieces), mimetype=mimetype)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _in_pieces(lines: Iterable[str]) -> Iterator[str]:
    held: list[str] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= _PIECE:
            yield "".join(held)
            held, size = [], 0
    yield "".join(held)


def _read_whole(pieces: Iterable[str]) -> IO[bytes]:
    with ExitStack() as until_read:
        file = until_read.enter_context(tempfile.TemporaryFile())
        file.writelines(piece.encode() for piece in pieces)
        file.seek(0)
        until_read.pop_all()
    return file


def _sent(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece
