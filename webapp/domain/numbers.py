"""How far the numbers of wallets, alerts and their like can go."""

from __future__ import annotations

LARGEST_NUMBER = 2**31 - 1
"""What the integer columns of both databases hold; one is told apart from no such row only up to here."""
