"""Texts: UTF-8, without characters that no reader sees, as long as was ordered, and in the language."""

from __future__ import annotations

import unicodedata
from typing import Any

from webapp.domain.result_rules.findings import Finding, failed, met, within
from webapp.domain.result_rules.languages import language_of
from webapp.domain.said import said

_WHITE_SPACE = frozenset("\t\n\r\f")


def check_text(data: bytes, limits: dict[str, Any]) -> list[Finding]:
    """What the rules find: `encoding`, `length` in characters (Unicode code points), and `language` if one is asked."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return [failed("encoding", said("must be UTF-8, and is not at byte {start}", start=error.start))]
    strange = next(
        (each for each in text if unicodedata.category(each) == "Cc" and each not in _WHITE_SPACE), None
    )
    if strange is not None:
        code = f"U+{ord(strange):04X}"
        return [failed("encoding", said("must be text, and has the control character {code}", code=code))]
    length = within(
        "length",
        len(text),
        "characters",
        exactly=None,
        least=limits.get("min_characters"),
        most=limits.get("max_characters"),
    )
    return [met("encoding", said("is UTF-8")), length, *_language(text, limits.get("language"))]


def _language(text: str, wanted: str | None) -> list[Finding]:
    if wanted is None:
        return []
    found = language_of(text)
    if found is None:
        return [met("language", said("is not clear from so little text"))]
    if found != wanted:
        return [
            failed("language", said("must be {wanted}, and reads as {found}", wanted=wanted, found=found))
        ]
    return [met("language", said("reads as {found}", found=found))]
