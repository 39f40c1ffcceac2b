"""The states of an escrow, the moves between them, and who may make which.

    pending -> active -> delivered -> released
       |          |          |
       +----------+----------+-> refunded
                  +----------+-> resolved
                  +----------+-> disputed -> released | refunded | resolved

A pending one waits for a payment to its own address and may hold a part of it. A resolved one was divided. Terminal
states hold no money; every state that holds money has a way out by time alone. A disputed one ends as its dispute does
(`domain.disputes`), by an agreement, or when one side gives in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from webapp.domain.said import said


class Status(StrEnum):
    """Where an escrow stands."""

    PENDING = "pending"
    ACTIVE = "active"
    DELIVERED = "delivered"
    DISPUTED = "disputed"
    RELEASED = "released"
    REFUNDED = "refunded"
    RESOLVED = "resolved"


# The states inside a sentence.
WORDS: dict[Status, str] = {
    Status.PENDING: said("pending"),
    Status.ACTIVE: said("active"),
    Status.DELIVERED: said("delivered"),
    Status.DISPUTED: said("disputed"),
    Status.RELEASED: said("released"),
    Status.REFUNDED: said("refunded"),
    Status.RESOLVED: said("resolved"),
}


class Action(StrEnum):
    """What can be done to an escrow."""

    FUND = "fund"
    DELIVER = "deliver"
    RELEASE = "release"
    REFUND = "refund"
    DISPUTE = "dispute"
    RESOLVE = "resolve"


class Party(StrEnum):
    """In what capacity someone acts on an escrow.

    Nobody is an agreement, a ruling or an escrow's own terms: these act when they stand, or have decided.
    """

    PAYER = "payer"
    PROVIDER = "provider"
    VERIFIER = "verifier"
    CLOCK = "clock"
    AGREEMENT = "agreement"
    RULING = "ruling"
    TERMS = "terms"


HOLDING = frozenset({Status.ACTIVE, Status.DELIVERED, Status.DISPUTED})
TERMINAL = frozenset({Status.RELEASED, Status.REFUNDED, Status.RESOLVED})

# (from, action) -> to. What is not here cannot happen.
MOVES: dict[tuple[Status, Action], Status] = {
    (Status.PENDING, Action.FUND): Status.ACTIVE,
    (Status.PENDING, Action.REFUND): Status.REFUNDED,
    (Status.ACTIVE, Action.DELIVER): Status.DELIVERED,
    (Status.ACTIVE, Action.RELEASE): Status.RELEASED,
    (Status.ACTIVE, Action.REFUND): Status.REFUNDED,
    (Status.ACTIVE, Action.DISPUTE): Status.DISPUTED,
    (Status.ACTIVE, Action.RESOLVE): Status.RESOLVED,
    (Status.DELIVERED, Action.RELEASE): Status.RELEASED,
    (Status.DELIVERED, Action.REFUND): Status.REFUNDED,
    (Status.DELIVERED, Action.DISPUTE): Status.DISPUTED,
    (Status.DELIVERED, Action.RESOLVE): Status.RESOLVED,
    (Status.DISPUTED, Action.RELEASE): Status.RELEASED,
    (Status.DISPUTED, Action.REFUND): Status.REFUNDED,
    (Status.DISPUTED, Action.RESOLVE): Status.RESOLVED,
}


@dataclass(frozen=True, slots=True)
class Terms:
    """What the rules look at: the state and its clocks. `fund_by` is None where nothing is to be paid in.

    One with `has_own_terms` is released and refunded by what these decide (`domain.terms`).
    """

    status: Status
    expires_at: datetime
    accept_by: datetime | None
    fund_by: datetime | None = None
    has_own_terms: bool = False

    @property
    def decide_themselves(self) -> bool:
        """Whether its own terms say when it ends. While it is disputed they stand still."""
        return self.has_own_terms and self.status in (Status.ACTIVE, Status.DELIVERED)

    def funding_is_over(self, now: datetime) -> bool:
        """Whether it waits for a payment whose time is over."""
        return self.status is Status.PENDING and self.fund_by is not None and now >= self.fund_by

    def has_expired(self, now: datetime) -> bool:
        """Whether the time to deliver is over."""
        return now >= self.expires_at

    def window_is_over(self, now: datetime) -> bool:
        """Whether the payer's time to object to a delivery is over."""
        return self.accept_by is not None and now >= self.accept_by


def refusal(terms: Terms, action: Action, parties: frozenset[Party], now: datetime) -> str | None:
    """Why someone with these capacities may not do this now; None when they may.

    The state is judged elsewhere (`MOVES`); this is about rights. A provider never releases, whatever else it
    is: the capacity that accepts has to be another one.
    """
    if _stands_above(terms, action, parties):
        return None
    if action is Action.DELIVER:
        if Party.PROVIDER not in parties:
            return said("only the provider may deliver")
        if terms.has_expired(now):
            return said("the deadline for delivery has passed")
        return None
    if action is Action.RELEASE:
        return _release_refusal(terms, parties, now)
    if action is Action.REFUND:
        return _refund_refusal(terms, parties, now)
    if action is Action.DISPUTE:
        return _dispute_refusal(terms, parties, now)
    if action is Action.FUND:
        return said("only coins that arrive at its address fund an escrow")
    return said("an escrow is divided by what both sides agree on, or by a ruling")


def _stands_above(terms: Terms, action: Action, parties: frozenset[Party]) -> bool:
    """Whether an agreement of both sides, a ruling on a dispute, or what its own terms have decided ends it: no clock
    and no other right matters.
    """
    if action not in (Action.RELEASE, Action.REFUND, Action.RESOLVE) or terms.status not in HOLDING:
        return False
    if Party.TERMS in parties and terms.decide_themselves and action is not Action.RESOLVE:
        return True
    return Party.AGREEMENT in parties or (Party.RULING in parties and terms.status is Status.DISPUTED)


def _dispute_refusal(terms: Terms, parties: frozenset[Party], now: datetime) -> str | None:
    if not parties & {Party.PAYER, Party.PROVIDER}:
        return said("only the payer or the provider may object")
    if terms.window_is_over(now):
        return said("the time to object is over")
    return None


def _release_refusal(terms: Terms, parties: frozenset[Party], now: datetime) -> str | None:
    if terms.status is Status.DISPUTED:
        return (
            None
            if Party.PAYER in parties
            else said("it is disputed: only the payer may give in and release it")
        )
    if parties & {Party.PAYER, Party.VERIFIER}:
        return None  # Under terms of its own this is an approval, and they say what else is needed.
    if Party.CLOCK in parties and terms.status is Status.DELIVERED and terms.window_is_over(now):
        return None
    if Party.PROVIDER in parties:
        return said("a provider cannot release to itself")
    if terms.decide_themselves:
        return said("the terms of the escrow say when it is released")
    return said("only the payer or the verifier may release before the acceptance window ends")


def _refund_refusal(terms: Terms, parties: frozenset[Party], now: datetime) -> str | None:
    if terms.status is Status.PENDING:
        return _cancel_refusal(terms, parties, now)
    if terms.status is Status.DISPUTED:
        if Party.PROVIDER in parties:
            return None
        return said("it is disputed: only the provider may give in and refund it")
    if terms.decide_themselves:
        return (
            None
            if Party.PROVIDER in parties
            else said("the terms of the escrow say when the payer is refunded")
        )
    if parties & {Party.PROVIDER, Party.VERIFIER}:
        return None
    if not parties & {Party.PAYER, Party.CLOCK}:
        return said("only a party of the escrow may refund it")
    if terms.status is Status.DELIVERED:
        return said("a delivery was made in time: the provider or the verifier may refund it")
    if not terms.has_expired(now):
        return said("the payer is refunded when the deadline has passed without a delivery")
    return None


def _cancel_refusal(terms: Terms, parties: frozenset[Party], now: datetime) -> str | None:
    """Nobody has worked for a pending escrow yet: either side may end it, and time does."""
    if parties & {Party.PAYER, Party.PROVIDER}:
        return None
    if Party.CLOCK in parties and terms.funding_is_over(now):
        return None
    return said("only the payer or the provider may cancel an escrow that is not paid for")


def allowed_actions(terms: Terms, parties: frozenset[Party], now: datetime) -> frozenset[Action]:
    """What someone with these capacities may do to the escrow now: both the state and the rights permit it."""
    return frozenset(
        action
        for (status, action) in MOVES
        if status is terms.status and refusal(terms, action, parties, now) is None
    )
