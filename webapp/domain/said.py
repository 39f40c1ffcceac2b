"""Sentences that will be read in another language than the one they are written in.

What the rules and the services say is English: in JSON, in the log, in the audit trail. A page may say it in its
reader's language if it still knows what was said of what: `Said` is the English text, and remembers both. It is not
known here which languages there are; `web/language.py` translates when it shows.
"""

from __future__ import annotations

from typing import Any


class Said(str):
    """An English sentence together with its template and the values in it; made by `said`.

    It compares, is kept and is sent as its text: whatever makes another text of it (`upper`, `+`, an f-string) makes a
    plain one, which stays English. So sentences are said whole, and what is part of one is a value of it.
    """

    template: str
    values: dict[str, Any]

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


def said(template: str, /, **values: Any) -> Said:
    """`said("must be at most {most} FLOP", most=limit)`. Without values the template is the text, braces and all.

    The template has to be written out in the call, where those who gather what is to be translated find it. Values are
    formatted as they are; one that is said itself is translated together with the sentence, and an Amount or a number
    is written as the reader's language writes it.
    """
    text = Said(template.format_map(values) if values else template)
    text.template, text.values = template, values
    return text
