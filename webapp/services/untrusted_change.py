"""Change of ours that the daemon leaves out of its balance, because somebody else's unconfirmed coins are in it.

After a reorganisation a payout may wait in the mempool beside the deposit that it spends. What comes back of it is
ours in either case: with the deposit it confirms, and without the deposit the coins are where they were before.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.models import ChainTransaction
from webapp.services.daemon.answers import OutPoint, read_amount
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts.transactions import UNSETTLED


def untrusted_change(session: Session, daemon: DaemonWallet) -> int:
    """Base units. Ends the session's transaction. Raises WalletIntegrationError."""
    on_their_way = select(ChainTransaction).where(ChainTransaction.status.in_(UNSETTLED))
    # What builds on another one is younger.
    rows = session.scalars(on_their_way.order_by(ChainTransaction.id)).all()
    session.commit()
    waiting = daemon.mempool_entries(row.txid for row in rows)
    ours, untrusted = {row.txid for row in rows}, set[str]()
    for txid in (row.txid for row in rows if row.txid in waiting):
        if any(parent not in ours or parent in untrusted for parent in waiting[txid]["depends"]):
            untrusted.add(txid)
    points = [OutPoint(row.txid, row.change_index) for row in rows if row.change_index is not None]
    unspent = daemon.get_tx_outs(point for point in points if point.txid in untrusted)
    return sum(read_amount(output["value"]).base_units for output in unspent.values() if output is not None)
