"""The hash of an item of evidence, which binds it to the one before it."""

from __future__ import annotations

from typing import Any

from webapp.domain.canonical import sha256_hex

GENESIS = "0" * 64
AUDIT_KIND = "evidence_added"
"""The event on the escrow's audit trail that holds an item's number and hash."""


def item_hash(escrow_id: str, item: dict[str, Any]) -> str:
    """SHA-256 over the canonical JSON of an item, as the case file shows it, and the escrow's id.

    `item` has number, side, text, created_at and previous_hash as text or numbers; `file` is None, or an object of
    name, media_type, size and sha256. Who pressed the button is not covered: the audit trail says it.
    """
    file = item["file"]
    return sha256_hex(
        {
            "escrow_id": escrow_id,
            "number": item["number"],
            "side": item["side"],
            "text": item["text"],
            "file": None
            if file is None
            else {name: file[name] for name in ("name", "media_type", "size", "sha256")},
            "created_at": item["created_at"],
            "previous_hash": item["previous_hash"],
        }
    )
