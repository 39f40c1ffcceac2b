"""Those who use the service under test: users with a wallet, money and a signing key each."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.money import Amount
from webapp.domain.roles import Role, Scope
from webapp.ledger.journal import Move, post
from webapp.models import User, Wallet
from webapp.services.container import Services
from webapp.services.signing_keys import IssuedKey
from webapp.services.unit_of_work import unit_of_work

EACH = Amount.parse(100_000)
OPERATOR = "bench-operator@example.com"
PASSWORD = "bench-bench-bench"  # noqa: S105  (of accounts that exist for minutes)
_SCOPES = (
    Scope.ESCROW_CREATE,
    Scope.ESCROW_RELEASE,
    Scope.ESCROW_REFUND,
    Scope.ESCROW_READ,
    Scope.WALLET_READ,
    Scope.FUND_READ,
)


@dataclass(frozen=True, slots=True)
class Person:
    """A user's log-in, wallet and key."""

    email: str
    wallet_id: int
    key: IssuedKey


@dataclass(frozen=True, slots=True)
class Pair:
    """A payer, and the provider that works for it."""

    payer: Person
    provider: Person


def settle(session: Session, settings: Settings, count: int) -> list[Person]:
    """Make `count` people with `EACH` FLOP of deposits, and the operator, who has no wallet."""
    services = Services.of(settings)
    first = services.identity(session).register("bench-0000@example.com", PASSWORD, "payer")
    alike = {"password_hash": first.password_hash, "role": first.role}
    with unit_of_work(session):
        session.execute(insert(User), [{"email": _email(n), **alike} for n in range(1, count)])
        others = session.scalars(select(User.id).where(User.id != first.id).order_by(User.email))
        session.execute(insert(Wallet), [{"user_id": user_id} for user_id in others])
        wallets = session.execute(select(Wallet.id, User.email).join(User).order_by(User.email)).all()
        session.execute(insert(User), [{"email": OPERATOR, **alike, "role": Role.OPERATOR.value}])
        keys = services.signing_keys(session)
        people = [Person(email, wallet, keys.create(wallet, _SCOPES)) for wallet, email in wallets]
        for person in people:
            move = Move(accounts.CHAIN, accounts.available(person.wallet_id), EACH)
            post(session, f"bench:{person.wallet_id}", "deposit_credit", [move])
    session.expunge_all()
    return people


def pairs(people: list[Person]) -> list[Pair]:
    """Everybody pays their neighbour."""
    return [Pair(payer, provider) for payer, provider in zip(people, people[1:] + people[:1], strict=True)]


def _email(number: int) -> str:
    return f"bench-{number:04}@example.com"
