"""How a signing key stands, as a word of web/states.py."""

from __future__ import annotations

from webapp.domain.clock import utcnow
from webapp.models import SigningKey


def key_state(key: SigningKey) -> str:
    """`usable`, `expired` or `revoked`."""
    if key.revoked_at is not None:
        return "revoked"
    return "usable" if key.is_usable(utcnow()) else "expired"
