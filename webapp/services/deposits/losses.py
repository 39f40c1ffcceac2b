"""What a wallet spent of deposits that the chain undid, and the deposits that make it good again."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import BigInteger, cast, func, select, type_coerce
from sqlalchemy.orm import Session

from webapp.domain import accounts
from webapp.domain.money import ZERO, Amount
from webapp.ledger.journal import Move, post
from webapp.models import Deposit, Wallet
from webapp.models.types import Total
from webapp.services.unit_of_work import unit_of_work

_UNRECOVERED = (Deposit.status == "reversed", Deposit.shortfall > ZERO)


def take_over(session: Session, deposit: Deposit, conflicts: Collection[str]) -> None:
    """Move what was lost of a deposit to the one that spends the same coins, in the caller's unit of work.

    The two are one payment: a twin under another txid, or what its sender made of it. When it is credited, the loss
    is made good first; otherwise its wallet would have the same coins twice.
    """
    if not conflicts:
        return
    lost = select(Deposit).where(
        Deposit.txid.in_(conflicts),
        Deposit.wallet_id == deposit.wallet_id,
        *_UNRECOVERED,
    )
    for other in session.scalars(lost.order_by(Deposit.id).with_for_update()):
        part = min(other.shortfall, deposit.amount - deposit.shortfall)
        other.shortfall -= part
        deposit.shortfall += part


def recover(session: Session) -> None:
    """Make good what frozen wallets have lost from whatever came back to them: a returned payout, a refund.

    One unit of work for each wallet. An operator who lifts the freeze leaves the wallet what it has.
    """
    owing = (
        select(Deposit.wallet_id)
        .join(Wallet, Wallet.id == Deposit.wallet_id)
        .where(*_UNRECOVERED, Wallet.is_frozen.is_(True), Wallet.available > ZERO)
    )
    wallet_ids = sorted(wallet_id for wallet_id in session.scalars(owing.distinct()) if wallet_id)
    session.commit()
    for wallet_id in wallet_ids:
        with unit_of_work(session):
            _recover(session, wallet_id)


def _recover(session: Session, wallet_id: int) -> None:
    lost = select(Deposit).where(*_UNRECOVERED, Deposit.wallet_id == wallet_id).order_by(Deposit.id)
    # Deposits are taken before their wallet everywhere.
    deposits = session.scalars(lost.execution_options(populate_existing=True).with_for_update()).all()
    wallet = session.get_one(Wallet, wallet_id, populate_existing=True, with_for_update=True)
    rest = wallet.available if wallet.is_frozen else ZERO
    for deposit in deposits:
        part = min(rest, deposit.shortfall)
        if part:
            # What is still missing tells one recovery of a credit from the next.
            name = f"deposit:{deposit.txid}:{deposit.vout}:recover:{deposit.credit_round}"
            move = Move(accounts.available(wallet_id), accounts.LOSSES, part)
            key = f"{name}:{deposit.shortfall.base_units}"
            post(session, key, "deposit_recover", [move], even_if_frozen=True)
            deposit.shortfall -= part
            rest -= part


def outstanding(session: Session, wallet_id: int) -> Amount:
    """What the wallet has spent of deposits that the chain undid, and that have not come back."""
    total = cast(func.coalesce(func.sum(type_coerce(Deposit.shortfall, BigInteger)), 0), Total)
    statement = select(total).where(Deposit.wallet_id == wallet_id, *_UNRECOVERED)
    return Amount(int(session.execute(statement).scalar_one()))
