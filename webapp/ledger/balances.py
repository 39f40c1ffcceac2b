"""The two balances on a wallet's row, changed by one conditional UPDATE per wallet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Integer,
    Update,
    bindparam,
    select,
    type_coerce,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from webapp.domain.accounts import wallet_part
from webapp.domain.exceptions import (
    FrozenWalletError,
    InsufficientFundsError,
    NotFoundError,
    TransactionError,
)
from webapp.domain.money import Amount, format_signed
from webapp.domain.said import said
from webapp.models import Wallet

_AVAILABLE = type_coerce(Wallet.available, BigInteger)
_HELD = type_coerce(Wallet.held, BigInteger)


def change_of(prefix: str = "") -> Update:
    """The UPDATE of one wallet by the parameters `wallet`, `available_change`, `held_change` and `may_change_frozen`.

    `prefix` tells the parameters of several of these in one statement from each other.
    """
    return change_by(lambda name, kind: bindparam(prefix + name, type_=kind))


def change_by(value: Callable[[str, TypeEngine[Any]], ColumnElement[Any]]) -> Update:
    """The UPDATE of wallets by what the four names of `change_of` stand for.

    The database refuses an overdraft: a row changes only when both balances stay at or above zero, and nothing leaves
    `available` of a frozen wallet unless the chain itself takes it back.
    """
    available = _AVAILABLE + value("available_change", BigInteger())
    held = _HELD + value("held_change", BigInteger())
    may_change_frozen = value("may_change_frozen", Boolean())
    return (
        update(Wallet.__table__)  # type: ignore[arg-type]
        .where(
            Wallet.id == value("wallet", Integer()),
            available >= 0,
            held >= 0,
            Wallet.is_frozen.is_(False) | may_change_frozen,
        )
        .values(available=available, held=held)
    )


_CHANGE = change_of()


Moves = Iterable[tuple[str, str, Amount]]


@dataclass(slots=True)
class Change:
    """By how many base units the two balances of a wallet change."""

    available: int = 0
    held: int = 0


@dataclass(slots=True)
class Purse:
    """The balances of a wallet in base units, as they are in its row, which is locked, or will be."""

    available: int
    held: int
    is_frozen: bool


def apply(session: Session, moves: Moves, *, even_if_frozen: bool = False) -> None:
    """Change every wallet named by (source, destination, amount) moves, in id order so that no two callers deadlock.

    Raises InsufficientFundsError or FrozenWalletError naming the wallet.
    """
    for wallet_id, change in changes_of(moves):
        change_one(session, wallet_id, change, even_if_frozen=even_if_frozen)


def changes_of(moves: Moves) -> list[tuple[int, Change]]:
    """What the moves come to for each wallet, in id order."""
    changes: defaultdict[int, Change] = defaultdict(Change)
    for source, destination, amount in moves:
        for account, units in ((source, -amount.base_units), (destination, amount.base_units)):
            if part := wallet_part(account):
                change = changes[part[1]]
                if part[0] == "available":
                    change.available += units
                else:
                    change.held += units
    return sorted(changes.items())


def apply_to_purses(purses: Mapping[int, Purse], moves: Moves) -> None:
    """`apply` to wallets whose rows the caller has locked and read, ahead of writing them. All of it or nothing."""
    changes = changes_of(moves)
    for wallet_id, change in changes:
        purse = purses[wallet_id]
        may_change_frozen = change.available >= 0
        is_covered = purse.available + change.available >= 0 and purse.held + change.held >= 0
        if not is_covered or (purse.is_frozen and not may_change_frozen):
            raise _refusal(wallet_id, purse, change, may_change_frozen=may_change_frozen)
    for wallet_id, change in changes:
        purses[wallet_id].available += change.available
        purses[wallet_id].held += change.held


def parameters_of(wallet_id: int, change: Change, *, even_if_frozen: bool = False) -> dict[str, Any]:
    """The values of `change_of`."""
    return {
        "wallet": wallet_id,
        "available_change": change.available,
        "held_change": change.held,
        "may_change_frozen": even_if_frozen or change.available >= 0,
    }


def change_one(session: Session, wallet_id: int, change: Change, *, even_if_frozen: bool = False) -> None:
    """Change one wallet. Raises InsufficientFundsError, FrozenWalletError or NotFoundError naming it."""
    parameters = parameters_of(wallet_id, change, even_if_frozen=even_if_frozen)
    if session.connection().execute(_CHANGE, parameters).rowcount == 1:
        return
    row = session.execute(select(_AVAILABLE, _HELD, Wallet.is_frozen).where(Wallet.id == wallet_id)).first()
    if row is None:
        raise NotFoundError(said("there is no wallet {wallet_id}", wallet_id=wallet_id))
    raise _refusal(wallet_id, Purse(*row), change, may_change_frozen=parameters["may_change_frozen"])


def _refusal(wallet_id: int, purse: Purse, change: Change, *, may_change_frozen: bool) -> TransactionError:
    if purse.is_frozen and not may_change_frozen:
        return FrozenWalletError(said("wallet {wallet_id} is frozen", wallet_id=wallet_id))
    return InsufficientFundsError(
        said(
            "wallet {wallet_id} has {available} FLOP available; {needed} FLOP is needed",
            wallet_id=wallet_id,
            available=Amount(purse.available),
            needed=format_signed(-min(change.available, change.held)),
        )
    )
