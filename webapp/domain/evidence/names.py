"""The name that a file of evidence is shown and saved under. What its sender called it is only a proposal."""

from __future__ import annotations

import re
import unicodedata

LONGEST_STEM = 80
_UNNAMED = "evidence"

# The first ending is put on; the others may stay, since they say the same of the content.
_ENDINGS = {
    "text/plain": (".txt", ".log", ".md"),
    "application/json": (".json",),
    "application/pdf": (".pdf",),
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/webp": (".webp",),
}
MEDIA_TYPES = tuple(_ENDINGS)
"""What is taken, and so what is given out."""

# Devices to Windows, whatever follows the point.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_FORBIDDEN = frozenset('<>:"|?*%;`$')


def ending_of(media_type: str) -> str:
    """The usual ending for a type that is taken: ".pdf"."""
    return _ENDINGS[media_type][0]


def clean_name(proposed: str, media_type: str) -> str:
    """A harmless name with an ending that its content deserves.

    Folders, control characters, those that turn the direction of reading, and what shells or Windows would obey go;
    `invoice.pdf.exe` that is a PDF becomes `invoice.pdf.exe.pdf`: nothing is hidden and nothing runs.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", proposed))[-1]
    kept = "".join(" " if each.isspace() else each for each in last if _is_plain(each) or each.isspace())
    name = " ".join(kept.split()).lstrip(". -").rstrip(". ")
    ending = next((each for each in _ENDINGS[media_type] if name.lower().endswith(each)), "")
    stem = (name[: -len(ending)] if ending else name)[:LONGEST_STEM].rstrip(". ") or _UNNAMED
    if _DEVICES.fullmatch(stem):
        stem = f"{_UNNAMED} {stem}"
    return stem + (ending.lower() or ending_of(media_type))


def _is_plain(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CZ" and character not in _FORBIDDEN
