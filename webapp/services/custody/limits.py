"""What may leave the wallets of one user in any 24 hours, and how much of it without an operator's approval.

What counts is what was signed within the last 24 hours and what waits to be: a payout that waits for days leaves on one
of the days to come. What has failed does not count. Of that,

* all together stays within custody.daily_withdrawal_limit;
* what no operator has approved stays within custody.approval_above. A payout that would exceed it waits for an
  approval, however small it is: a large withdrawal in small pieces leaves no sooner than in one piece.

A program's withdrawals are its wallet owner's. Who adds a payout holds the user's row until it is stored, so that two
at the same moment cannot both be the last one that fits.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, Select, func, select, type_coerce
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import NotFoundError, ValidationError
from webapp.domain.money import Amount
from webapp.domain.said import said
from webapp.models import Payout, User, Wallet

WINDOW = timedelta(hours=24)
_BITS_AFTER_TIME = 80  # of the 128 of a UUIDv7, which begins with the milliseconds since 1970

# What may be on its way without any operator having looked at it; what awaits an approval cannot leave without one.
_UNSEEN = (Payout.approved_by.is_(None), Payout.status != "awaiting_approval")

Counted = Select[int, uuid.UUID | None]


class WithdrawalLimitError(ValidationError):
    """More than may leave the user's wallets now; `fields["amount"]` says what is left, and when there is more."""

    slug = "withdrawal-limit"
    title = said("This is more than may be withdrawn within 24 hours")


def admit(session: Session, settings: Settings, wallet_id: int, amount: Amount) -> str:
    """The state in which a payout of `amount` enters: `queued` or `awaiting_approval`, in the caller's unit of work.

    Nobody else adds a payout of the same user until the unit of work ends. Raises WithdrawalLimitError, NotFoundError.
    """
    limit = settings.custody.daily_withdrawal_limit
    if limit is None and settings.custody.approval_above is None:
        return "queued"
    user_id = _lock_owner(session, wallet_id)
    if limit is not None:
        _require_within(session, limit, user_id, amount)
    return "awaiting_approval" if needs_approval(session, settings, user_id, amount) else "queued"


def remaining(session: Session, settings: Settings, user_id: int) -> Amount | None:
    """What may leave the user's wallets now; None without a limit. It is no promise: another payout may come first."""
    limit = settings.custody.daily_withdrawal_limit
    if limit is None:
        return None
    return Amount(max(0, limit.base_units - _total(session, _counted(_of_user(user_id)))))


def needs_approval(session: Session, settings: Settings, user_id: int, amount: Amount) -> bool:
    """Whether a payout of `amount` would wait for an operator now. Like `remaining`, it is no promise."""
    return _is_above(session, settings, _counted(_of_user(user_id), *_UNSEEN), amount)


def gift_needs_approval(session: Session, settings: Settings, amount: Amount) -> bool:
    """The same for coins of the community fund, whose gifts count together. Who gives them holds the fund."""
    return _is_above(session, settings, _counted(Payout.wallet_id.is_(None), *_UNSEEN), amount)


def _is_above(session: Session, settings: Settings, counted: Counted, amount: Amount) -> bool:
    approval_above = settings.custody.approval_above
    if approval_above is None:
        return False
    return _total(session, counted) + amount.base_units > approval_above.base_units


def _lock_owner(session: Session, wallet_id: int) -> int:
    """Hold the wallet and then its owner. Releases hold wallets already, so nobody may take them the other way round.

    Rows that only refer to these two are not kept waiting.
    """
    wallet = select(Wallet.user_id).where(Wallet.id == wallet_id).with_for_update(key_share=True)
    user_id = session.execute(wallet).scalar()
    if user_id is None:
        raise NotFoundError(said("there is no wallet {wallet_id}", wallet_id=wallet_id))
    session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
    return user_id


def _of_user(user_id: int) -> ColumnElement[bool]:
    return Payout.wallet_id.in_(select(Wallet.id).where(Wallet.user_id == user_id))


def _counted(*conditions: ColumnElement[bool]) -> Counted:
    """(base units, transaction) of each payout that counts; those that wait have no transaction."""
    first_id = uuid.UUID(int=_milliseconds(utcnow() - WINDOW) << _BITS_AFTER_TIME)
    waits = Payout.transaction_id.is_(None) & (Payout.status != "failed")
    return select(type_coerce(Payout.gross, BigInteger).label("units"), Payout.transaction_id).where(
        waits | (Payout.transaction_id >= first_id), *conditions
    )


def _total(session: Session, counted: Counted) -> int:
    rows = counted.subquery()
    return int(session.execute(select(func.coalesce(func.sum(rows.c.units), 0))).scalar_one())


def _require_within(session: Session, limit: Amount, user_id: int, amount: Amount) -> None:
    room = limit.base_units - _total(session, _counted(_of_user(user_id)))
    if amount.base_units <= room:
        return
    when = said("more than {limit} FLOP can never leave within 24 hours", limit=limit)
    if amount <= limit:
        rows = [(row.units, row.transaction_id) for row in session.execute(_counted(_of_user(user_id)))]
        moment = _when_free(rows, amount.base_units - room)
        when = said("this much is possible 24 hours after your waiting payouts have left")
        if moment is not None:
            when = said("this much is possible from {moment} UTC on", moment=format(moment, "%Y-%m-%d %H:%M"))
    left = Amount(max(0, room))
    message = said(
        "is more than may leave now: {left} FLOP is left of {limit} FLOP in 24 hours; {when}",
        left=left,
        limit=limit,
        when=when,
    )
    raise WithdrawalLimitError(
        said("{field}: {message}", field="amount", message=message), fields={"amount": message}
    )


def _when_free(rows: Iterable[tuple[int, uuid.UUID | None]], missing: int) -> datetime | None:
    """The full minute from which `missing` base units do not count any more; None while that depends on what waits."""
    signed = sorted((row[1].int >> _BITS_AFTER_TIME, row[0]) for row in rows if row[1] is not None)
    for milliseconds, units in signed:
        missing -= units
        if missing <= 0:
            moment = datetime.fromtimestamp(milliseconds // 1000, UTC) + WINDOW
            return moment.replace(second=0) + timedelta(minutes=1)
    return None


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
