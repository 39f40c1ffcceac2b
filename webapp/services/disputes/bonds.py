"""The bond of who opens a dispute: held while it lasts, given back, or lost to the community fund."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain import accounts
from webapp.ledger.journal import Move, post
from webapp.models import Dispute, Escrow, Wallet


def take(session: Session, dispute: Dispute) -> None:
    """Hold the bond, if there is one. Raises InsufficientFundsError, FrozenWalletError."""
    wallet_id = dispute.opened_by_wallet_id
    _post(
        session, dispute, "bond", Move(accounts.available(wallet_id), accounts.held(wallet_id), dispute.bond)
    )


def give_back(session: Session, dispute: Dispute) -> None:
    """The opener has it again."""
    _take_turns(session, dispute)
    wallet_id = dispute.opened_by_wallet_id
    move = Move(accounts.held(wallet_id), accounts.available(wallet_id), dispute.bond)
    _post(session, dispute, "bond_return", move, even_if_frozen=True)


def lose(session: Session, dispute: Dispute) -> None:
    """The community fund has it."""
    _take_turns(session, dispute)
    move = Move(accounts.held(dispute.opened_by_wallet_id), accounts.FUND, dispute.bond)
    _post(session, dispute, "bond_loss", move, even_if_frozen=True)


def _take_turns(session: Session, dispute: Dispute) -> None:
    """Wait for both sides' wallets in id order, as everybody does: the escrow's own entry comes next and needs both."""
    if not dispute.bond:
        return
    sides = select(Escrow.payer_wallet_id, Escrow.provider_wallet_id).where(Escrow.id == dispute.escrow_id)
    wallets = select(Wallet.id).where(Wallet.id.in_(session.execute(sides).one())).order_by(Wallet.id)
    session.execute(wallets.with_for_update(key_share=True))


def _post(session: Session, dispute: Dispute, what: str, move: Move, *, even_if_frozen: bool = False) -> None:
    if move.amount:
        key, kind = f"dispute:{dispute.id}:{what}", f"dispute_{what}"
        post(session, key, kind, [move], escrow_id=dispute.escrow_id, even_if_frozen=even_if_frozen)
