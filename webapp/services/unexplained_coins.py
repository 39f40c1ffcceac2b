"""Coins at addresses that were never given out: how far they explain what is there, and whose they are.

`coin_finder` lists them. Nothing of them is owed to anybody before an operator has decided.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.exceptions import ConflictError, NotFoundError, ValidationError
from webapp.domain.roles import Actor
from webapp.domain.said import said
from webapp.models import Deposit, DepositAddress, UnexplainedCoin, Wallet
from webapp.models.compare_and_set import changes_one_row
from webapp.models.insert_once import insert_once
from webapp.services import operator_actions
from webapp.services.coin_count import total
from webapp.services.deposits import addresses as deposit_addresses
from webapp.services.unit_of_work import unit_of_work


class CoinStateError(ConflictError):
    """Somebody else has said whose the coin is, or the chain has undone it."""

    slug = "coin-state"
    title = said("The coin is not in a state that allows this")


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the daemon holds beyond what it must, in base units: coins that are listed as open, the operators' own, and
    the `rest`, for which there is no coin to point at.
    """

    unexplained: int
    open: int
    ours: int

    @property
    def rest(self) -> int:
        """What no listed coin explains; negative when coins are missing."""
        return self.unexplained - self.open - self.ours


def explain(session: Session, unexplained: int) -> Explanation:
    """How far the listed coins explain what was counted."""
    is_there = UnexplainedCoin.confirmations > 0
    found = {
        status: total(session, UnexplainedCoin.amount, UnexplainedCoin.status == status, is_there)
        for status in ("open", "ours")
    }
    return Explanation(unexplained, found["open"], found["ours"])


def assign_to_wallet(session: Session, actor: Actor, coin_id: int, wallet_id: int) -> None:
    """Say that a coin is a wallet's: its address is the wallet's from here on, and the watcher credits the coin by the
    rules of deposits. So it does with other open coins at that address. Pressed twice it counts once.

    Raises PermissionDeniedError when the wallet is the actor's own, NotFoundError, ValidationError naming `wallet`, or
    CoinStateError when it is settled otherwise.
    """
    actor.require_not_own(said("the wallet"), wallet_id)
    with unit_of_work(session):
        coin = _get(session, coin_id)
        if (coin.status, coin.wallet_id) == ("assigned", wallet_id):
            return
        wallet = session.get(Wallet, wallet_id)
        if wallet is None:
            raise ValidationError.of("wallet", said("there is no such wallet"))
        # The address that its owner sees is the one that was given out last, and no change address of ours.
        if deposit_addresses.current(session, wallet_id) is None:
            deposit_addresses.take(session, "wallet", wallet_id)
        values = {"purpose": "wallet", "wallet_id": wallet_id, "assigned_at": wallet.created_at}
        insert_once(session, DepositAddress, {"address": coin.address, **values})
        if session.get_one(DepositAddress, coin.address, populate_existing=True).wallet_id != wallet_id:
            raise CoinStateError(said("the coin's address belongs to another wallet by now"))
        _settle(session, actor, coin, "assigned", wallet_id)
        _make_deposit(session, coin, wallet_id)
        same_address = select(UnexplainedCoin).where(
            UnexplainedCoin.address == coin.address, UnexplainedCoin.status == "open"
        )
        for other in session.scalars(same_address.order_by(UnexplainedCoin.id)):
            _settle(session, actor, other, "assigned", wallet_id)
            _make_deposit(session, other, wallet_id)


def mark_as_ours(session: Session, actor: Actor, coin_id: int) -> None:
    """Say that a coin is the operators' own: no money moves, and the coin counts as explained. Twice counts once.

    Raises NotFoundError, or CoinStateError when it is settled otherwise.
    """
    with unit_of_work(session):
        coin = _get(session, coin_id)
        if coin.status != "ours":
            _settle(session, actor, coin, "ours", None)


def _get(session: Session, coin_id: int) -> UnexplainedCoin:
    coin = session.get(UnexplainedCoin, coin_id, populate_existing=True, with_for_update=True)
    if coin is None:
        raise NotFoundError(said("there is no coin {coin_id}", coin_id=coin_id))
    return coin


def _settle(
    session: Session, actor: Actor, coin: UnexplainedCoin, status: str, wallet_id: int | None
) -> None:
    values = {"status": status, "wallet_id": wallet_id, "settled_at": utcnow(), "settled_by": actor.name}
    is_open = update(UnexplainedCoin).where(UnexplainedCoin.id == coin.id, UnexplainedCoin.status == "open")
    if not changes_one_row(session, is_open.values(**values)):
        raise CoinStateError(said("the coin is {status} by now", status=coin.status))
    action = "assign_coin" if wallet_id else "mark_coin_as_ours"
    subject = f"coin:{coin.txid}:{coin.vout}"
    operator_actions.record(
        session, actor, action, subject, amount=coin.amount, wallet=wallet_id, address=coin.address
    )


def _make_deposit(session: Session, coin: UnexplainedCoin, wallet_id: int) -> None:
    """As the watcher would have made it; one that it has made meanwhile stands."""
    values = {
        "wallet_id": wallet_id,
        "address": coin.address,
        "txid": coin.txid,
        "vout": coin.vout,
        "amount": coin.amount,
        "confirmations": coin.confirmations,
        "block_hash": coin.block_hash,
        "block_height": coin.block_height,
        "first_seen_at": coin.first_seen_at,
    }
    insert_once(session, Deposit, values)
