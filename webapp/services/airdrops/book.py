"""Airdrops in the books: a decision is stored whole, and then its money moves in one journal entry.

Storing moves nothing. Posting looks at each recipient again: one that cannot be paid any more is `failed` without a
payout, and its share stays in the fund, while the others keep theirs. So the entry `airdrop:<id>` moves exactly what
the recipients have who are not `failed`, or failed later, with a payout whose return is an entry of its own.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.addresses import is_address
from webapp.domain.airdrops import Refusal, hash_of
from webapp.domain.clock import utcnow
from webapp.domain.money import ZERO, Amount
from webapp.domain.said import said
from webapp.ledger import pooled
from webapp.ledger.journal import Move
from webapp.ledger.journal import post as post_entry
from webapp.models import Airdrop, AirdropRecipient, AirdropSnapshot, Node, User, Wallet
from webapp.models.compare_and_set import changes_one_row
from webapp.models.insert_once import insert_once
from webapp.services.payouts.queue import PayoutQueue

# The kind of the journal entry that gives the fund back.
AIRDROP_KIND = "airdrop"
TOO_SMALL = said("is too little to be sent, and there is no wallet here that could keep it")
CLOSED = said("the account of its owner is closed")
NOBODY_LEFT = said("none of its recipients can be paid any more")


@dataclass(frozen=True, slots=True)
class Recipient:
    """A node that is to get `amount`. Without a wallet here it is paid at its address."""

    node_id: str
    amount: Amount
    wallet_id: int | None
    pay_to: str
    address: str | None


def next_number(session: Session) -> int:
    """The number that the next airdrop has. Two that ask at the same moment are told the same."""
    return session.execute(select(func.coalesce(func.max(Airdrop.number), 0))).scalar_one() + 1


def entry_key(airdrop_id: uuid.UUID) -> str:
    """The key of the airdrop's one journal entry."""
    return f"airdrop:{airdrop_id}"


def store(
    session: Session,
    *,
    airdrop_id: uuid.UUID,
    number: int,
    kind: str,
    requested_by: str,
    reason: str,
    balance: Amount,
    block_height: int,
    document: str,
    recipients: Sequence[Recipient],
    taken_at: datetime | None = None,
) -> Airdrop | None:
    """Keep a decision with its facts, in the caller's unit of work. None when another airdrop has taken the number."""
    values = {
        "id": airdrop_id,
        "number": number,
        "kind": kind,
        "status": "snapshot",
        "requested_by": requested_by,
        "reason": reason,
        "taken_at": taken_at or utcnow(),
        "block_height": block_height,
        "balance": balance,
        "total": ZERO,
        "recipient_count": len(recipients),
        "snapshot_hash": hash_of(document),
    }
    if insert_once(session, Airdrop, values) is None:
        return None
    session.execute(insert(AirdropSnapshot), [{"airdrop_id": airdrop_id, "document": document}])
    session.execute(
        insert(AirdropRecipient),
        [
            {
                "airdrop_id": airdrop_id,
                "position": position,
                "status": "chosen",
                **{name: getattr(recipient, name) for name in Recipient.__slots__},
            }
            for position, recipient in enumerate(recipients, start=1)
        ],
    )
    return session.get_one(Airdrop, airdrop_id)


def post(session: Session, settings: Settings, airdrop_id: uuid.UUID) -> Airdrop:
    """Move the money of a stored airdrop, once, in the caller's unit of work; the airdrop as it is afterwards.

    It is `paying` then, or `abandoned` when the fund has less by now, or when nobody is left who can be paid. One that
    was posted or abandoned before is left as it is.
    """
    stands = (Airdrop.id == airdrop_id) & (Airdrop.status == "snapshot")
    is_mine = changes_one_row(
        session, update(Airdrop).where(stands).values(status="paying", posted_at=utcnow())
    )
    airdrop = session.get_one(Airdrop, airdrop_id, populate_existing=True)
    if not is_mine:
        return airdrop
    recipients = _recipients_as_they_are(session, settings, airdrop_id)
    pooled.lock(session, accounts.FUND)
    balance, needed = pooled.balance(session, accounts.FUND), _sum(recipients)
    if balance < needed.base_units:
        return abandon(
            airdrop,
            said(
                "the fund has {balance} FLOP, and {needed} FLOP was to be given",
                balance=Amount(max(balance, 0)),
                needed=needed,
            ),
        )
    moves = _give(PayoutQueue(session, settings), recipients, airdrop.requested_by)
    if not moves:
        return abandon(airdrop, NOBODY_LEFT)
    post_entry(session, entry_key(airdrop_id), AIRDROP_KIND, moves)
    airdrop.total = sum((move.amount for move in moves), start=ZERO)
    session.flush()
    return airdrop


def abandon(airdrop: Airdrop, reason: str) -> Airdrop:
    """Give it up before anything has moved, in the caller's unit of work. What it was decided from stays to be read."""
    airdrop.status, airdrop.posted_at, airdrop.finished_at = "abandoned", None, utcnow()
    airdrop.reason = reason[:500]
    return airdrop


def _recipients_as_they_are(
    session: Session, settings: Settings, airdrop_id: uuid.UUID
) -> list[AirdropRecipient]:
    """Those who can be paid still, in their order; the others are marked `failed`."""
    rows = session.execute(
        select(AirdropRecipient, Node.status, User.is_active)
        .outerjoin(Node, Node.id == AirdropRecipient.node_id)
        .outerjoin(Wallet, Wallet.id == AirdropRecipient.wallet_id)
        .outerjoin(User, User.id == Wallet.user_id)
        .where(AirdropRecipient.airdrop_id == airdrop_id)
        .order_by(AirdropRecipient.position)
        .execution_options(populate_existing=True)
    ).all()
    payable = []
    for recipient, node_status, is_active in rows:
        problem = _problem(recipient, node_status, is_active, settings)
        if problem:
            recipient.status, recipient.reason = "failed", problem
        else:
            payable.append(recipient)
    return payable


def _problem(
    recipient: AirdropRecipient, node_status: str | None, is_active: bool | None, settings: Settings
) -> str:
    """Why the recipient cannot be paid; empty when it can."""
    if node_status == "suspended":
        return Refusal.SUSPENDED.words
    if recipient.wallet_id is None:
        if not is_address(recipient.address or "", settings.wallet.network):
            return Refusal.NO_ADDRESS.words
        return TOO_SMALL if recipient.amount < settings.wallet.min_payout else ""
    if node_status is None:
        return Refusal.UNKNOWN.words
    return "" if is_active else CLOSED


def _give(queue: PayoutQueue, recipients: Sequence[AirdropRecipient], asked_by: str) -> list[Move]:
    """One move for each wallet, and one for all who have none; what was to go to a wallet's address waits there."""
    sums: defaultdict[str, Amount] = defaultdict(lambda: ZERO)
    for recipient in recipients:
        if recipient.wallet_id is not None:
            sums[accounts.available(recipient.wallet_id)] += recipient.amount
            recipient.status = "credited" if recipient.pay_to == "balance" else "chosen"
            continue
        assert recipient.address is not None, said("one without a wallet was checked to have an address")
        payout = queue.queue_gift(recipient.address, recipient.amount, asked_by)
        if payout is None:
            recipient.status, recipient.reason = "failed", TOO_SMALL
            continue
        recipient.status, recipient.payout_id = "paying", payout.id
        sums[accounts.PAYOUTS_IN_FLIGHT] += recipient.amount
    return [Move(accounts.FUND, account, amount) for account, amount in sums.items()]


def _sum(recipients: Sequence[AirdropRecipient]) -> Amount:
    return sum((recipient.amount for recipient in recipients), start=ZERO)
