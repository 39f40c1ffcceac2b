"""Payouts that stay in a state for longer than usual: which they are, and one alert for each and its state.

How long is usual stands in `domain/payout_states`; the settings add what they make a payout wait for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.payout_states import PASSING, PayoutStatus, state_of
from webapp.models import Alert, Payout
from webapp.services.payouts import halts as payout_halts
from webapp.services.payouts.batching import is_not_frozen
from webapp.services.unit_of_work import unit_of_work

KIND = "payout_stuck"
# More than so many in one state have one cause, and get one alert.
MANY = 20
BLOCK_SPACING = timedelta(seconds=60)


def due_at(payout: Payout, settings: Settings) -> datetime | None:
    """When the payout should have left its state; None for one that is final."""
    patience = _patience(PayoutStatus(payout.status), settings)
    return None if patience is None else _since(payout) + patience


def is_late(settings: Settings, now: datetime) -> ColumnElement[bool]:
    """The same as a condition on `Payout`: past the deadline of its state."""
    return or_(*(_is_late_in(status, settings, now) for status in PASSING))


def _patience(status: PayoutStatus, settings: Settings) -> timedelta | None:
    usual = state_of(status).deadline
    if usual is None:
        return None
    wallet = settings.wallet
    if status is PayoutStatus.QUEUED:
        return usual + timedelta(seconds=wallet.batch_max_wait_seconds)
    if status is PayoutStatus.BROADCAST:
        return usual + wallet.payout_confirmations * BLOCK_SPACING
    return usual


def _since(payout: Payout) -> datetime:
    # A claim is a lease, and `status_since` tells of the queue.
    is_claimed = payout.status == PayoutStatus.CLAIMED
    return payout.claimed_until if is_claimed and payout.claimed_until else payout.status_since


def _is_late_in(status: PayoutStatus, settings: Settings, now: datetime) -> ColumnElement[bool]:
    patience = _patience(status, settings)
    assert patience is not None, "a passing state has a deadline"
    since = Payout.claimed_until if status is PayoutStatus.CLAIMED else Payout.status_since
    return and_(Payout.status == status, since < now - patience)


@dataclass(frozen=True, slots=True)
class _Finding:
    """What an alert would tell. One that was raised since `since` told it already."""

    subject: str
    since: datetime
    detail: str


class DeadlineWatch:
    """Tells the operators of payouts that are late. `run` may be repeated at will: it says everything once."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings

    def run(self) -> None:
        """Raise an alert for each late payout, or one for all where there are many in one state."""
        now = utcnow()
        is_halted = bool(payout_halts.standing(self._session))
        findings = [
            finding
            for status in PASSING
            # What stops all of them has an alert of its own.
            if not (is_halted and status in (PayoutStatus.QUEUED, PayoutStatus.CLAIMED))
            for finding in self._findings(status, now)
        ]
        news = [finding for finding in findings if not self._was_told(finding)]
        self._session.commit()
        if not news:
            return
        with unit_of_work(self._session):
            for finding in news:
                payout_halts.raise_alert(self._session, KIND, finding.subject, finding.detail)

    def _findings(self, status: PayoutStatus, now: datetime) -> list[_Finding]:
        is_late = _is_late_in(status, self._settings, now)
        statement = select(Payout).where(is_late)
        if status is PayoutStatus.QUEUED:
            # Nothing leaves a frozen wallet, and operators froze it.
            statement = statement.where(is_not_frozen())
        late = self._session.scalars(
            statement.order_by(Payout.status_since, Payout.id)
            .limit(MANY + 1)
            .execution_options(populate_existing=True)
        ).all()
        if len(late) > MANY:
            return [self._of_many(status, late, now)]
        return [self._of_one(payout, now) for payout in late]

    def _of_one(self, payout: Payout, now: datetime) -> _Finding:
        since = _since(payout)
        detail = f"{payout.gross} FLOP of {payout.source_name} {_so_long(payout.status, since, now)}"
        reason = f": {payout.reason}" if payout.reason else ""
        return _Finding(f"payout:{payout.id}:{payout.status}", since, detail + reason)

    def _of_many(self, status: PayoutStatus, late: Sequence[Payout], now: datetime) -> _Finding:
        count = self._session.execute(
            select(func.count()).select_from(Payout).where(_is_late_in(status, self._settings, now))
        ).scalar_one()
        since = _since(late[0])
        detail = f"{count} payouts take longer than usual; the oldest {_so_long(status, since, now)}"
        return _Finding(f"payouts:{status}", since, detail)

    def _was_told(self, finding: _Finding) -> bool:
        """Whether an alert told it since then, acknowledged or not."""
        told = select(Alert.id).where(
            Alert.kind == KIND, Alert.subject == finding.subject, Alert.raised_at >= finding.since
        )
        return self._session.execute(told.limit(1)).first() is not None


def _so_long(status: str, since: datetime, now: datetime) -> str:
    minutes = int((now - since).total_seconds() // 60)
    length = f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
    return f"has been {status.replace('_', ' ')} for {length}"
