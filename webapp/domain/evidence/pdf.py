"""Whether a file is one whole PDF with nothing behind it, and nothing in plain sight that acts when it is opened.

A PDF is not drawn here: its reader's own program does that. What is checked is that it ends where it says, and that
it asks for no script, no program and no file inside, as far as that can be seen without unpacking it.
"""

from __future__ import annotations

import re

from webapp.domain.said import said

SIGNATURE = b"%PDF-"
_VERSION = re.compile(rb"%PDF-(1\.[0-7]|2\.0)[\r\n \t%]")
_END = re.compile(rb"startxref\s+\d{1,10}\s+%%EOF\s*\Z")
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
_NAME_GOES_ON = rb"(?![A-Za-z0-9]|#(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]))"


def _named(*names: str) -> re.Pattern[bytes]:
    """Finds the names, whose letters may be written with their codes: /J#61vaScript. One pass, however many are."""
    spelt = ("".join(f"(?:{each}|#(?i:{ord(each):02x}))" for each in name) for name in names)
    return re.compile(b"/(" + "|".join(spelt).encode() + b")" + _NAME_GOES_ON)


_ACTIVE = _named("JavaScript", "Launch", "EmbeddedFile", "RichMedia")
_PROTECTED = _named("Encrypt")


def check(data: bytes) -> None:
    """Raises ValueError with what is wrong, as the rest of a sentence about the file."""
    if not _VERSION.match(data):
        raise ValueError(said("must be a PDF of a known version (1.0 to 2.0)"))
    if not _END.search(data[-1100:]):
        raise ValueError(said("must be a whole PDF that ends where the document ends"))
    if found := _ACTIVE.search(data):
        name = _ESCAPED.sub(lambda code: bytes([int(code[1], 16)]), found[1])
        raise ValueError(
            said(
                "must be a PDF without scripts, programs and files in it, and has /{name}",
                name=name.decode(),
            )
        )
    if _PROTECTED.search(data):
        raise ValueError(said("must be a PDF that opens without a password"))
