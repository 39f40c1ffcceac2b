"""Locks in the daemon on the inputs of stored transactions: a new transaction must not take a stored one's coins."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.models import ChainTransaction, ChainTransactionInput
from webapp.services.daemon.answers import OutPoint
from webapp.services.daemon.wallet import DaemonWallet


class InputLocks:
    """The locks as one worker keeps them."""

    def __init__(self, session: Session, daemon: DaemonWallet) -> None:
        self._session = session
        self._daemon = daemon

    def restore(self) -> None:
        """Let the daemon's locks be those of the stored transactions. Raises WalletIntegrationError.

        Others are what is left of transactions that came to nothing: of a crash, of a call whose answer was lost and
        that was carried out later, or twice. A daemon that restarted has forgotten all of them. Whoever is choosing
        coins in another process at this moment may lose a lock by this, and is told when storing: no coin is in two
        stored transactions.
        """
        locked = self._daemon.list_locked()
        stored = self._stored()  # After the locks: what was locked and then stored meanwhile is not mistaken.
        self._daemon.unlock_inputs([point for point in locked if point not in stored])
        self._daemon.lock_inputs(stored)

    def _stored(self) -> set[OutPoint]:
        rows = self._session.execute(
            select(ChainTransactionInput.txid, ChainTransactionInput.vout)
            .join(ChainTransaction, ChainTransaction.id == ChainTransactionInput.transaction_id)
            .where(ChainTransaction.status.in_(("signed", "unknown")))
        )
        points = {OutPoint(row.txid, row.vout) for row in rows}
        self._session.commit()
        return points
