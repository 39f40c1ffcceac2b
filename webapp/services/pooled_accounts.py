"""The clockwork of the pooled accounts: folding postings into checkpoints."""

from __future__ import annotations

from sqlalchemy.orm import Session

from webapp.ledger import pooled
from webapp.services.unit_of_work import unit_of_work


class CheckpointFolder:
    """Folds at each run what was settled by the one before: by then every transaction of that time has ended.

    Without a run before it tries the present moment, which is final when nobody is writing.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._horizon: pooled.Horizon | None = None

    def run(self) -> bool:
        """Move the checkpoints as far as is final. False when an older transaction is still running."""
        present = pooled.horizon(self._session)
        with unit_of_work(self._session):
            is_folded = pooled.fold(self._session, self._horizon or present)
        if is_folded or self._horizon is None:
            self._horizon = present
        return is_folded
