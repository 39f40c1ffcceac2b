"""Who is still there: the sessions of all streams of a process are looked at together, and not one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.roles import Role
from webapp.models import Wallet
from webapp.services.live.changes import Audience
from webapp.services.sessions import Sessions


def audiences(connection: Connection, settings: Settings, tokens: Collection[str]) -> dict[str, Audience]:
    """Who listens behind each of these tokens now, without those whose session has ended. It is no use of a session."""
    with Session(connection) as session:
        users = Sessions(session, settings).list_users(tokens)
        wallets: defaultdict[int, set[int]] = defaultdict(set)
        owned = select(Wallet.user_id, Wallet.id)
        for owner, wallet_id in session.execute(
            owned.where(Wallet.user_id.in_({user.id for user in users.values()}))
        ):
            wallets[owner].add(wallet_id)
        return {
            token: Audience.of_user(user.id, Role(user.role), frozenset(wallets[user.id]))
            for token, user in users.items()
        }
