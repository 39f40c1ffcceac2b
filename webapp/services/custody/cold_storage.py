"""Cold storage: what lies there by the books, and the way back into the daemon's wallet.

Coins go there by sweeps (`cold` to `chain`). They come back when the holder of the cold key sends them to a refill
address, which is watched for ever like any other and gives them to `cold` again instead of to a wallet.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain import accounts
from webapp.domain.roles import Actor
from webapp.ledger import pooled
from webapp.models import DepositAddress
from webapp.services import operator_actions
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.deposits import addresses as deposit_addresses
from webapp.services.unit_of_work import unit_of_work

SUBJECT = "cold"


def balance(session: Session) -> int:
    """Base units in cold storage; negative when more came back than was ever sent there."""
    return -pooled.balance(session, accounts.COLD)


def refill_address(session: Session) -> str | None:
    """Where coins from cold storage are to be sent: the address that was taken last, or None."""
    return session.scalars(
        select(DepositAddress.address)
        .where(DepositAddress.purpose == "refill")
        .order_by(DepositAddress.assigned_at.desc())
        .limit(1)
    ).first()


def take_refill_address(session: Session, daemon: DaemonWallet, actor: Actor) -> str:
    """A refill address that was never used before. Call it outside a unit of work.

    Raises WalletIntegrationError when none is in stock and the daemon gives none.
    """
    address = None
    while address is None:  # Somebody else may have taken the last one.
        deposit_addresses.fill_stock(session, daemon, 1)
        with unit_of_work(session):
            address = deposit_addresses.take(session, "refill")
            if address is not None:
                operator_actions.record(session, actor, "take_refill_address", SUBJECT, address=address)
    return address
