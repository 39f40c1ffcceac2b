"""Rows that have served their time: used nonces, stored answers, blocks that were reconciled long ago."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.models import IdempotencyKey, Reconciliation, RequestNonce
from webapp.services.unit_of_work import unit_of_work

IDEMPOTENCY_RETENTION = timedelta(days=30)
RECONCILIATION_RETENTION = timedelta(days=30)


def purge(session: Session) -> None:
    """Forget what can no longer matter. A nonce may go when its request would be refused for its age anyway."""
    now = utcnow()
    with unit_of_work(session):
        session.execute(delete(RequestNonce).where(RequestNonce.expires_at < now))
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < now - IDEMPOTENCY_RETENTION))
        # The newest one says from where on unexplained coins are still to be looked for.
        newest = select(func.max(Reconciliation.id)).scalar_subquery()
        is_old = Reconciliation.checked_at < now - RECONCILIATION_RETENTION
        session.execute(delete(Reconciliation).where(is_old, Reconciliation.id < newest))
