"""A request for a payment as one link, which wallets open and read off a QR code: BIP21 with this chain's name."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from webapp.domain.money import Amount

SCHEME: Final = "flopcoin"
# Longer ones make a QR code that a telephone cannot read off a screen.
LONGEST_LABEL: Final = 60


def payment_uri(address: str, amount: Amount, label: str) -> str:
    """`flopcoin:ADDRESS?amount=12.50000000&label=...`. The label is a note for the one who pays; it is cut if long."""
    return f"{SCHEME}:{address}?amount={amount}&label={quote(label[:LONGEST_LABEL], safe='')}"
