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
_ACTIVE = re.compile(rb"/(JavaScript|Launch|EmbeddedFile|RichMedia)(?![A-Za-z0-9])")
_PROTECTED = re.compile(rb"/Encrypt(?![A-Za-z0-9])")


def check(data: bytes) -> None:
    """Raises ValueError with what is wrong, as the rest of a sentence about the file."""
    if not _VERSION.match(data):
        raise ValueError(said("must be a PDF of a known version (1.0 to 2.0)"))
    if not _END.search(data[-1100:]):
        raise ValueError(said("must be a whole PDF that ends where the document ends"))
    # A name may be written with the codes of its letters: /J#61vaScript.
    plain = _ESCAPED.sub(lambda code: bytes([int(code[1], 16)]), data)
    if found := _ACTIVE.search(plain):
        raise ValueError(
            said(
                "must be a PDF without scripts, programs and files in it, and has /{name}",
                name=found[1].decode(),
            )
        )
    if _PROTECTED.search(plain):
        raise ValueError(said("must be a PDF that opens without a password"))
