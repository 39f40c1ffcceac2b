"""Movements of a wallet in plain words: lines of its statement, and what a payout is waiting for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from webapp.domain import accounts
from webapp.domain.money import Amount
from webapp.models import Payout
from webapp.services.wallet_queries import StatementLine


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the statement. `direction` is "in" or "out" as the available balance sees it; None when only what
    was held has moved. `note` says from where to where.
    """

    title: str
    note: str
    at: datetime
    amount: Amount
    direction: str | None
    escrow_id: UUID | None
    payout_id: str | None


# What a payout says of itself as long as nothing is in its way.
WAITING = "waiting for the next batch"

_TITLES = {
    "deposit_credit": ("Deposit", "arrived from the chain"),
    "deposit_reverse": ("Deposit taken back", "the chain undid it"),
    "escrow_create": ("Locked in an escrow", "from available to held"),
    "escrow_refund": ("Refunded", "from held to available"),
    "payout_queue": ("Sent out", "to the chain"),
    "payout_return": ("Payout returned", "it did not leave"),
}


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
        payout_id=line.key.split(":")[1] if line.kind in ("payout_queue", "payout_return") else None,
    )


def _words(line: StatementLine) -> tuple[str, str]:
    if line.kind == "escrow_release":
        return _words_of_release(line)
    return _TITLES.get(line.kind, (line.kind.replace("_", " ").capitalize(), ""))


def _words_of_release(line: StatementLine) -> tuple[str, str]:
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


def payout_sentence(payout: Payout, confirmations_needed: int) -> str:
    """What the payout is doing and what comes next, for its owner."""
    match payout.status:
        case "queued":
            why = "" if payout.reason == WAITING else f" So far it could not: {payout.reason.rstrip('.')}."
            return f"It leaves with the next batch.{why} Until then you may change where it goes."
        case "claimed":
            return "It is being built into a transaction; its destination is fixed."
        case "signed":
            return "Its transaction is signed and about to be sent."
        case "broadcast":
            return f"It is on the network, and final after {confirmations_needed} confirmations."
        case "unknown":
            return "The network’s answer was lost. The same transaction is sent again; it cannot pay twice."
        case "confirmed":
            return "It has arrived and is final."
        case "failed":
            return f"It could not be paid, and the money is back in your balance: {payout.reason}."
    return payout.reason
