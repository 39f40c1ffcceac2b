"""Keys that programs sign with: issued, listed, spent from, rotated, revoked."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Update,
    and_,
    func,
    literal,
    or_,
    select,
    type_coerce,
    update,
)
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.exceptions import NotFoundError, SpendLimitError, ValidationError
from webapp.domain.money import Amount
from webapp.domain.notices import Subject
from webapp.domain.roles import Actor, Role, Scope, parse_scopes
from webapp.domain.said import said
from webapp.models import Node, SigningKey, User, Wallet
from webapp.models.compare_and_set import changes_one_row
from webapp.services.notices import security
from webapp.services.secret_box import SecretBox
from webapp.services.unit_of_work import unit_of_work

MAX_KEYS_PER_WALLET = 100
MAX_KEYS_PER_NODE = 4

Question = TypeVar("Question", bound=Select[Any])


def in_good_standing(keys: Question) -> Question:
    """Of these keys those of nobody whose account is closed, and of no suspended node."""
    return (
        keys.join(Wallet, Wallet.id == SigningKey.wallet_id)
        .join(User, User.id == Wallet.user_id)
        .outerjoin(Node, Node.id == SigningKey.node_id)
        .where(User.is_active.is_(True), or_(Node.id.is_(None), Node.status == "active"))
    )


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key with its secret, which is shown this once."""

    key_id: str
    secret: str
    scopes: tuple[Scope, ...]


class SigningKeys:
    """The signing keys of one instance."""

    def __init__(self, session: Session, box: SecretBox) -> None:
        self._session = session
        self._box = box

    def create(
        self,
        wallet_id: int,
        scopes: list[str] | tuple[str, ...],
        *,
        label: str = "",
        spend_limit: Amount | None = None,
        expires_at: datetime | None = None,
        node_id: str | None = None,
    ) -> IssuedKey:
        """A new key of the wallet. Raises NotFoundError for the wallet, ValidationError naming the field.

        `fund:airdrop` gives away the community's money, so only a wallet of an operator can carry it.
        """
        known = parse_scopes(scopes)
        if len(label) > 64 or not label.isprintable():
            raise ValidationError.of("label", said("must have at most 64 printable characters"))
        if expires_at is not None and expires_at <= utcnow():
            raise ValidationError.of("expires_at", said("must be in the future"))
        key_id, secret = f"key_{secrets.token_hex(10)}", secrets.token_urlsafe(32)
        with unit_of_work(self._session):
            self._check_owner(wallet_id, known)
            self._check_room(wallet_id, node_id)
            self._session.add(
                SigningKey(
                    id=key_id,
                    wallet_id=wallet_id,
                    node_id=node_id,
                    label=label,
                    secret_sealed=self._box.seal(secret),
                    scopes=[scope.value for scope in known],
                    spend_limit=spend_limit,
                    expires_at=expires_at,
                )
            )
            self._tell(wallet_id, "security.key_made", label or key_id)
        return IssuedKey(key_id, secret, known)

    def _check_owner(self, wallet_id: int, scopes: tuple[Scope, ...]) -> None:
        wallet = self._session.get(Wallet, wallet_id)
        if wallet is None:
            raise NotFoundError(said("there is no wallet {wallet_id}", wallet_id=wallet_id))
        owner = self._session.get_one(User, wallet.user_id)
        if Scope.FUND_AIRDROP in scopes and not owner.has_role(Role.OPERATOR):
            raise ValidationError.of(
                "scopes",
                said("{fund_airdrop} is for operators' wallets only", fund_airdrop=Scope.FUND_AIRDROP),
            )

    def _check_room(self, wallet_id: int, node_id: str | None) -> None:
        """Each key has rate limits of its own, and each is tried on a delivery. Nodes' keys are counted by node."""
        usable = (SigningKey.revoked_at.is_(None)) & (
            SigningKey.expires_at.is_(None) | (SigningKey.expires_at > utcnow())
        )
        same: ColumnElement[bool] = and_(SigningKey.wallet_id == wallet_id, SigningKey.node_id.is_(None))
        field, most = ("wallet_id", MAX_KEYS_PER_WALLET)
        if node_id is not None:
            same = SigningKey.node_id == node_id
            field, most = ("node_id", MAX_KEYS_PER_NODE)
        counted = select(func.count()).select_from(SigningKey).where(same, usable)
        if self._session.execute(counted).scalar_one() >= most:
            raise ValidationError.of(field, said("has {most} keys that work: revoke some first", most=most))

    def find_usable(self, key_id: str) -> tuple[SigningKey, str] | None:
        """The key and its secret; None if it is unknown, expired, revoked, of a suspended node or a closed account."""
        asked = in_good_standing(select(SigningKey).where(SigningKey.id == key_id))
        key = self._session.scalars(asked.execution_options(populate_existing=True)).one_or_none()
        if key is None or not key.is_usable(utcnow()):
            return None
        return key, self._box.open(key.secret_sealed)

    def list_for_wallet(self, wallet_id: int) -> list[SigningKey]:
        """The wallet's keys, the newest first, with those that no longer work."""
        return list(
            self._session.scalars(
                select(SigningKey)
                .where(SigningKey.wallet_id == wallet_id)
                .order_by(SigningKey.created_at.desc(), SigningKey.id)
            )
        )

    def list_for_node(self, node_id: str, most: int) -> list[SigningKey]:
        """The node's newest keys, with those that no longer work."""
        statement = select(SigningKey).where(SigningKey.node_id == node_id)
        return list(
            self._session.scalars(statement.order_by(SigningKey.created_at.desc(), SigningKey.id).limit(most))
        )

    def revoke(self, key_id: str, wallet_ids: frozenset[int]) -> None:
        """End a key of one of these wallets at once. Raises NotFoundError when there is none that works."""
        with unit_of_work(self._session):
            is_changed = changes_one_row(
                self._session,
                update(SigningKey)
                .where(
                    SigningKey.id == key_id,
                    SigningKey.wallet_id.in_(wallet_ids),
                    SigningKey.revoked_at.is_(None),
                )
                .values(revoked_at=utcnow()),
            )
            if not is_changed:
                raise NotFoundError(said("there is no such key"))
            key = self._session.get_one(SigningKey, key_id)
            self._tell(key.wallet_id, "security.key_revoked", key.label or key_id)

    def _tell(self, wallet_id: int, kind: str, name: str) -> None:
        owner = self._session.get_one(Wallet, wallet_id).user_id
        security.tell(self._session, owner, kind, name, Subject.KEYS)

    def rotate(self, key_id: str, overlap: timedelta) -> IssuedKey:
        """A new key like this one, which itself works for `overlap` more. Both spend from the same limit."""
        now = utcnow()
        with unit_of_work(self._session):
            old = self._session.get(SigningKey, key_id, populate_existing=True)
            if old is None or not old.is_usable(now):
                raise NotFoundError(said("there is no such key"))
            issued = self.create(
                old.wallet_id, old.scopes, label=old.label, expires_at=old.expires_at, node_id=old.node_id
            )
            self._session.get_one(SigningKey, issued.key_id).answers_for = [*old.answers_for, old.id]
            end = now + overlap
            old.expires_at = min(end, old.expires_at) if old.expires_at else end
        return issued

    def spend(self, actor: Actor, amount: Amount) -> None:
        """Count `amount` against the acting key's limit, in the caller's unit of work. Raises SpendLimitError.

        Only keys with a limit have a row to update: the others do not queue behind each other.
        """
        if actor.key_id is None:
            return
        key = self._session.get_one(SigningKey, actor.key_id)
        first = self._session.get_one(SigningKey, key.answers_for[0]) if key.answers_for else key
        if first.spend_limit is None:
            return
        if not changes_one_row(
            self._session, spending(literal(first.id), literal(amount.base_units, BigInteger))
        ):
            raise beyond_limit(first.spend_limit)


def beyond_limit(spend_limit: Amount) -> SpendLimitError:
    """What a key is told that would spend more than it may."""
    return SpendLimitError(
        said(
            "the key may spend {spend_limit} FLOP in all; this would exceed it",
            spend_limit=spend_limit,
        )
    )


def spending(first_key_id: ColumnElement[str], base_units: ColumnElement[int]) -> Update:
    """Count what is spent against the limit of a key that has one; no row changes when it would be exceeded."""
    columns = SigningKey.__table__.c
    spent = type_coerce(columns.spent, BigInteger) + base_units
    is_within = spent <= type_coerce(columns.spend_limit, BigInteger)
    table: Any = SigningKey.__table__
    return update(table).where(columns.id == first_key_id, is_within).values(spent=spent)


def actor_of(key: SigningKey) -> Actor:
    """The principal that signs with this key."""
    return Actor(
        name=f"key:{key.id}",
        first_key_id=(key.answers_for or [key.id])[0],
        wallet_ids=frozenset({key.wallet_id}),
        key_id=key.id,
        key_ids=frozenset({key.id, *key.answers_for}),
        node_id=key.node_id,
        scopes=frozenset(Scope(scope) for scope in key.scopes),
    )
