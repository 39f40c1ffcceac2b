"""Refunds that a frozen wallet kept back, and their way home when the freeze is lifted.

An escrow gives back what it holds whether its payer's wallet is frozen or not; but nothing leaves a frozen wallet, and
so the coins stay in its balance instead of going to the escrow's `refund_address`. That they wait is written on the
escrow's timeline. When an operator lifts the freeze they are queued in the same unit of work, each once.

Meanwhile the balance may have become less than what waits: the chain undid a deposit, or a loss was made good from
what came back. The oldest refund goes first then, and each takes what is left, nothing is forced. One for which less
is left than can be sent stays in the balance. Either way it waits no longer: what is in the balance from then on is
its owner's to withdraw, and never sent without their asking.
"""

from __future__ import annotations

import uuid

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from webapp.config import Settings
from webapp.domain.money import ZERO, Amount
from webapp.models import Escrow, EscrowTransaction, Wallet
from webapp.services import audit_trail
from webapp.services.payouts.queue import PayoutQueue

HELD_BACK = "refund_held_back"
# Either of these on the timeline after it says that it waits no longer.
SENT, KEPT = "refund_queued", "refund_kept"


def hold_back(session: Session, escrow_id: uuid.UUID, amount: Amount) -> None:
    """Note that a refund waits, in the unit of work that puts it into the balance. The escrow's row is locked."""
    audit_trail.append(session, escrow_id, HELD_BACK, "worker", amount=amount)


def waiting(session: Session, wallet_id: int) -> dict[uuid.UUID, Amount]:
    """What waits for the wallet, by escrow, the oldest first."""
    later = aliased(EscrowTransaction)
    is_over = exists().where(
        later.escrow_id == EscrowTransaction.escrow_id,
        later.sequence > EscrowTransaction.sequence,
        later.kind.in_((SENT, KEPT)),
    )
    rows = session.execute(
        select(EscrowTransaction.escrow_id, EscrowTransaction.amount, EscrowTransaction.id)
        .join(Escrow, Escrow.id == EscrowTransaction.escrow_id)
        .where(
            Escrow.payer_wallet_id == wallet_id,
            Escrow.refund_address.is_not(None),
            EscrowTransaction.kind == HELD_BACK,
            ~is_over,
        )
    )
    found: dict[uuid.UUID, Amount] = {}
    for escrow_id, amount, _ in sorted(rows, key=lambda row: row.id):
        found[escrow_id] = found.get(escrow_id, ZERO) + (amount or ZERO)
    return found


def send(session: Session, settings: Settings, wallet_id: int) -> None:
    """Queue what waits, in the unit of work that lifts the freeze. Done again it finds nothing that waits.

    Whoever refunds holds the wallet's row while they read whether it is frozen: what they hold back is seen here, or
    they see that the freeze is over.
    """
    for escrow_id, amount in waiting(session, wallet_id).items():
        audit_trail.lock(session, escrow_id)
        if not _queue(session, settings, wallet_id, escrow_id, amount):
            audit_trail.append(session, escrow_id, KEPT, "worker", amount=amount)


def _queue(
    session: Session, settings: Settings, wallet_id: int, escrow_id: uuid.UUID, amount: Amount
) -> bool:
    """As much of it as the balance holds. False when that is too little to be sent."""
    address = session.get_one(Escrow, escrow_id).refund_address
    there = session.get_one(Wallet, wallet_id, populate_existing=True).available
    part = min(amount, there)
    assert address is not None, "it was held back on its way there"
    payout = PayoutQueue(session, settings).queue_refund(wallet_id, address, part, escrow_id)
    if payout is None:
        return False
    detail = {"payout_id": str(payout.id), "held_back": str(amount)}
    audit_trail.append(session, escrow_id, SENT, "worker", amount=part, detail=detail)
    return True
