"""What stands for a row's number in an address: no larger than the column that holds it."""

from __future__ import annotations

from flask import Flask
from werkzeug.routing import IntegerConverter

from webapp.domain.numbers import LARGEST_NUMBER


class RowConverter(IntegerConverter):
    """`<row:wallet_id>`. Anything else is no such address: a database never sees a number that it cannot compare."""

    regex = r"[0-9]{1,10}"

    def __init__(self, *args, **options) -> None:  # type: ignore[no-untyped-def]
        super().__init__(*args, **{"min": 1, "max": LARGEST_NUMBER, **options})


def init_converters(app: Flask) -> None:
    """Call it before any view is registered."""
    app.url_map.converters["row"] = RowConverter
