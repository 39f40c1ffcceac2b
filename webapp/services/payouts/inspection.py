"""Payouts as operators look at them: lists by state, and everything that is known of one. Reads only."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import NotFoundError, ValidationError
from webapp.domain.money import Amount
from webapp.domain.pagination import Page, checked_limit, decode_cursor
from webapp.domain.payout_states import PASSING, PayoutStatus
from webapp.domain.said import said
from webapp.models import ChainTransaction, DaemonFigures, Payout, PayoutHalt, Wallet
from webapp.services.payouts import deadlines
from webapp.services.payouts import halts as payout_halts
from webapp.services.payouts.fee_bump import CHILD_SIZE, next_rate, rate_of
from webapp.services.payouts.own_transactions import fee_of
from webapp.services.payouts.transactions import UNSETTLED


@dataclass(frozen=True, slots=True)
class Inspection:
    """What stands around one payout.

    `due_at` is when it should have left its state. `halts` stop all payouts, `is_frozen` those of its wallet. `own` are
    the service's own transactions about the payout's: raised fees and cancels, oldest first. `mates` is how many other
    payouts its transaction pays.
    """

    payout: Payout
    due_at: datetime | None
    is_late: bool
    halts: list[PayoutHalt]
    is_frozen: bool
    own: list[ChainTransaction]
    mates: int

    @property
    def cancel(self) -> ChainTransaction | None:
        """The transaction on its way that makes the payout's own one impossible."""
        return self._on_its_way("cancel")

    @property
    def raise_(self) -> ChainTransaction | None:
        """The latest child on its way that pays for the payout's transaction."""
        return self._on_its_way("fee_bump")

    def _on_its_way(self, kind: str) -> ChainTransaction | None:
        return next(
            (each for each in reversed(self.own) if each.kind == kind and each.status in UNSETTLED), None
        )


@dataclass(frozen=True, slots=True)
class RaiseOffer:
    """What raising the fee would mean, from what is stored: FLOP per kB now and then, and the fund's cost."""

    rate_now: Amount
    rate: Amount
    cost: Amount


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many payouts stand in a state, and how many of them are late."""

    status: PayoutStatus
    count: int
    late: int


def get_payout(session: Session, payout_id: uuid.UUID) -> Payout:
    """Any payout. Raises NotFoundError."""
    payout = session.get(Payout, payout_id, populate_existing=True)
    if payout is None:
        raise NotFoundError(said("there is no such payout"))
    return payout


def inspect(session: Session, settings: Settings, payout: Payout) -> Inspection:
    """Everything about one payout, from a fixed number of queries."""
    due_at = deadlines.due_at(payout, settings)
    is_frozen = session.execute(select(Wallet.is_frozen).where(Wallet.id == payout.wallet_id)).scalar()
    return Inspection(
        payout=payout,
        due_at=due_at,
        is_late=due_at is not None and due_at < utcnow(),
        halts=payout_halts.standing(session),
        is_frozen=bool(is_frozen),
        own=_own_transactions(session, payout),
        mates=_count_mates(session, payout),
    )


def offer_raise(session: Session, settings: Settings, inspection: Inspection) -> RaiseOffer | None:
    """What a raise would probably cost; None when its transaction pays the highest rate already or has no change."""
    parent = inspection.payout.transaction
    if parent is None or parent.change_index is None:
        return None
    raises = [each for each in inspection.own if each.kind == "fee_bump" and each.status in UNSETTLED]
    size = parent.size + sum(each.size for each in raises)
    fees = sum((each.fee for each in raises), start=parent.fee)
    rate_now, floor = rate_of(fees, size), settings.wallet.fee_rate_per_kb
    known = session.execute(select(DaemonFigures.fee_rate)).scalar()
    rate = next_rate(rate_now, known or floor, settings.wallet.max_fee_rate_per_kb)
    if rate <= rate_now:
        return None
    missing = fee_of(size + CHILD_SIZE, rate).base_units - fees.base_units
    return RaiseOffer(rate_now, rate, max(Amount(max(0, missing)), fee_of(CHILD_SIZE, floor)))


def list_payouts(
    session: Session,
    settings: Settings,
    *,
    status: str | None = None,
    is_late: bool = False,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Payout]:
    """Everybody's payouts, the newest first. Raises ValidationError naming `status`, `limit` or `cursor`."""
    size, after = checked_limit(limit), decode_cursor(cursor, uuid.UUID)
    statement = select(Payout)
    if status is not None:
        statement = statement.where(Payout.status == _checked_status(status))
    if is_late:
        statement = statement.where(deadlines.is_late(settings, utcnow()))
    if after is not None:
        statement = statement.where(Payout.id < after)
    statement = statement.order_by(Payout.id.desc()).limit(size + 1)
    rows = session.scalars(statement.execution_options(populate_existing=True))
    return Page.of(list(rows), size, lambda payout: payout.id)


def count_states(session: Session, settings: Settings) -> list[StateCount]:
    """Every passing state that has payouts, in the order of their life. The final ones would take a count of all."""
    late = case((deadlines.is_late(settings, utcnow()), 1), else_=0)
    rows = session.execute(
        select(Payout.status, func.count(), func.sum(late))
        .where(Payout.status.in_(PASSING))
        .group_by(Payout.status)
    )
    found = {row[0]: StateCount(PayoutStatus(row[0]), row[1], int(row[2])) for row in rows}
    return [found[status] for status in PASSING if status in found]


def _own_transactions(session: Session, payout: Payout) -> list[ChainTransaction]:
    if payout.transaction_id is None:
        return []
    statement = select(ChainTransaction).where(ChainTransaction.parent_id == payout.transaction_id)
    return list(
        session.scalars(statement.order_by(ChainTransaction.id).execution_options(populate_existing=True))
    )


def _count_mates(session: Session, payout: Payout) -> int:
    if payout.transaction_id is None:
        return 0
    count = select(func.count()).where(Payout.transaction_id == payout.transaction_id, Payout.id != payout.id)
    return session.execute(count).scalar_one()


def _checked_status(status: str) -> PayoutStatus:
    try:
        return PayoutStatus(status)
    except ValueError:
        raise ValidationError.of(
            "status", said("must be one of {names}", names=", ".join(PayoutStatus))
        ) from None
