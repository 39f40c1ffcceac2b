"""Escrows paid for by coins sent to an address of their own: what each payment means, and how the rest goes home.

A payment is in time when it was first seen, unconfirmed or in a block, at or before `fund_by`. It may confirm later,
up to the moment the result is due. What is missing goes from the chain into the escrow; everything beyond that into
the payer's balance, and from there to the escrow's `refund_address` if it has one.

A payment is judged once, when it is first credited:

    part      in time, and not enough yet
    exact     in time, and with it the amount is there
    over      the same, with more than was missing: the surplus goes home
    double    the escrow was paid for already: all of it goes home
    late      the escrow has ended, or its time to be paid had: all of it goes home

When the chain takes a payment back from an escrow that still waits, the escrow gives it up, and it is judged anew if
it returns. Once the escrow is paid for, it stays so: what the chain undoes then is the payer's to replace.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.escrow_states import HOLDING, WORDS, Status
from webapp.domain.exceptions import EscrowStateError
from webapp.domain.money import ZERO, Amount
from webapp.domain.said import said
from webapp.models import ChainCursor, Deposit, Escrow, Wallet
from webapp.models.compare_and_set import changes_one_row
from webapp.services import audit_trail, held_back_refunds
from webapp.services.downtime import fair_terms
from webapp.services.escrow_payments import UNJUDGED, is_short
from webapp.services.escrow_scans import is_in
from webapp.services.payouts.queue import PayoutQueue

BATCH = 200
# A payment of the last second needs a moment to reach our daemon, and our look at the daemon takes one, too.
PATIENCE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Claim:
    """What an escrow takes of a deposit, and what of the rest goes home. A deposit that returned goes nowhere else."""

    held: Amount
    surplus: Amount


class EscrowFunding:
    """Judges payments and ends the wait for them. Everything but `unpaid` joins the caller's unit of work."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings
        self._payouts = PayoutQueue(session, settings)

    def claim(self, deposit: Deposit) -> Claim:
        """Decide about a deposit that is about to be credited. An escrow that has its amount becomes active."""
        escrow = _lock(self._session, deposit)
        if deposit.disposition != UNJUDGED:
            _tell(self._session, escrow, "deposit_returned", deposit, {})
            return Claim(ZERO, ZERO)
        deposit.disposition, deposit.held_amount = self._judge(escrow, deposit)
        claim = Claim(deposit.held_amount, deposit.amount - deposit.shortfall - deposit.held_amount)
        detail = {"disposition": deposit.disposition, "held": str(claim.held)}
        _tell(self._session, escrow, "deposit_credited", deposit, detail)
        if claim.held:
            self._take(escrow, claim.held)
        return claim

    def _judge(self, escrow: Escrow, deposit: Deposit) -> tuple[str, Amount]:
        if escrow.status in HOLDING:
            return "double", ZERO
        if not self._is_in_time(escrow, deposit):
            return "late", ZERO
        missing, there = escrow.amount - escrow.deposited_amount, deposit.amount - deposit.shortfall
        if there > missing:
            return "over", missing
        return "exact" if there == missing else "part", there

    def _is_in_time(self, escrow: Escrow, deposit: Deposit) -> bool:
        terms = fair_terms(self._session, self._settings, escrow)
        if terms.status is not Status.PENDING or terms.fund_by is None or terms.has_expired(utcnow()):
            return False
        return deposit.first_seen_at <= terms.fund_by

    def _take(self, escrow: Escrow, amount: Amount) -> None:
        deposited = escrow.deposited_amount + amount
        if deposited < escrow.amount:
            _change(self._session, escrow, deposited_amount=deposited)
            return
        _change(self._session, escrow, deposited_amount=deposited, status=Status.ACTIVE.value)
        audit_trail.append(self._session, escrow.id, "funded", "worker", amount=escrow.amount)

    def send_home(self, escrow_id: uuid.UUID, amount: Amount) -> None:
        """Pay on what has just come into the payer's balance, if the escrow names a way home.

        From a frozen wallet it goes home when the freeze is lifted (`held_back_refunds`).
        """
        escrow = self._session.get_one(Escrow, escrow_id)
        if escrow.refund_address is None or not amount:
            return
        payout = self._payouts.queue_refund(escrow.payer_wallet_id, escrow.refund_address, amount, escrow.id)
        if payout is not None:
            detail = {"payout_id": str(payout.id)}
            audit_trail.append(
                self._session, escrow.id, "refund_queued", "worker", amount=amount, detail=detail
            )
        elif self._session.get_one(Wallet, escrow.payer_wallet_id).is_frozen:
            held_back_refunds.hold_back(self._session, escrow.id, amount)

    def unpaid(self, now: datetime) -> Sequence[uuid.UUID]:
        """Escrows whose time to be paid is over, and that nothing seen in time can make up for any more.

        The chain must have been read since; what is on its way is waited for until the result is due.
        """
        read_at = self._session.scalars(select(ChainCursor.read_at)).first()
        is_read = Escrow.fund_by <= min(read_at, now) - PATIENCE if read_at else Escrow.fund_by.is_(None)
        return self._session.scalars(
            select(Escrow.id)
            .where(
                is_in(Status.PENDING),
                Escrow.fund_by <= now,
                or_(Escrow.expires_at <= now, and_(is_read, is_short())),
            )
            .order_by(Escrow.fund_by)
            .limit(BATCH)
        ).all()


def give_up(session: Session, deposit: Deposit) -> Amount:
    """What an escrow gives out of `held` for a deposit that the chain undid; zero when the payer has to."""
    escrow = _lock(session, deposit)
    given = deposit.held_amount if escrow.status == Status.PENDING else ZERO
    _tell(session, escrow, "deposit_reversed", deposit, {"held": str(given)})
    if given:
        deposit.held_amount, deposit.disposition = ZERO, UNJUDGED
        _change(session, escrow, deposited_amount=escrow.deposited_amount - given)
    return given


def lock_escrows(session: Session, escrow_ids: Iterable[uuid.UUID | None]) -> None:
    """Wait for the escrows before any wallet is changed, in id order: that is how everybody takes them."""
    wanted = sorted({each for each in escrow_ids if each is not None})
    if wanted:
        statement = select(Escrow.id).where(Escrow.id.in_(wanted)).order_by(Escrow.id)
        session.execute(statement.with_for_update())


def _lock(session: Session, deposit: Deposit) -> Escrow:
    return session.get_one(Escrow, deposit.escrow_id, populate_existing=True, with_for_update=True)


def _change(session: Session, escrow: Escrow, **values: Any) -> None:
    """Change what a pending escrow holds. Its row is locked, so nobody can have been quicker."""
    is_as_seen = (Escrow.status == Status.PENDING, Escrow.deposited_amount == escrow.deposited_amount)
    statement = update(Escrow).where(Escrow.id == escrow.id, *is_as_seen)
    is_changed = changes_one_row(session, statement.values(updated_at=utcnow(), **values))
    session.refresh(escrow)
    if not is_changed:
        raise EscrowStateError(
            said("the escrow is {status}", status=WORDS[Status(escrow.status)]), current_status=escrow.status
        )


def _tell(session: Session, escrow: Escrow, kind: str, deposit: Deposit, detail: dict[str, Any]) -> None:
    """Both sides read it: the payment is named by its number here, and not by where it can be found on the chain."""
    audit_trail.append(
        session,
        escrow.id,
        kind,
        "worker",
        amount=deposit.amount,
        detail={"deposit": deposit.id, **detail},
    )
