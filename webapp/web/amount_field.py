"""Amounts as people type them.

What is kept of one is a plain decimal number with a point, as the services read it. Typed may be, besides that:

- a decimal comma, where the reader's language has it: `12,5`;
- thousands set apart by spaces, as the pages show them there: `1 234,50`;
- thousands set apart by the other mark, if there are decimals: `1,234.50`, and `1.234,50` where the comma is decimal.

Nobody can mistype a thousandfold amount by it: what could be read both ways is refused, with both readings. In a
language with a decimal comma that is one mark before three digits, `1.234` as well as `1,234`, since some of those
who speak it write it the other way round. In English `1,234` is refused, and `1.234` is what it has always been.
"""

from __future__ import annotations

import re
from typing import Any

from flask_babel import gettext as _
from wtforms import StringField

from webapp.domain.exceptions import InvalidAmountError
from webapp.domain.money import Amount
from webapp.web.formats import marks
from webapp.web.forms import stripped

_PLAIN = re.compile(r"(?P<whole>[0-9]+)(?P<mark>[.,])(?P<decimals>[0-9]+)", re.ASCII)
_GROUPED = re.compile(
    r"(?P<whole>[0-9]{1,3}(?:(?P<group>[ \u00a0\u2009\u202f.,])[0-9]{3})(?:(?P=group)[0-9]{3})*)"
    r"(?:(?P<mark>[.,])(?P<decimals>[0-9]+))?",
    re.ASCII,
)


def plain_amount(typed: str) -> str:
    """A typed amount as a plain decimal number. What cannot be one is returned as it is, for the services to refuse.

    Raises ValueError, with a sentence for the reader, when it could be read in two ways.
    """
    text = typed.strip()
    if found := _PLAIN.fullmatch(text):
        return _one_mark(text, found)
    found = _GROUPED.fullmatch(text)
    if found and _is_unmistakable(found):
        whole = found["whole"].replace(found["group"], "")
        return f"{whole}.{found['decimals']}" if found["decimals"] else whole
    return text


def _one_mark(text: str, found: re.Match[str]) -> str:
    whole, decimals = found["whole"], found["decimals"]
    decimal = marks().decimal
    if decimal == "." and found["mark"] == ".":
        return text
    looks_grouped = len(decimals) == 3 and len(whole) <= 3 and not whole.startswith("0")
    if looks_grouped:
        raise ValueError(
            _(
                "%(typed)s can be read in two ways: write %(thousands)s or %(decimal)s",
                typed=text,
                thousands=whole + decimals,
                decimal=f"{whole}{decimal}{decimals}0",
            )
        )
    return f"{whole}.{decimals}" if decimal != "." else text


def _is_unmistakable(found: re.Match[str]) -> bool:
    """Whether thousands are set apart by spaces, or by the mark that is not the decimal one here, with decimals."""
    decimal = marks().decimal
    if found["group"] not in ".,":
        return found["mark"] in (None, decimal)
    return found["mark"] == decimal and found["group"] != decimal


def read_amount(typed: str | None) -> Amount:
    """The amount that is being typed, for a preview. Raises InvalidAmountError while it is none."""
    try:
        return Amount.parse(plain_amount(typed or ""))
    except ValueError as error:
        raise InvalidAmountError(str(error)) from None


class AmountField(StringField):
    """A field for an amount in FLOP. `data` is a plain decimal number, or None for one that could be two."""

    data: Any

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Read what was typed. WTForms turns a ValueError into the field's error."""
        super().process_formdata(valuelist)
        if valuelist and isinstance(self.data, str):
            typed, self.data = self.data, None
            self.data = plain_amount(typed)

    def _value(self) -> str:
        """What was typed, or else the amount with the reader's decimal mark."""
        if self.raw_data:
            return str(stripped(self.raw_data[0]))
        return str(self.data or "").replace(".", marks().decimal)
