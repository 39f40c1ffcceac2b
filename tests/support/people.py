"""Users with wallets, keys and nodes, and escrows between them, made by the services themselves."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from webapp.domain.canonical import sign_result
from webapp.domain.roles import Actor, Role, Scope
from webapp.models import Escrow, User
from webapp.services.container import Services
from webapp.services.escrow_manager import EscrowManager
from webapp.services.node_registry import RegisteredNode
from webapp.services.signing_keys import IssuedKey
from webapp.services.wallet_ownership import actor_of_person, list_wallets

PASSWORD = "correct horse battery"
RESULT_HASH = "ab" * 32
ALL_SCOPES = tuple(scope.value for scope in Scope if scope is not Scope.FUND_AIRDROP)

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Person:
    """A user with the wallet they started with. `actor` is how the services see them when they log in."""

    user: User
    wallet_id: int
    actor: Actor


@dataclass(frozen=True)
class Pair:
    """The two sides of an escrow. `key` is the provider's, for signing results."""

    payer: Person
    provider: Person
    key: IssuedKey


def make_person(session: Session, services: Services, role: str = "payer") -> Person:
    """A new user under an e-mail address that no other test person has."""
    user = services.identity(session).register(f"{role}-{next(_numbers)}@example.com", PASSWORD, Role(role))
    wallet = list_wallets(session, user.id)[0]
    return Person(user, wallet.id, actor_of_person(session, user))


def make_key(
    session: Session, services: Services, person: Person, scopes: tuple[str, ...] = ALL_SCOPES, **options: Any
) -> IssuedKey:
    """A signing key of the person's wallet; `options` as `SigningKeys.create` has them."""
    return services.signing_keys(session).create(person.wallet_id, scopes, **options)


def make_node(session: Session, services: Services, person: Person) -> RegisteredNode:
    """A node of the person's wallet with its key."""
    return services.node_auth(session).register_node(f"node-{next(_numbers)}", person.wallet_id)


def make_pair(session: Session, services: Services) -> Pair:
    """A payer, and a provider with a key."""
    payer, provider = make_person(session, services), make_person(session, services, "provider")
    return Pair(payer, provider, make_key(session, services, provider))


def manager(session: Session, services: Services, person: Person) -> EscrowManager:
    """The escrow manager as this person uses it."""
    return services.escrow_manager(session, person.actor)


def make_escrow(
    session: Session, services: Services, pair: Pair, amount: str = "100", **terms: Any
) -> Escrow:
    """An active escrow between the two, created by the payer."""
    return manager(session, services, pair.payer).create_escrow(
        pair.payer.wallet_id,
        pair.provider.wallet_id,
        amount,
        "image_upscaler_v1",
        f"task-{uuid.uuid4()}",
        **terms,
    )


def signature(pair: Pair, escrow: Escrow, result_hash: str = RESULT_HASH) -> str:
    """The provider's signature over a result of the escrow."""
    return sign_result(pair.key.secret, escrow.id, escrow.amount, result_hash)
