"""Numbers, amounts and times as the reader's language writes them.

Amounts keep their digits in every language. Where the decimal mark is a comma, thousands are set apart by a thin space,
never by a point: a point is then always the decimal mark of another language, and not a thousandfold.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from typing import NamedTuple

from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.numbers import get_decimal_symbol
from flask_babel import gettext as _
from flask_babel import ngettext

from webapp.domain.money import Amount
from webapp.web.catalogues import SOURCE_LANGUAGE
from webapp.web.language import present_language, present_locale

SHOWN_DECIMALS = 2
NO_BREAK_SPACE = "\u00a0"
THIN_SPACE = "\u202f"
DAY_SECONDS, HOUR_SECONDS, MINUTE_SECONDS = 86400, 3600, 60


class Marks(NamedTuple):
    """What stands before the decimals, and between thousands."""

    decimal: str
    group: str


@cache
def _marks(language: str) -> Marks:
    decimal = get_decimal_symbol(Locale.parse(language))
    return Marks(".", ",") if decimal == "." else Marks(decimal, THIN_SPACE)


def marks() -> Marks:
    """The marks of the reader's language."""
    return _marks(present_language())


def number(value: int) -> str:
    """A whole number with its thousands set apart: `1,234`."""
    return f"{value:,}".replace(",", marks().group)


def decimal(text: str) -> str:
    """A plain decimal number, `0.5`, with the reader's decimal mark. Its digits stay as they are."""
    return text.replace(".", marks().decimal)


class Figure(NamedTuple):
    """An amount in two parts that together are its eight decimals: the tail is zeros that may be drawn paler."""

    head: str
    tail: str


def figure(amount: Amount) -> Figure:
    """`1,234.50` and `000000`: the thousands are set apart, the trailing zeros after two decimals split off."""
    whole, decimals = str(amount).split(".")
    kept = max(SHOWN_DECIMALS, len(decimals.rstrip("0")))
    return Figure(f"{number(int(whole))}{marks().decimal}{decimals[:kept]}", decimals[kept:])


def money(amount: Amount) -> str:
    """An amount in running text, with its unit: `1,234.50000000 FLOP`. On its own use the macro of the same name."""
    return f"{''.join(figure(amount))}{NO_BREAK_SPACE}FLOP"


def signed_money(base_units: int) -> str:
    """A difference in base units, as `money` shows amounts, with its sign when negative."""
    return f"{'−' if base_units < 0 else ''}{money(Amount(abs(base_units)))}"


def percent(basis_points: int) -> str:
    """`5 %` for 500, `2.25 %` for 225."""
    whole, rest = divmod(basis_points, 100)
    return decimal(f"{whole}.{rest:02d}".rstrip("0").rstrip(".")) + f"{NO_BREAK_SPACE}%"


def day(when: date) -> str:
    """`31 Jan 2026`."""
    if present_language() == SOURCE_LANGUAGE:
        return f"{when.day} {when:%b %Y}"
    return str(format_skeleton("yMMMd", _without_zone(when), locale=present_locale()))


def day_of_year(when: date) -> str:
    """`31 Jan`."""
    if present_language() == SOURCE_LANGUAGE:
        return f"{when.day} {when:%b}"
    return str(format_skeleton("MMMd", _without_zone(when), locale=present_locale()))


def month(when: date) -> str:
    """`January 2026`."""
    return str(format_date(when, "LLLL y", locale=present_locale()))


def day_and_time(when: datetime) -> str:
    """`31 Jan 2026, 12:00`."""
    return f"{day(when)}, {when:%H:%M}"


def _without_zone(when: date) -> datetime:
    """Babel would look up the zone only to shift nothing: all our times are UTC."""
    return datetime(when.year, when.month, when.day)  # noqa: DTZ001


def distance(seconds: float) -> str:
    """How far off a time is, in its largest unit: `5 minutes ago` of -300 seconds and a bit, `in 3 days`."""
    far = abs(seconds)
    if far < MINUTE_SECONDS:
        return _("just now") if seconds <= 0 else _("in less than a minute")
    if far >= DAY_SECONDS:
        count = int(far // DAY_SECONDS)
        past, ahead = (
            ngettext("%(num)d day ago", "%(num)d days ago", count),
            ngettext("in %(num)d day", "in %(num)d days", count),
        )
    elif far >= HOUR_SECONDS:
        count = int(far // HOUR_SECONDS)
        past, ahead = (
            ngettext("%(num)d hour ago", "%(num)d hours ago", count),
            ngettext("in %(num)d hour", "in %(num)d hours", count),
        )
    else:
        count = int(far // MINUTE_SECONDS)
        past, ahead = (
            ngettext("%(num)d minute ago", "%(num)d minutes ago", count),
            ngettext("in %(num)d minute", "in %(num)d minutes", count),
        )
    return past if seconds < 0 else ahead


def duration(hours: int) -> str:
    """`3 days`, or `30 hours` for what is not whole days."""
    days, rest = divmod(hours, 24)
    if hours and not rest:
        return ngettext("%(num)d day", "%(num)d days", days)
    return ngettext("%(num)d hour", "%(num)d hours", hours)


def span(seconds: int) -> str:
    """The same of seconds, in the largest unit that says it exactly: `90 seconds`, `5 minutes`, `1 day`."""
    if seconds and not seconds % HOUR_SECONDS:
        return duration(seconds // HOUR_SECONDS)
    if seconds and not seconds % MINUTE_SECONDS:
        return ngettext("%(num)d minute", "%(num)d minutes", seconds // MINUTE_SECONDS)
    return ngettext("%(num)d second", "%(num)d seconds", seconds)
