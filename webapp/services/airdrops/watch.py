"""Tells the operators of airdrops that are late, blocked, or failed in part; each once, with the reason as it is now.

An alert that somebody has put away does not come back for the same wait, or the same airdrop.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, func, select, type_coerce, update
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.models import Airdrop, AirdropRecipient, Alert
from webapp.services.airdrops import schedule
from webapp.services.payouts.halts import raise_alert
from webapp.services.unit_of_work import unit_of_work

OVERDUE, BLOCKED, PARTLY_FAILED = "airdrop_overdue", "airdrop_blocked", "airdrop_partly_failed"
# A snapshot and its posting take seconds.
OVERDUE_AFTER = timedelta(hours=2)
BLOCKED_AFTER = timedelta(minutes=10)
# Shares fail when they are posted, or when an operator returns a payout; what is older has been told.
LOOK_BACK = timedelta(days=30)
NEXT = "the next airdrop"
_GIVEN = ("paying", "done")


@dataclass(frozen=True, slots=True)
class _Finding:
    """What an alert would tell. One of the same kind and subject that was raised after `since` told it already."""

    kind: str
    subject: str
    detail: str
    since: datetime


class AirdropWatch:
    """The worker's task."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings

    def run(self) -> None:
        """Raise what is new, and bring the words of what stands up to date."""
        now = utcnow()
        findings = [*self._of_next(now), *self._of_past(now)]
        self._session.commit()
        if not findings:
            return
        with unit_of_work(self._session):
            for finding in findings:
                self._tell(finding)

    def _of_next(self, now: datetime) -> list[_Finding]:
        outlook = schedule.look(self._session, self._settings, now)
        found = []
        if outlook.due_since and now - outlook.due_since > OVERDUE_AFTER:
            why = outlook.blocked or "nothing is known to keep it from going; look whether the worker runs"
            detail = f"due since {outlook.due_since:%Y-%m-%d %H:%M} UTC and not given: {why}"
            found.append(_Finding(OVERDUE, NEXT, detail, outlook.due_since))
        if outlook.blocked_since and outlook.blocked and now - outlook.blocked_since > BLOCKED_AFTER:
            since = f"since {outlook.blocked_since:%Y-%m-%d %H:%M} UTC"
            found.append(_Finding(BLOCKED, NEXT, f"{outlook.blocked} ({since})", outlook.blocked_since))
        return found

    def _of_past(self, now: datetime) -> list[_Finding]:
        amount = func.sum(type_coerce(AirdropRecipient.amount, BigInteger))
        rows = self._session.execute(
            select(Airdrop.number, Airdrop.posted_at, AirdropRecipient.reason, func.count(), amount)
            .join(AirdropRecipient, AirdropRecipient.airdrop_id == Airdrop.id)
            .where(Airdrop.status.in_(_GIVEN), Airdrop.posted_at > now - LOOK_BACK)
            .where(AirdropRecipient.status == "failed")
            .group_by(Airdrop.number, Airdrop.posted_at, AirdropRecipient.reason)
            .order_by(Airdrop.number, func.count().desc(), AirdropRecipient.reason)
        ).all()
        by_airdrop: dict[tuple[int, datetime | None], list[tuple[str, int, int]]] = {}
        for number, posted_at, reason, count, units in rows:
            by_airdrop.setdefault((number, posted_at), []).append((reason, count, int(units)))
        return [
            _Finding(PARTLY_FAILED, f"airdrop {number}", _failures(parts), posted_at or now)
            for (number, posted_at), parts in by_airdrop.items()
        ]

    def _tell(self, finding: _Finding) -> None:
        of_this = (Alert.kind == finding.kind) & (Alert.subject == finding.subject)
        last = self._session.scalars(select(Alert).where(of_this).order_by(Alert.id.desc()).limit(1)).first()
        if last is None or (last.acknowledged_at is not None and last.raised_at < finding.since):
            raise_alert(self._session, finding.kind, finding.subject, finding.detail)
        elif last.acknowledged_at is None and last.detail != finding.detail[:1000]:
            stands = (Alert.id == last.id) & Alert.acknowledged_at.is_(None)
            statement = update(Alert).where(stands).values(detail=finding.detail[:1000])
            self._session.execute(statement.execution_options(synchronize_session=False))


def _failures(parts: list[tuple[str, int, int]]) -> str:
    count, units = sum(part[1] for part in parts), sum(part[2] for part in parts)
    shares = "1 share" if count == 1 else f"{count} shares"
    reasons = "; ".join(f"{number}: {reason}" for reason, number, _ in parts)
    return f"{shares} failed, and {Amount(units)} FLOP stayed in the fund or came back to it ({reasons})"
