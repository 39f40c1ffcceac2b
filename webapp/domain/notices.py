"""What people are told: for whom it is, by which ways it comes, and what its reader may choose.

A kind of notice (`notice_kinds`) belongs to a choice: the line on the account page by which its reader switches it on
or off for each channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from webapp.domain.roles import Role
from webapp.domain.said import Said, said


class Audience(StrEnum):
    """In what capacity somebody is told."""

    PAYER = "payer"
    PROVIDER = "provider"
    ARBITER = "arbiter"
    OPERATOR = "operator"
    EVERYBODY = "everybody"


class Subject(StrEnum):
    """What kind of thing a notice is about. Its id is text: a UUID, a number, or nothing where there is one of them."""

    ESCROW = "escrow"
    ESCROWS = "escrows"
    PAYOUT = "payout"
    WALLET = "wallet"
    AIRDROP = "airdrop"
    OPERATIONS = "operations"
    SESSIONS = "sessions"
    KEYS = "keys"
    ACCOUNT = "account"
    NOTICES = "notices"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a reader decides on at once. `is_fixed`: it is always in the inbox. `may_be_urgent`: a mail about it may be
    wanted at once, and not with the next digest. The other two are the channels of somebody who has not chosen.
    """

    name: str
    audience: Audience
    label: Said
    is_in_inbox: bool = True
    is_by_mail: bool = True
    is_fixed: bool = False
    may_be_urgent: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of notice. `fragment` leads to the action on the thing's page."""

    name: str
    choice: str
    title: Said
    sentence: Said
    fragment: str = ""


ACTION = "escrow-actions-title"

CHOICES = (
    Choice("pays.delivered", Audience.PAYER, said("A result to check and release"), may_be_urgent=True),
    Choice("pays.funded", Audience.PAYER, said("Your payment for an escrow has arrived")),
    Choice("pays.disputed", Audience.PAYER, said("A dispute over what you pay for"), may_be_urgent=True),
    Choice("pays.offer", Audience.PAYER, said("The provider offers to divide an escrow")),
    Choice("pays.ended", Audience.PAYER, said("An escrow has ended")),
    Choice(
        "pays.deadline",
        Audience.PAYER,
        said("Your time to pay, to check or to appeal is almost over"),
        may_be_urgent=True,
    ),
    Choice("provides.new", Audience.PROVIDER, said("A new escrow for you")),
    Choice("provides.funded", Audience.PROVIDER, said("An escrow for you has been paid for")),
    Choice(
        "provides.disputed", Audience.PROVIDER, said("A dispute over what you provide"), may_be_urgent=True
    ),
    Choice("provides.offer", Audience.PROVIDER, said("The payer offers to divide an escrow")),
    Choice("provides.ended", Audience.PROVIDER, said("An escrow for you has ended")),
    Choice(
        "provides.deadline",
        Audience.PROVIDER,
        said("Your time to deliver or to appeal is almost over"),
        may_be_urgent=True,
    ),
    Choice(
        "arbiter.dispute", Audience.ARBITER, said("A dispute that you are assigned to"), may_be_urgent=True
    ),
    Choice(
        "arbiter.deadline", Audience.ARBITER, said("Your time to decide is almost over"), may_be_urgent=True
    ),
    Choice("operator.alert", Audience.OPERATOR, said("An alert was raised"), may_be_urgent=True),
    Choice("money.deposit", Audience.EVERYBODY, said("A deposit was credited")),
    Choice("money.payout", Audience.EVERYBODY, said("A payout has arrived, failed or is held back")),
    Choice("money.airdrop", Audience.EVERYBODY, said("A share of the community fund")),
    Choice(
        "security",
        Audience.EVERYBODY,
        said("Log-ins, passwords, keys and frozen wallets"),
        is_fixed=True,
        may_be_urgent=True,
    ),
)

# With more of one kind than this at once for one reader, they are told together.
TOLD_ONE_BY_ONE = 20
TOLD_TOGETHER = said("{count} times within a short while. The list shows them all.")

# How long before a deadline its reader is reminded.
REMINDERS = (timedelta(hours=24), timedelta(hours=4), timedelta(hours=1))

_CHOICES = {choice.name: choice for choice in CHOICES}


def choice_named(name: str) -> Choice:
    """The choice with this name. Raises KeyError."""
    return _CHOICES[name]


def choices_for(role: Role) -> tuple[Choice, ...]:
    """What somebody with this role may choose: staff have wallets, too."""
    hidden = {audience for audience in (Audience.ARBITER, Audience.OPERATOR) if audience.value != role.value}
    return tuple(choice for choice in CHOICES if choice.audience not in hidden)
