"""Nodes and their secrets: who may sign results for a provider's wallet."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from webapp.domain.canonical import is_result_signature, sign_result
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import ConfigurationError, NotFoundError, ValidationError
from webapp.domain.money import Amount
from webapp.domain.roles import NODE_SCOPES
from webapp.models import Node, SigningKey, User, Wallet
from webapp.models.insert_once import insert_once
from webapp.services.secret_box import SecretBox
from webapp.services.signing_keys import IssuedKey, SigningKeys
from webapp.services.unit_of_work import unit_of_work

log = structlog.get_logger(__name__)

_NODE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class RegisteredNode:
    """A node with its first key."""

    node: Node
    key: IssuedKey


class NodeAuthService:
    """Issues the secrets of nodes and providers, and checks what was signed with them."""

    def __init__(self, session: Session, box: SecretBox) -> None:
        self._session = session
        self._box = box
        self._keys = SigningKeys(session, box)

    def register_node(self, node_id: str, wallet_id: int) -> RegisteredNode:
        """A new node of the wallet. Raises ValidationError naming `node_id`, NotFoundError for the wallet."""
        if not _NODE_ID.fullmatch(node_id):
            raise ValidationError.of("node_id", "must be 1 to 64 letters, digits, dots, dashes or colons")
        with unit_of_work(self._session):
            scopes = [scope.value for scope in NODE_SCOPES]
            if insert_once(self._session, Node, {"id": node_id, "wallet_id": wallet_id}) is None:
                raise ValidationError.of("node_id", "a node with this id is registered")
            key = self._keys.create(wallet_id, scopes, label=f"node {node_id}"[:64], node_id=node_id)
        return RegisteredNode(self._session.get_one(Node, node_id), key)

    def rotate_secret(self, key_id: str, overlap: timedelta) -> IssuedKey:
        """A new secret for the same node or program; the old one works for `overlap` more."""
        return self._keys.rotate(key_id, overlap)

    def sign_result(
        self, wallet_id: int, node_id: str | None, escrow_id: uuid.UUID, amount: Amount, result_hash: str
    ) -> str:
        """Sign in the provider's name, for an owner who delivers from the browser. NotFoundError without a key."""
        secrets = self._secrets(wallet_id, node_id)
        if not secrets:
            raise NotFoundError("the provider has no active signing key")
        return sign_result(secrets[0], escrow_id, amount, result_hash)

    def is_signed_by_provider(
        self,
        signature: str,
        wallet_id: int,
        node_id: str | None,
        escrow_id: uuid.UUID,
        amount: Amount,
        result_hash: str,
    ) -> bool:
        """Whether the node (or, without one, any active key of the wallet) signed this result of this escrow."""
        return any(
            is_result_signature(signature, secret, escrow_id, amount, result_hash)
            for secret in self._secrets(wallet_id, node_id)
        )

    def _secrets(self, wallet_id: int, node_id: str | None) -> list[str]:
        """The secrets that may sign for the wallet (only the node's, if one is named), the newest first.

        Neither a suspended node nor an owner who may not log in signs anything.
        """
        statement = (
            select(SigningKey)
            .join(Wallet, Wallet.id == SigningKey.wallet_id)
            .join(User, User.id == Wallet.user_id)
            .outerjoin(Node, Node.id == SigningKey.node_id)
            .where(
                SigningKey.wallet_id == wallet_id,
                SigningKey.revoked_at.is_(None),
                User.is_active.is_(True),
                or_(Node.id.is_(None), Node.status == "active"),
            )
        )
        if node_id is not None:
            statement = statement.where(SigningKey.node_id == node_id)
        now = utcnow()
        statement = statement.order_by(SigningKey.created_at.desc(), SigningKey.id)
        # A key that was revoked meanwhile must not work from this session's memory.
        rows = self._session.scalars(statement.execution_options(populate_existing=True))
        opened = [self._open(key) for key in rows if key.is_usable(now)]
        return [secret for secret in opened if secret is not None]

    def _open(self, key: SigningKey) -> str | None:
        """One secret that no configured key opens must not keep the provider's others from being used."""
        try:
            return self._box.open(key.secret_sealed)
        except ConfigurationError as error:
            log.error("signing_key_cannot_be_opened", key=key.id, reason=error.detail)
            return None
