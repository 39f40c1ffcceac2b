"""Nodes and their secrets: who may sign results for a provider's wallet, and who has shown that they can."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import structlog
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from webapp.domain.canonical import is_result_signature, sign_result
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import ConfigurationError, ConflictError, NotFoundError
from webapp.domain.money import Amount
from webapp.domain.said import said
from webapp.models import Node, SigningKey
from webapp.services.nodes import challenges
from webapp.services.nodes.enrolment import RegisteredNode, enrol, is_node_id, issue_key
from webapp.services.secret_box import SecretBox
from webapp.services.signing_keys import IssuedKey, SigningKeys, in_good_standing
from webapp.services.unit_of_work import unit_of_work

__all__ = ["NodeAuthService", "RegisteredNode", "Signer"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose key signed a result; `node_id` is None for a key of the wallet that is no node's."""

    key_id: str
    node_id: str | None


class NodeAuthService:
    """Issues the secrets of nodes and providers, and checks what was signed with them."""

    def __init__(self, session: Session, box: SecretBox) -> None:
        self._session = session
        self._box = box
        self._keys = SigningKeys(session, box)

    def register_node(self, node_id: str, wallet_id: int) -> RegisteredNode:
        """A new node of the wallet. Raises ValidationError naming `node_id`, NotFoundError for the wallet."""
        return enrol(self._session, self._keys, node_id, wallet_id, {})

    def rotate_secret(self, key_id: str, overlap: timedelta) -> IssuedKey:
        """A new secret for the same node or program; the old one works for `overlap` more."""
        return self._keys.rotate(key_id, overlap)

    def rotate_node(self, node_id: str, overlap: timedelta) -> IssuedKey:
        """A new secret of the node; all that it had work for `overlap` more at most. Raises NotFoundError.

        It is a new secret even when none works any more: this is how an owner gets back a node that lost its own.
        """
        with unit_of_work(self._session):
            node = self._node(node_id)
            now = utcnow()
            old = [
                key for key in self._session.scalars(_keys_of(node.wallet_id, node_id)) if key.is_usable(now)
            ]
            issued = issue_key(self._keys, node_id, node.wallet_id)
            if old:
                new = self._session.get_one(SigningKey, issued.key_id)
                new.answers_for = [*old[0].answers_for, old[0].id]
            for key in old:
                key.expires_at = min(now + overlap, key.expires_at or now + overlap)
        return issued

    def challenge(self, node_id: str) -> str:
        """Something for the node to sign; see `nodes.challenges`. Raises NotFoundError, ConflictError if suspended."""
        return self.ask(node_id).text

    def ask(self, node_id: str) -> challenges.Challenge:
        """`challenge`, with the time until which it can be answered."""
        if self._node(node_id).status != "active":
            raise ConflictError(said("the node is suspended"))
        return challenges.ask(self._session, node_id)

    def answer_challenge(self, node_id: str, challenge: str, signature: str) -> None:
        """Verify the node by its signature over the challenge that stands. Raises ValidationError, NotFoundError."""
        node = self._node(node_id)
        usable = (secret for _, secret in self.usable_secrets(node.wallet_id, node_id))
        challenges.take_answer(self._session, node_id, challenge, signature, list(usable))

    def sign_result(
        self, wallet_id: int, node_id: str | None, escrow_id: uuid.UUID, amount: Amount, result_hash: str
    ) -> str:
        """Sign in the provider's name, for an owner who delivers from the browser. NotFoundError without a key."""
        for _, secret in self.usable_secrets(wallet_id, node_id):
            return sign_result(secret, escrow_id, amount, result_hash)
        raise NotFoundError(said("the provider has no active signing key"))

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
        return self.find_signer(signature, wallet_id, node_id, escrow_id, amount, result_hash) is not None

    def find_signer(
        self,
        signature: str,
        wallet_id: int,
        node_id: str | None,
        escrow_id: uuid.UUID,
        amount: Amount,
        result_hash: str,
    ) -> Signer | None:
        """Whose key signed this result of this escrow: the node's or, without one, any active key of the wallet."""
        for key, secret in self.usable_secrets(wallet_id, node_id):
            if is_result_signature(signature, secret, escrow_id, amount, result_hash):
                return Signer(key.id, key.node_id)
        return None

    def _node(self, node_id: str) -> Node:
        node = self._session.get(Node, node_id, populate_existing=True) if is_node_id(node_id) else None
        if node is None:
            raise NotFoundError(said("there is no such node"))
        return node

    def usable_secrets(self, wallet_id: int, node_id: str | None) -> Iterator[tuple[SigningKey, str]]:
        """The keys that may sign for the wallet (only the node's, if one is named) and their secrets, newest first.

        Neither a suspended node nor an owner who may not log in signs anything.
        """
        keys = self._session.scalars(in_good_standing(_keys_of(wallet_id, node_id))).all()
        return opened(self._box, keys)


def opened(box: SecretBox, keys: Iterable[SigningKey]) -> Iterator[tuple[SigningKey, str]]:
    """Those of the keys that work, with their secrets.

    One secret that no configured key opens must not keep the provider's others from being used.
    """
    now = utcnow()
    for key in keys:
        if key.is_usable(now):
            try:
                yield key, box.open(key.secret_sealed)
            except ConfigurationError as error:
                log.error("signing_key_cannot_be_opened", key=key.id, reason=error.detail)


def _keys_of(wallet_id: int, node_id: str | None) -> Select[SigningKey]:
    """The wallet's keys (only the node's, if one is named), newest first.

    A key that was revoked meanwhile must not work from the session's memory.
    """
    statement = select(SigningKey).where(SigningKey.wallet_id == wallet_id, SigningKey.revoked_at.is_(None))
    if node_id is not None:
        statement = statement.where(SigningKey.node_id == node_id)
    return statement.order_by(SigningKey.created_at.desc(), SigningKey.id).execution_options(
        populate_existing=True
    )
