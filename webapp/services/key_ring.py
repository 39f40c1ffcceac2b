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
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.roles import Actor
from webapp.models import SigningKey
from webapp.services.epoch_cache import ASK_EVERY_SECONDS, EPOCH, EpochCache, Found
from webapp.services.node_registry import opened
from webapp.services.secret_box import SecretBox
from webapp.services.signing_keys import actor_of, in_good_standing

_NAMES = (
    "id",
    "wallet_id",
    "node_id",
    "secret_sealed",
    "scopes",
    "spend_limit",
    "answers_for",
    "expires_at",
    "revoked_at",
)
# Columns, put together once: whole rows would cost a process that has just started several times as much.
_KEYS = in_good_standing(select(EPOCH, *(getattr(SigningKey, name) for name in _NAMES)))
_KEY = _KEYS.where(SigningKey.id == bindparam("key_id"))
_SIGNERS = _KEYS.where(
    SigningKey.wallet_id == bindparam("wallet_id"), SigningKey.revoked_at.is_(None)
).order_by(SigningKey.created_at.desc(), SigningKey.id)
_SIGNERS_OF_NODE = _SIGNERS.where(SigningKey.node_id == bindparam("node_id"))
_HAS_LIMIT = select(SigningKey.spend_limit.is_not(None)).where(SigningKey.id == bindparam("key_id"))


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

    def _read_key(self, session: Session, key_id: str) -> Found[KnownKey] | None:
        row = session.connection().execute(_KEY, {"key_id": key_id}).first()
        key = _key_of(row) if row else None
        if row is None or key is None or not key.is_usable(utcnow()):
            return None
        secret, has_limit = self._box.open(key.secret_sealed), key.spend_limit is not None
        if key.answers_for and not has_limit:
            has_limit = session.connection().execute(_HAS_LIMIT, {"key_id": key.answers_for[0]}).scalar_one()
        known = KnownKey(actor_of(key), secret, key.id, has_limit, key.expires_at)
        return Found(known, key.wallet_id, row.epoch)

    def _read_signers(
        self, session: Session, wallet_id: int, node_id: str | None
    ) -> Found[tuple[ProviderSecret, ...]] | None:
        asked = _SIGNERS if node_id is None else _SIGNERS_OF_NODE
        rows = session.connection().execute(asked, {"wallet_id": wallet_id, "node_id": node_id}).all()
        usable = opened(self._box, map(_key_of, rows))
        signers = [ProviderSecret(key.id, key.node_id, secret, key.expires_at) for key, secret in usable]
        return Found(tuple(signers), wallet_id, rows[0].epoch) if rows else None


def _key_of(row: Row[Any]) -> SigningKey:
    """The key of a row, outside every session."""
    return SigningKey(**{name: getattr(row, name) for name in _NAMES})


def _is_running(key: KnownKey | ProviderSecret) -> bool:
    return key.expires_at is None or utcnow() < key.expires_at
