"""Challenges: something new for a node to sign, which shows that it has its secret.

The answer is the HMAC-SHA256, in hex, keyed with the UTF-8 bytes of any of the node's secrets that work, over the
canonical JSON (RFC 8785) of `{"challenge", "node_id"}`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from webapp.domain.canonical import canonical_json
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import ValidationError
from webapp.models import Node, NodeChallenge
from webapp.models.compare_and_set import changes_one_row
from webapp.services.unit_of_work import unit_of_work

LIFETIME = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What to sign, and until when the answer counts."""

    text: str
    expires_at: datetime


def sign_challenge(secret: str, node_id: str, challenge: str) -> str:
    """The answer to a challenge."""
    payload = canonical_json({"challenge": challenge, "node_id": node_id})
    return hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()


def ask(session: Session, node_id: str) -> Challenge:
    """A new challenge for the node, in place of the one that stood."""
    made = Challenge(secrets.token_hex(32), utcnow() + LIFETIME)
    with unit_of_work(session):
        # Of several who ask at once, each waits for the one before; the last challenge stands.
        session.execute(select(Node.id).where(Node.id == node_id).with_for_update())
        session.execute(delete(NodeChallenge).where(NodeChallenge.node_id == node_id))
        values = {"node_id": node_id, "challenge": made.text, "expires_at": made.expires_at}
        session.execute(insert(NodeChallenge).values(**values))
    return made


def take_answer(
    session: Session, node_id: str, challenge: str, signature: str, node_secrets: Iterable[str]
) -> None:
    """Verify the node if the answer is right, and let the challenge never work again.

    A wrong answer leaves it standing, so that nobody can use up what another was asked. Raises ValidationError naming
    `challenge` or `signature`.
    """
    given = signature.lower().encode(errors="replace")
    expected = (sign_challenge(secret, node_id, challenge).encode() for secret in node_secrets)
    now = utcnow()
    with unit_of_work(session):
        if not any([hmac.compare_digest(each, given) for each in expected]):
            raise ValidationError.of("signature", "is not the node's answer to this challenge")
        standing = delete(NodeChallenge).where(
            NodeChallenge.node_id == node_id,
            NodeChallenge.challenge == challenge,
            NodeChallenge.expires_at > now,
        )
        if not changes_one_row(session, standing):
            raise ValidationError.of("challenge", "is not the one that stands: ask for another")
        mark_verified(session, node_id, now)


def mark_verified(session: Session, node_id: str, at: datetime) -> None:
    """Note when the node first proved that it has its secret, in the caller's unit of work."""
    first = update(Node).where(Node.id == node_id, Node.verified_at.is_(None)).values(verified_at=at)
    session.execute(first.execution_options(synchronize_session=False))
