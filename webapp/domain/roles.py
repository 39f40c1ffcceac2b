"""Who can be known to the system: roles of users, scopes of signing keys, and the acting principal."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from webapp.domain.exceptions import PermissionDeniedError, ScopeError, ValidationError
from webapp.domain.said import said


class Role(StrEnum):
    """What a user is here for. Payers and providers differ in emphasis only; the other two are trusted staff."""

    PAYER = "payer"
    PROVIDER = "provider"
    OPERATOR = "operator"
    ARBITER = "arbiter"


class Scope(StrEnum):
    """What a signing key may be used for."""

    ESCROW_READ = "escrow:read"
    ESCROW_CREATE = "escrow:create"
    ESCROW_DELIVER = "escrow:deliver"
    ESCROW_RELEASE = "escrow:release"
    ESCROW_REFUND = "escrow:refund"
    ESCROW_SETTLE = "escrow:settle"
    ESCROW_DISPUTE = "escrow:dispute"
    WALLET_READ = "wallet:read"
    WALLET_WITHDRAW = "wallet:withdraw"
    FUND_READ = "fund:read"
    FUND_AIRDROP = "fund:airdrop"
    NODE_HEARTBEAT = "node:heartbeat"
    NODE_READ = "node:read"
    NODE_MANAGE = "node:manage"
    SERVICE_READ = "service:read"
    SERVICE_MANAGE = "service:manage"


# A node does not manage itself: whoever finds its secret must not have its airdrops sent elsewhere.
NODE_SCOPES = (
    Scope.ESCROW_READ,
    Scope.ESCROW_DELIVER,
    Scope.ESCROW_REFUND,
    Scope.NODE_HEARTBEAT,
    Scope.NODE_READ,
)


def parse_scopes(values: list[str] | tuple[str, ...]) -> tuple[Scope, ...]:
    """Known scopes, each once, in a fixed order. Raises ValidationError naming `scopes`."""
    known = {scope.value for scope in Scope}
    if unknown := sorted(set(values) - known):
        raise ValidationError.of(
            "scopes",
            said(
                "unknown: {names}; known are {known}",
                names=", ".join(unknown),
                known=", ".join(sorted(known)),
            ),
        )
    if not values:
        raise ValidationError.of("scopes", said("at least one is needed"))
    return tuple(scope for scope in Scope if scope.value in values)


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever causes a change, as the rules and the audit trail see it.

    `name` is stable and says what kind it is: `user:7`, `key:key_ab12`, `worker`, `program`. `wallet_ids` are the
    wallets it acts for; `key_ids` are its signing key and the keys that one replaced. A node's key (`node_id`) provides
    only where no other node is named. `scopes` is None where rights are not limited by scopes (a person, the worker).
    """

    name: str
    wallet_ids: frozenset[int] = frozenset()
    key_id: str | None = None
    key_ids: frozenset[str] = frozenset()
    first_key_id: str | None = None
    node_id: str | None = None
    user_id: int | None = None
    role: Role | None = None
    scopes: frozenset[Scope] | None = None
    is_clock: bool = False
    is_program: bool = False

    @property
    def principal(self) -> str:
        """Whom limits and idempotency keys count for: a key that was rotated stays who it was."""
        return f"key:{self.first_key_id}" if self.first_key_id else self.name

    def require_scope(self, scope: Scope) -> None:
        """Raises ScopeError when this is a key that lacks the scope."""
        if self.scopes is not None and scope not in self.scopes:
            raise ScopeError(said("this key lacks the scope {value}", value=scope.value))

    def is_own(self, wallet_id: int | None, asked_by: str | None = None) -> bool:
        """Whether the wallet is theirs, or it was they who asked: such a thing is for somebody else to decide."""
        return wallet_id in self.wallet_ids or asked_by == self.name

    def require_not_own(self, thing: str, wallet_id: int | None, asked_by: str | None = None) -> None:
        """Raises PermissionDeniedError when the actor would decide in their own favour; `thing` is what about."""
        if self.is_own(wallet_id, asked_by):
            raise PermissionDeniedError(
                said("another operator must decide this: {thing} is your own", thing=thing)
            )


WORKER = Actor(name="worker", is_clock=True)

# Code that runs inside the service itself and was given a database session and the settings. It decides for the
# payer, as the owner of the database could; requests from outside never act under this name.
PROGRAM = Actor(name="program", is_program=True)

# Whoever may start commands on the instance has every right of an operator.
AT_TERMINAL = Actor(name="terminal", role=Role.OPERATOR)
