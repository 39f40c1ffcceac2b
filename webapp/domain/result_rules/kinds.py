"""The kinds of services, and the names of the rules that each kind has."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a service delivers. Of a `hash` nothing is known but the SHA-256 of its bytes."""

    HASH = "hash"
    IMAGE = "image"
    TEXT = "text"
    COMPUTATION = "computation"
    FILE = "file"


# Rules that a service may declare advisory: what they find is reported and refuses nothing. That the bytes are what
# was signed, not too many, and of their kind at all, is never advisory.
ADVISABLE: dict[Kind, frozenset[str]] = {
    Kind.HASH: frozenset(),
    Kind.IMAGE: frozenset({"format", "width", "height", "mode"}),
    Kind.TEXT: frozenset({"language", "length"}),
    Kind.COMPUTATION: frozenset({"schema", "checks"}),
    Kind.FILE: frozenset(),
}
