"""An item of evidence in the form that is hashed, answered as JSON, and put into a case file."""

from __future__ import annotations

from typing import Any

from webapp.domain.clock import to_rfc3339
from webapp.models import EvidenceItem


def item_document(item: EvidenceItem) -> dict[str, Any]:
    """What readers get of an item. Where its file lies is nobody's business."""
    file = None
    if item.sha256 is not None:
        file = {
            "name": item.file_name,
            "media_type": item.media_type,
            "size": item.size,
            "sha256": item.sha256,
        }
    return {
        "number": item.number,
        "side": item.side,
        "text": item.text,
        "file": file,
        "created_at": to_rfc3339(item.created_at),
        "previous_hash": item.previous_hash,
        "hash": item.hash,
    }
