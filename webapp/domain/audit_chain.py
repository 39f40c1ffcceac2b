"""The rule that binds the events of an escrow's audit trail: anybody who has them can repeat it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webapp.domain.canonical import sha256_hex

GENESIS = "0" * 64
_COVERED = ("escrow_id", "sequence", "kind", "actor", "amount", "detail", "created_at", "previous_hash")


def event_hash(event: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON of an event without its hash: ids and times as text, the amount with decimals."""
    return sha256_hex({name: event[name] for name in _COVERED})
