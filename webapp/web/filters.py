"""What templates may do with values: amounts, ids, times, states, form fields. They draw; they decide nothing.

How numbers and times are written in each language is in `web/formats.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from flask import Flask
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from jinja2 import StrictUndefined
from markupsafe import Markup
from wtforms import Field

from webapp.domain.clock import to_rfc3339, utcnow
from webapp.web.formats import (
    day,
    day_and_time,
    day_of_year,
    decimal,
    distance,
    duration,
    figure,
    money,
    number,
    percent,
    signed_money,
    span,
)
from webapp.web.kept_names import kept_title, kept_word
from webapp.web.language import translated
from webapp.web.states import state_look

SHORT_ID_LENGTH = 16

_MEDIA_NAMES = {
    "text/plain": _l("text"),
    "application/json": "JSON",
    "application/pdf": "PDF",
    "image/png": _l("PNG picture"),
    "image/jpeg": _l("JPEG picture"),
    "image/webp": _l("WebP picture"),
}


def short_id(value: object) -> str:
    """The two ends of a long identifier: `0198c3f2…9a41bc`. A short one stays whole."""
    text = str(value)
    return text if len(text) <= SHORT_ID_LENGTH else f"{text[:8]}…{text[-6:]}"


def moment(when: datetime) -> Markup:
    """A `<time>` with the minute in its text and the exact second in its title. UTC, as the footer says."""
    return _time(when, day_and_time(when))


def ago(when: datetime) -> Markup:
    """A `<time>` relative to the present: `5 minutes ago`, `in 3 days`; the exact time is its title."""
    return _time(when, distance((when - utcnow()).total_seconds()))


def file_size(size: int) -> str:
    """`312 bytes`, `14 KiB`, `2.3 MiB`: the size of a file for people, to the next tenth."""
    for unit, bytes_ in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= bytes_:
            tenths = (10 * size + bytes_ // 2) // bytes_
            whole, rest = divmod(tenths, 10)
            shown = decimal(f"{whole}.{rest}") if rest and whole < 100 else number(whole)
            return f"{shown}\u00a0{unit}"
    return ngettext("%(num)s byte", "%(num)s bytes", size)


def media_name(media_type: str) -> str:
    """What people call a type of files: `PDF`, `JPEG picture`, `text`."""
    return str(_MEDIA_NAMES.get(media_type, media_type))


def _time(when: datetime, text: str) -> Markup:
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        to_rfc3339(when), f"{when:%Y-%m-%d %H:%M:%S} UTC", text
    )


def first_error(errors: Iterable[Any]) -> str:
    """The first message of a field's errors, which for a list field are lists themselves."""
    first = next(iter(errors))
    return first_error(first) if isinstance(first, list | tuple) else str(translated(first))


def field_attributes(
    field: Field, hint: str | None, autocomplete: str | None, more: dict[str, Any]
) -> dict[str, Any]:
    """The attributes of an input: those given, and the ones that tie it to its hint and its error."""
    notes = [f"{field.id}-hint"] if hint else []
    notes += [f"{field.id}-error"] if field.errors else []
    attributes = dict(more)
    if notes:
        attributes["aria_describedby"] = " ".join(notes)
    if field.errors:
        attributes["aria_invalid"] = "true"
    if autocomplete:
        attributes["autocomplete"] = autocomplete
    return attributes


def init_filters(app: Flask) -> None:
    """Register the filters, and make a name that a template does not know an error."""
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    for filter_ in (
        figure,
        money,
        signed_money,
        number,
        decimal,
        percent,
        short_id,
        day,
        day_of_year,
        moment,
        ago,
        duration,
        span,
        file_size,
        media_name,
        kept_title,
        kept_word,
        state_look,
        first_error,
        field_attributes,
    ):
        app.jinja_env.filters[filter_.__name__] = filter_
