"""When payouts leave: as soon as enough are due to be worth a transaction, and none waits longer than is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select
from sqlalchemy.orm import Session

from webapp.config import WalletSettings
from webapp.domain.clock import utcnow
from webapp.models import Payout, Wallet


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the next batch waits for. `missing` payouts make it leave at once, zero when it leaves now; at
    `at_latest` it leaves in any case.
    """

    missing: int
    at_latest: datetime


def due(*columns: Any) -> Select[Any]:
    """The payouts that may be claimed now. Nothing leaves a frozen wallet, not even what was asked for before."""
    return select(*columns).where(
        Payout.status == "queued", Payout.next_attempt_at <= utcnow(), is_not_frozen()
    )


def is_not_frozen() -> ColumnElement[bool]:
    """Payouts of wallets that are not frozen, and those of the community fund, which has no wallet."""
    frozen = select(Wallet.id).where(Wallet.is_frozen.is_(True))
    return Payout.wallet_id.is_(None) | Payout.wallet_id.not_in(frozen)


def may_claim(session: Session, settings: WalletSettings) -> bool:
    """Whether those that are due, if any are, may leave now.

    A payout waits from the moment it was asked for: no failed attempt, and nothing that an operator did to it, lets
    its time begin again.
    """
    return settings.batch_min_payouts <= 1 or has_ready(session, settings)


def has_ready(session: Session, settings: WalletSettings) -> bool:
    """Whether there are payouts that leave now."""
    waiting = _waiting(session)
    return waiting.number > 0 and _outlook(settings, waiting).missing == 0


def outlook(session: Session, settings: WalletSettings, more: int = 0) -> Outlook:
    """When the next batch leaves, if `more` payouts were asked for now. Two numbers are read."""
    return _outlook(settings, _waiting(session), more)


def _outlook(settings: WalletSettings, waiting: Row[Any], more: int = 0) -> Outlook:
    now = utcnow()
    at_latest = (waiting.oldest or now) + timedelta(seconds=settings.batch_max_wait_seconds)
    missing = max(settings.batch_min_payouts - waiting.number - more, 0) if at_latest > now else 0
    return Outlook(missing, at_latest)


def _waiting(session: Session) -> Row[Any]:
    return session.execute(
        due(func.count().label("number"), func.min(Payout.created_at).label("oldest"))
    ).one()
