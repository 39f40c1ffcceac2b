"""A change as streams tell it: the name of the thing, and whom it concerns."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from webapp.domain.roles import Actor, Role

# Something may have been missed: look again at everything.
AGAIN = "again"


@dataclass(frozen=True, slots=True)
class Audience:
    """Who listens: a user with the ids of their wallets. Staff may see every escrow."""

    user_id: int
    wallet_ids: frozenset[int]
    is_staff: bool
    is_operator: bool = False

    @classmethod
    def of(cls, user_id: int, actor: Actor) -> Audience:
        """The audience that a person is."""
        return cls.of_user(user_id, actor.role, actor.wallet_ids)

    @classmethod
    def of_user(cls, user_id: int, role: Role | None, wallet_ids: frozenset[int]) -> Audience:
        """The audience that a user with this role and these wallets is."""
        is_operator = role == Role.OPERATOR
        return cls(user_id, wallet_ids, is_operator or role == Role.ARBITER, is_operator)


@dataclass(frozen=True, slots=True)
class Change:
    """Something is not what it was. `topic` is `escrow-<id>`, `payout-<id>`, `wallet-<id>`, `notices-<user id>`,
    `fund`, `operations` or `again`.

    It concerns the owners of `wallet_ids` and the user `user_id`; staff, operators, or whoever is logged in, only if it
    says so.
    """

    topic: str
    wallet_ids: frozenset[int] = frozenset()
    user_id: int | None = None
    is_for_staff: bool = False
    is_for_operators: bool = False
    is_for_everybody: bool = False

    def concerns(self, audience: Audience) -> bool:
        """Whether this audience may hear of it."""
        if self.is_for_everybody or (self.is_for_staff and audience.is_staff):
            return True
        if self.is_for_operators and audience.is_operator:
            return True
        if self.user_id is not None and self.user_id == audience.user_id:
            return True
        return not self.wallet_ids.isdisjoint(audience.wallet_ids)


def of_escrow(escrow_id: UUID, payer_wallet_id: int, provider_wallet_id: int) -> Change:
    """An escrow, for its parties and for staff."""
    return Change(f"escrow-{escrow_id}", frozenset({payer_wallet_id, provider_wallet_id}), is_for_staff=True)


def of_wallet(wallet_id: int) -> Change:
    """A wallet, for its owner."""
    return Change(f"wallet-{wallet_id}", frozenset({wallet_id}))


def of_payout(payout_id: UUID, wallet_id: int) -> Change:
    """A payout out of a wallet, for the wallet's owner."""
    return Change(f"payout-{payout_id}", frozenset({wallet_id}))


def of_notices(user_id: int) -> Change:
    """What somebody is told, for themselves: that there is something new, and not what."""
    return Change(f"notices-{user_id}", user_id=user_id)


OF_FUND = Change("fund", is_for_everybody=True)
OF_OPERATIONS = Change("operations", is_for_operators=True)
OF_EVERYTHING = Change(AGAIN, is_for_everybody=True)
