"""The clockwork of the pooled accounts: folding postings into checkpoints."""

from __future__ import annotations

from sqlalchemy.orm import Session

from webapp.ledger import pooled
from webapp.services.unit_of_work import unit_of_work


def fold_checkpoints(session: Session) -> bool:
    """Move the checkpoints as far as is final. False when an older transaction is still running: try again later."""
    horizon = pooled.horizon(session)
    with unit_of_work(session):
        return pooled.fold(session, horizon)
