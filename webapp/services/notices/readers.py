"""Who is behind a wallet, a key, or a role: the people that can be told something."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.roles import Role
from webapp.models import SigningKey, User, Wallet


def owners(session: Session, wallet_ids: Collection[int]) -> dict[int, int]:
    """The users behind these wallets. Closed accounts are told nothing."""
    statement = select(Wallet.id, Wallet.user_id).join(User).where(Wallet.id.in_(wallet_ids), User.is_active)
    return {row.id: row.user_id for row in session.execute(statement)}


def with_role(session: Session, role: Role) -> list[int]:
    """The users with this role."""
    return list(session.scalars(select(User.id).where(User.role == role.value, User.is_active)))


def actors(session: Session, names: Iterable[str]) -> dict[str, int]:
    """The users behind names of the audit trail: themselves, or the owners of the keys that acted."""
    found: dict[str, int] = {}
    keys: dict[str, str] = {}
    for name in set(names):
        what, _, number = name.partition(":")
        if what == "user":
            found[name] = int(number)
        elif what == "key":
            keys[number] = name
    if keys:
        statement = select(SigningKey.id, Wallet.user_id).join(Wallet, Wallet.id == SigningKey.wallet_id)
        for key_id, user_id in session.execute(statement.where(SigningKey.id.in_(keys))):
            found[keys[key_id]] = user_id
    return found
