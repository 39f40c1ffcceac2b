"""The two balances on a wallet's row, changed by one conditional UPDATE per wallet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import BigInteger, Boolean, Integer, Update, bindparam, select, type_coerce, update
from sqlalchemy.orm import Session

from webapp.domain.accounts import wallet_part
from webapp.domain.exceptions import FrozenWalletError, InsufficientFundsError, NotFoundError
from webapp.domain.money import Amount, format_signed
from webapp.domain.said import said
from webapp.models import Wallet

_AVAILABLE = type_coerce(Wallet.available, BigInteger)
_HELD = type_coerce(Wallet.held, BigInteger)


def change_of(prefix: str = "") -> Update:
    """The UPDATE of one wallet by the parameters `wallet`, `available_change`, `held_change` and `may_change_frozen`.

    The database refuses an overdraft: the row changes only when both balances stay at or above zero, and nothing
    leaves `available` of a frozen wallet unless the chain itself takes it back. `prefix` tells the parameters of
    several of these in one statement from each other.
    """
    available = _AVAILABLE + bindparam(f"{prefix}available_change", type_=BigInteger)
    held = _HELD + bindparam(f"{prefix}held_change", type_=BigInteger)
    may_change_frozen = bindparam(f"{prefix}may_change_frozen", type_=Boolean)
    return (
        update(Wallet.__table__)  # type: ignore[arg-type]
        .where(
            Wallet.id == bindparam(f"{prefix}wallet", type_=Integer),
            available >= 0,
            held >= 0,
            Wallet.is_frozen.is_(False) | may_change_frozen,
        )
        .values(available=available, held=held)
    )


_CHANGE = change_of()


def apply(
    session: Session, moves: Iterable[tuple[str, str, Amount]], *, even_if_frozen: bool = False
) -> None:
    """Change every wallet named by (source, destination, amount) moves, in id order so that no two callers deadlock.

    Raises InsufficientFundsError or FrozenWalletError naming the wallet.
    """
    changes: defaultdict[int, dict[str, int]] = defaultdict(lambda: {"available": 0, "held": 0})
    for source, destination, amount in moves:
        for account, sign in ((source, -1), (destination, 1)):
            if part := wallet_part(account):
                changes[part[1]][part[0]] += sign * amount.base_units
    for wallet_id in sorted(changes):
        _change(session, wallet_id, changes[wallet_id], even_if_frozen)


def _change(session: Session, wallet_id: int, change: dict[str, int], even_if_frozen: bool) -> None:
    parameters = {
        "wallet": wallet_id,
        "available_change": change["available"],
        "held_change": change["held"],
        "may_change_frozen": even_if_frozen or change["available"] >= 0,
    }
    if session.connection().execute(_CHANGE, parameters).rowcount == 1:
        return
    row = session.execute(
        select(Wallet.available, Wallet.held, Wallet.is_frozen).where(Wallet.id == wallet_id)
    ).first()
    if row is None:
        raise NotFoundError(said("there is no wallet {wallet_id}", wallet_id=wallet_id))
    if row.is_frozen and not parameters["may_change_frozen"]:
        raise FrozenWalletError(said("wallet {wallet_id} is frozen", wallet_id=wallet_id))
    needed = format_signed(-min(change["available"], change["held"]))
    raise InsufficientFundsError(
        said(
            "wallet {wallet_id} has {available} FLOP available; {needed} FLOP is needed",
            wallet_id=wallet_id,
            available=row.available,
            needed=needed,
        )
    )
