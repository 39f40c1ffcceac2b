"""Movements of a wallet in plain words: the lines of its statement, and when payouts leave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.domain.said import said
from webapp.services.payouts.batching import Outlook
from webapp.services.wallet_statement import StatementLine


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the statement. `direction` is "in" or "out" as the available balance sees it; None when only what
    was held has moved. `note` says from where to where. `balance` is what was available after it.
    """

    title: str
    note: str
    at: datetime
    amount: Amount
    direction: str | None
    escrow_id: UUID | None
    payout_id: str | None
    balance: Amount


_TITLES = {
    "deposit_credit": ("Deposit", "arrived from the chain"),
    "deposit_reverse": ("Deposit taken back", "the chain undid it"),
    "deposit_recover": ("Loss made good", "for a deposit that was spent before the chain undid it"),
    "escrow_create": ("Locked in an escrow", "from available to held"),
    "escrow_refund": ("Refunded", "from held to available"),
    "dispute_bond": ("Bond of a dispute", "from available to held"),
    "dispute_bond_return": ("Bond given back", "from held to available"),
    "dispute_bond_loss": ("Bond lost to the community fund", "the ruling gave you nothing"),
    "payout_queue": ("Sent out", "to the chain"),
    "payout_return": ("Payout returned", "it did not leave"),
    "payout_missing": ("Part of a payout returned", "it was not paid"),
}


_OF_PAYOUTS = ("payout_queue", "payout_return", "payout_missing")


def line_of(line: StatementLine) -> Line:
    """The line in words."""
    change = line.available_change or line.held_change
    title, note = _words(line)
    return Line(
        title=title,
        note=note,
        at=line.at,
        amount=Amount(abs(change)),
        direction=_direction(line),
        escrow_id=line.escrow_id,
        payout_id=line.key.split(":")[1] if line.kind in _OF_PAYOUTS else None,
        balance=line.balance,
    )


def _words(line: StatementLine) -> tuple[str, str]:
    if line.kind in ("escrow_release", "escrow_resolve"):
        return _words_of_release(line)
    if line.kind == "deposit_credit" and line.escrow_id:
        if line.available_change:
            return "Sent to an escrow’s address", "from the chain to available"
        return "Paid into an escrow", "from the chain to held"
    return _TITLES.get(line.kind, (line.kind.replace("_", " ").capitalize(), ""))


def _words_of_release(line: StatementLine) -> tuple[str, str]:
    if line.available_change > 0 and line.held_change < 0:
        return said("Your part of a divided escrow"), said("from held to available")
    if line.available_change > 0 and line.kind == "escrow_resolve":
        return said("Earned"), said("your part of a divided escrow")
    if line.available_change > 0:
        return "Earned", "released to you"
    if line.counterpart == accounts.FUND:
        return "The community fund’s share", "from what was held"
    part = accounts.wallet_part(line.counterpart)
    return f"Paid to wallet {part[1]}" if part else "Paid", "from what was held"


def _direction(line: StatementLine) -> str | None:
    if not line.available_change:
        return None
    return "in" if line.available_change > 0 else "out"


def batch_sentence(batch: Outlook) -> str:
    """When payouts leave, and what they wait for until then."""
    if not batch.missing:
        return "It leaves with the next batch, within moments."
    others = "another payout is" if batch.missing == 1 else f"{batch.missing} more payouts are"
    minutes = max(1, -int((utcnow() - batch.at_latest).total_seconds() // 60))
    length = "a minute" if minutes == 1 else f"{minutes} minutes"
    return (
        f"It leaves together with others, which costs less: as soon as {others} asked for, and in {length} at the "
        "latest."
    )
