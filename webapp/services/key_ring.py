"""The signing keys that work, kept in each process: neither looking one up nor opening its secret asks the database.

A key that ends (revoked, its node suspended, its owner's account closed, its scopes changed) ends in every process
within a second, because triggers count all such changes (`KeyEpoch`); see `epoch_cache`. The time at which a key
expires is looked at by every use.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.roles import Actor
from webapp.models import SigningKey
from webapp.services.epoch_cache import ASK_EVERY_SECONDS, EpochCache
from webapp.services.node_registry import NodeAuthService
from webapp.services.secret_box import SecretBox
from webapp.services.signing_keys import SigningKeys, actor_of


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that works. With `has_spend_limit` it, or the first key that it answers for, has a limit to spend from."""

    actor: Actor
    secret: str
    key_id: str
    has_spend_limit: bool
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class ProviderSecret:
    """A secret that results may be signed with; `node_id` is None for a key of the wallet that is no node's."""

    key_id: str
    node_id: str | None
    secret: str
    expires_at: datetime | None


class KeyRing:
    """The keys of one instance, as this process knows them. One for all threads.

    It is not for a session that has itself changed keys and has not committed yet: what it keeps must be so.
    """

    def __init__(
        self,
        box: SecretBox,
        ask_every: float = ASK_EVERY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._box = box
        self._kept = EpochCache(ask_every, clock)

    def find(self, session: Session, key_id: str) -> KnownKey | None:
        """The key; None if it is unknown, expired, revoked, of a suspended node or a closed account."""
        known = self._kept.get(session, key_id, lambda: self._read_key(session, key_id))
        return known if known is not None and _is_running(known) else None

    def signers(self, session: Session, wallet_id: int, node_id: str | None) -> tuple[ProviderSecret, ...]:
        """With what results may be signed for the wallet (by the node alone, if one is named), newest first."""
        name = (wallet_id, node_id)
        known = self._kept.get(session, name, lambda: self._read_signers(session, wallet_id, node_id))
        return tuple(signer for signer in known or () if _is_running(signer))

    def _read_key(self, session: Session, key_id: str) -> tuple[int, KnownKey] | None:
        found = SigningKeys(session, self._box).find_usable(key_id)
        if found is None:
            return None
        key, secret = found
        first = (
            session.get_one(SigningKey, key.answers_for[0], populate_existing=True)
            if key.answers_for
            else key
        )
        has_limit = key.spend_limit is not None or first.spend_limit is not None
        return key.wallet_id, KnownKey(actor_of(key), secret, key.id, has_limit, key.expires_at)

    def _read_signers(
        self, session: Session, wallet_id: int, node_id: str | None
    ) -> tuple[int, tuple[ProviderSecret, ...]]:
        usable = NodeAuthService(session, self._box).usable_secrets(wallet_id, node_id)
        secrets = (ProviderSecret(key.id, key.node_id, secret, key.expires_at) for key, secret in usable)
        return wallet_id, tuple(secrets)


def _is_running(key: KnownKey | ProviderSecret) -> bool:
    return key.expires_at is None or utcnow() < key.expires_at
