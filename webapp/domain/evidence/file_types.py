"""What a file of evidence is, judged by its content alone. What is not one of a few plain kinds is refused.

Taken are UTF-8 text, JSON, PDF, PNG, JPEG and WebP. Each has to be that from its first byte to its last: what is a
picture to one program and an archive or a page to another is not taken.
"""

from __future__ import annotations

import re

import puremagic

from webapp.domain.evidence import pdf
from webapp.domain.exact_json import read_json
from webapp.domain.exceptions import ValidationError
from webapp.domain.result_rules.pictures import UnsoundPictureError, decode, form_of
from webapp.domain.said import said

MAX_JSON_BYTES = 1_048_576
"""Larger text is not parsed to find out whether it is JSON: it is taken as text."""

# What no text has; a terminal would obey some of it.
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]")
_MARKUP = ("<", "{\\rtf", "%!ps")
_END_OF_ARCHIVE = b"PK\x05\x06"
_LONGEST_ARCHIVE_END = 22 + 0xFFFF


def media_type_of(data: bytes) -> str:
    """The media type of a file that is taken. Raises ValidationError naming `file`, with the reason."""
    if not data:
        raise _refused(said("must not be empty"))
    _refuse_archive(data)
    if (form := form_of(data)) is not None:
        try:
            decode(data, form)
        except UnsoundPictureError as error:
            raise _refused(error.args[0]) from None
        return f"image/{form.name.lower()}"
    if data.startswith(pdf.SIGNATURE):
        try:
            pdf.check(data)
        except ValueError as error:
            raise _refused(error.args[0]) from None
        return "application/pdf"
    return _text_type(data)


def _text_type(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise _unknown(data) from None
    if _CONTROL.search(text):
        raise _unknown(data)
    beginning = text[:64].lstrip("\ufeff \t\n\r\f").lower()
    if beginning.startswith(_MARKUP):
        raise _refused(
            said("must not be a page, a drawing or a document in a markup language (HTML, SVG, XML, RTF)")
        )
    return "application/json" if _is_json(data, beginning) else "text/plain"


def _is_json(data: bytes, beginning: str) -> bool:
    if len(data) > MAX_JSON_BYTES or not beginning.startswith(("{", "[")):
        return False
    try:
        read_json(data)
    except ValueError:
        return False
    return True


def _refuse_archive(data: bytes) -> None:
    """A ZIP is read from its end, so it can hide behind the beginning of anything."""
    tail = data[-_LONGEST_ARCHIVE_END:]
    at = tail.find(_END_OF_ARCHIVE)
    while at >= 0:
        comment = int.from_bytes(tail[at + 20 : at + 22], "little")
        if at + 22 + comment == len(tail):
            raise _refused(said("must not be an archive, or have one inside"))
        at = tail.find(_END_OF_ARCHIVE, at + 1)


def _unknown(data: bytes) -> ValidationError:
    try:
        found = puremagic.magic_string(data)
    except puremagic.PureError:
        found = []
    if not found:
        return _refused(
            said("must be text, JSON, PDF, PNG, JPEG or WebP, and is of a kind that is not known here")
        )
    return _refused(said("must be text, JSON, PDF, PNG, JPEG or WebP, and is: {kind}", kind=found[0].name))


def _refused(message: str) -> ValidationError:
    return ValidationError.of("file", message)
