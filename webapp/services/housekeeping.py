"""Rows that have served their time: used nonces, stored answers, ended sessions."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.models import IdempotencyKey, RequestNonce
from webapp.services.unit_of_work import unit_of_work

IDEMPOTENCY_RETENTION = timedelta(days=30)


def purge(session: Session) -> None:
    """Forget what can no longer matter. A nonce may go when its request would be refused for its age anyway."""
    now = utcnow()
    with unit_of_work(session):
        session.execute(delete(RequestNonce).where(RequestNonce.expires_at < now))
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < now - IDEMPOTENCY_RETENTION))
