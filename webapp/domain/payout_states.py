"""The states of a payout: what each means, who acts next, by when, and what an operator or the owner may do.

    awaiting_approval -> queued -> claimed -> signed -> broadcast -> confirmed
                           |  ^                   |        |
                          held                    +-> unknown

From every state before `claimed` the money can go back at once (`failed`). A claim is a lease that ends by itself.
From `signed` and `unknown` it goes back when the transaction can provably never confirm; what the network has is
hurried on, never taken back. When another transaction has taken its coins for good and pays some of its payees, an
operator says of each payout what that was: it is `confirmed` then, queued again, or goes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from webapp.domain.said import said


class PayoutStatus(StrEnum):
    """Where a payout stands."""

    AWAITING_APPROVAL = "awaiting_approval"
    HELD = "held"
    QUEUED = "queued"
    CLAIMED = "claimed"
    SIGNED = "signed"
    BROADCAST = "broadcast"
    UNKNOWN = "unknown"
    CONFIRMED = "confirmed"
    FAILED = "failed"


# The states inside a sentence.
WORDS: dict[PayoutStatus, str] = {
    PayoutStatus.AWAITING_APPROVAL: said("awaiting approval"),
    PayoutStatus.HELD: said("held"),
    PayoutStatus.QUEUED: said("queued"),
    PayoutStatus.CLAIMED: said("claimed"),
    PayoutStatus.SIGNED: said("signed"),
    PayoutStatus.BROADCAST: said("broadcast"),
    PayoutStatus.UNKNOWN: said("unknown"),
    PayoutStatus.CONFIRMED: said("confirmed"),
    PayoutStatus.FAILED: said("failed"),
}


class Turn(StrEnum):
    """Who moves a payout out of its state."""

    OPERATOR = "operator"
    WORKER = "worker"
    NETWORK = "network"
    NOBODY = "nobody"


class PayoutAction(StrEnum):
    """What an operator may do to one payout."""

    APPROVE = "approve"
    HOLD = "hold"
    RESUME = "resume"
    RETURN = "return"
    REBROADCAST = "rebroadcast"
    RAISE_FEE = "raise_fee"
    ACCEPT = "accept"
    QUEUE_AGAIN = "queue_again"
    RETURN_UNPAID = "return_unpaid"


class OwnerAction(StrEnum):
    """What the payee may do to one payout."""

    REDIRECT = "redirect"
    TAKE_BACK = "take_back"


@dataclass(frozen=True, slots=True)
class State:
    """What is true of every payout in one state.

    `deadline` is how long it lasts at most when all goes well; None for a state that nothing leaves. `instead` follows
    the state's name in a refusal and says what is possible, or why nothing is.
    """

    meaning: str
    turn: Turn
    deadline: timedelta | None
    instead: str
    may_do: frozenset[PayoutAction] = frozenset()
    owner_may_do: frozenset[OwnerAction] = frozenset()


_BOTH = frozenset(OwnerAction)

# What is decided about a payout whose coins another transaction has taken, on the evidence of what that one paid.
ON_EVIDENCE = (PayoutAction.ACCEPT, PayoutAction.QUEUE_AGAIN, PayoutAction.RETURN_UNPAID)

STATES: dict[PayoutStatus, State] = {
    PayoutStatus.AWAITING_APPROVAL: State(
        said("An operator must approve it before it is sent."),
        Turn.OPERATOR,
        timedelta(hours=24),
        said("it can be approved or returned"),
        frozenset({PayoutAction.APPROVE, PayoutAction.RETURN}),
        _BOTH,
    ),
    PayoutStatus.HELD: State(
        said("An operator holds it back. It is not sent until one lets it go."),
        Turn.OPERATOR,
        timedelta(hours=72),
        said("it can be let go or returned"),
        frozenset({PayoutAction.RESUME, PayoutAction.RETURN}),
        # Taking it back and asking anew would be a way around the hold.
        frozenset({OwnerAction.REDIRECT}),
    ),
    PayoutStatus.QUEUED: State(
        said("It waits for the next transaction."),
        Turn.WORKER,
        timedelta(minutes=20),
        said("it is in no transaction yet, and can be held or returned"),
        frozenset({PayoutAction.HOLD, PayoutAction.RETURN}),
        _BOTH,
    ),
    PayoutStatus.CLAIMED: State(
        said("It is being built into a transaction."),
        Turn.WORKER,
        timedelta(minutes=5),
        said(
            "a worker is building its transaction, and has a lease that ends by itself; look "
            "again in a minute"
        ),
    ),
    PayoutStatus.SIGNED: State(
        said("Its transaction is signed and about to be sent."),
        Turn.WORKER,
        timedelta(minutes=15),
        said("its transaction can be sent again, or the payout returned"),
        frozenset({PayoutAction.REBROADCAST, PayoutAction.RETURN}),
    ),
    PayoutStatus.BROADCAST: State(
        said("The network has its transaction."),
        Turn.NETWORK,
        timedelta(hours=1),
        said("the network has its transaction; if that takes too long, raise its fee"),
        frozenset({PayoutAction.REBROADCAST, PayoutAction.RAISE_FEE}),
    ),
    PayoutStatus.UNKNOWN: State(
        said("It is not known whether the network has its transaction."),
        Turn.WORKER,
        timedelta(minutes=30),
        said("its transaction can be sent again, or the payout returned"),
        frozenset({PayoutAction.REBROADCAST, PayoutAction.RETURN, *ON_EVIDENCE}),
    ),
    PayoutStatus.CONFIRMED: State(
        said("It has arrived and is final."),
        Turn.NOBODY,
        None,
        said("it has arrived and is final"),
    ),
    PayoutStatus.FAILED: State(
        said("It was not sent, and its money is back in the balance."),
        Turn.NOBODY,
        None,
        said("its money is back in the balance"),
    ),
}

FINAL = tuple(status for status, state in STATES.items() if state.deadline is None)
PASSING = tuple(status for status, state in STATES.items() if state.deadline is not None)
# Nobody has taken it up: its money can go back at once.
UNCLAIMED = (PayoutStatus.AWAITING_APPROVAL, PayoutStatus.HELD, PayoutStatus.QUEUED)
# A signed transaction is stored for it.
IN_TRANSACTION = (PayoutStatus.SIGNED, PayoutStatus.BROADCAST, PayoutStatus.UNKNOWN)

# What lets a payout go or gives its money back: not for an operator who owns its wallet or has asked for it.
FOR_OTHERS = (PayoutAction.APPROVE, PayoutAction.RESUME, PayoutAction.RETURN, *ON_EVIDENCE)


def state_of(status: str) -> State:
    """What is true of a payout in this state."""
    return STATES[PayoutStatus(status)]


def owner_may(action: OwnerAction) -> tuple[PayoutStatus, ...]:
    """The states in which the payee may do this."""
    return tuple(status for status, state in STATES.items() if action in state.owner_may_do)


def refusal(status: str, action: PayoutAction) -> str | None:
    """Why an operator may not do this in this state, as a sentence; None when the state allows it.

    What the chain and the settings have to say is asked when it is done.
    """
    state = state_of(status)
    if action in state.may_do:
        return None
    return said(
        "The payout is {status}: {instead}.", status=WORDS[PayoutStatus(status)], instead=state.instead
    )
