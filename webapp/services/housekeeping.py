"""Rows that have served their time: used nonces, stored answers, changes of keys, blocks that were reconciled."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.models import IdempotencyKey, KeyChange, KeyEpoch, Reconciliation, RequestNonce
from webapp.services.unit_of_work import unit_of_work

IDEMPOTENCY_RETENTION = timedelta(days=30)
RECONCILIATION_RETENTION = timedelta(days=30)
# Processes ask every second; one that has missed some forgets all keys, and reads them again.
KEY_CHANGES_KEPT = 10_000


def purge(session: Session) -> None:
    """Forget what can no longer matter. A nonce may go when its request would be refused for its age anyway."""
    now = utcnow()
    with unit_of_work(session):
        session.execute(delete(RequestNonce).where(RequestNonce.expires_at < now))
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < now - IDEMPOTENCY_RETENTION))
        latest = select(KeyEpoch.number).scalar_subquery()
        session.execute(delete(KeyChange).where(KeyChange.number < latest - KEY_CHANGES_KEPT))
        # The newest one says from where on unexplained coins are still to be looked for.
        newest = select(func.max(Reconciliation.id)).scalar_subquery()
        is_old = Reconciliation.checked_at < now - RECONCILIATION_RETENTION
        session.execute(delete(Reconciliation).where(is_old, Reconciliation.id < newest))
