"""The bond of who opens a dispute: held while it lasts, given back, or lost to the community fund."""

from __future__ import annotations

from sqlalchemy.orm import Session

from webapp.domain import accounts
from webapp.ledger.journal import Move, post
from webapp.models import Dispute


def take(session: Session, dispute: Dispute) -> None:
    """Hold the bond, if there is one. Raises InsufficientFundsError, FrozenWalletError."""
    wallet_id = dispute.opened_by_wallet_id
    _post(
        session, dispute, "bond", Move(accounts.available(wallet_id), accounts.held(wallet_id), dispute.bond)
    )


def give_back(session: Session, dispute: Dispute) -> None:
    """The opener has it again."""
    wallet_id = dispute.opened_by_wallet_id
    move = Move(accounts.held(wallet_id), accounts.available(wallet_id), dispute.bond)
    _post(session, dispute, "bond_return", move, even_if_frozen=True)


def lose(session: Session, dispute: Dispute) -> None:
    """The community fund has it."""
    move = Move(accounts.held(dispute.opened_by_wallet_id), accounts.FUND, dispute.bond)
    _post(session, dispute, "bond_loss", move, even_if_frozen=True)


def _post(session: Session, dispute: Dispute, what: str, move: Move, *, even_if_frozen: bool = False) -> None:
    if move.amount:
        key, kind = f"dispute:{dispute.id}:{what}", f"dispute_{what}"
        post(session, key, kind, [move], escrow_id=dispute.escrow_id, even_if_frozen=even_if_frozen)
