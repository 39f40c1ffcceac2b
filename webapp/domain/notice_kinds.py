"""The kinds of notices and their words: all of them in one table, with those of `account_notices`.

Whoever has something new to tell adds a `Kind` here (and a choice to `notices`, if no present one fits), and hands
drafts of it to `services.notices.book`. The sentences name what a notice's `detail` holds: `service`, `amount`,
`deadline`, `name`; nothing secret and no whole address may be in it.
"""

from __future__ import annotations

from webapp.domain.account_notices import ACCOUNT_KINDS
from webapp.domain.notices import Choice, Kind, choice_named
from webapp.domain.said import Said, said

# Where the buttons of an escrow are on its page.
ACTION = "escrow-actions-title"

# Where its dispute, and the offers that stand, are.
DISPUTE, OFFERS = "escrow-dispute", "escrow-offers"


def _both(name: str, choice: str, title: Said, sentence: Said, fragment: str = "") -> tuple[Kind, Kind]:
    """A kind that says the same to either side of an escrow."""
    return (
        Kind(f"pays.{name}", f"pays.{choice}", title, sentence, fragment),
        Kind(f"provides.{name}", f"provides.{choice}", title, sentence, fragment),
    )


KINDS = (
    Kind(
        "pays.delivered",
        "pays.delivered",
        said("Result delivered"),
        said("{service}: check the result, then release {amount} or say what is wrong, by {deadline}."),
        ACTION,
    ),
    Kind(
        "pays.funded",
        "pays.funded",
        said("Escrow paid for"),
        said("{service}: {amount} have arrived and are locked until the work is done."),
    ),
    Kind(
        "pays.released",
        "pays.ended",
        said("Escrow released"),
        said("{service}: {amount} were released."),
    ),
    Kind(
        "pays.refunded",
        "pays.ended",
        said("Escrow refunded"),
        said("{service}: {amount} are back in your balance."),
    ),
    Kind(
        "pays.cancelled",
        "pays.ended",
        said("Escrow ended"),
        said("{service}: nothing had been paid in, and nothing happens any more."),
    ),
    Kind(
        "pays.fund_soon",
        "pays.deadline",
        said("Pay soon"),
        said("{service}: {amount} have to arrive by {deadline}, or the escrow ends."),
        ACTION,
    ),
    Kind(
        "pays.accept_soon",
        "pays.deadline",
        said("Check the result soon"),
        said("{service}: {amount} are released by themselves at {deadline} unless you object before."),
        ACTION,
    ),
    Kind(
        "provides.new",
        "provides.new",
        said("New escrow for you"),
        said("{service}: {amount}, to be delivered by {deadline}."),
        ACTION,
    ),
    Kind(
        "provides.new_unpaid",
        "provides.new",
        said("New escrow for you"),
        said("{service}: {amount}. Do not begin yet: it waits for the payer’s coins."),
    ),
    Kind(
        "provides.funded",
        "provides.funded",
        said("Escrow paid for"),
        said("{service}: {amount} are locked for you. Deliver the result by {deadline}."),
        ACTION,
    ),
    Kind(
        "provides.released",
        "provides.ended",
        said("Escrow released"),
        said("{service}: {amount} were released to you."),
    ),
    Kind(
        "provides.refunded",
        "provides.ended",
        said("Escrow refunded"),
        said("{service}: {amount} went back to the payer."),
    ),
    Kind(
        "provides.cancelled",
        "provides.ended",
        said("Escrow ended"),
        said("{service}: it was not paid for. Do not work for it."),
    ),
    Kind(
        "provides.deliver_soon",
        "provides.deadline",
        said("Deliver soon"),
        said("{service}: deliver the result by {deadline}, or {amount} go back to the payer."),
        ACTION,
    ),
    *_both(
        "disputed",
        "disputed",
        said("Escrow disputed"),
        said("{service}: the other side objects. {amount} stay where they are until it is decided."),
        DISPUTE,
    ),
    *_both(
        "dispute_goes_on",
        "disputed",
        said("The dispute goes on"),
        said("{service}: the dispute over {amount} is at its next step, which ends at {deadline}."),
        DISPUTE,
    ),
    *_both(
        "proposal",
        "disputed",
        said("The mediator proposes"),
        said("{service}: accept the proposal how to divide {amount}, or go on, by {deadline}."),
        DISPUTE,
    ),
    *_both(
        "ruling",
        "disputed",
        said("Ruling"),
        said("{service}: it was ruled how {amount} are divided. You can appeal until {deadline}."),
        DISPUTE,
    ),
    *_both(
        "appeal_soon",
        "deadline",
        said("Your time to appeal is almost over"),
        said("{service}: the ruling over {amount} stands from {deadline} on."),
        DISPUTE,
    ),
    *_both(
        "offer",
        "offer",
        said("Offer received"),
        said(
            "{service}: the other side offers to divide {amount}. Accept it, answer with another, or decline."
        ),
        OFFERS,
    ),
    *_both(
        "offer_declined",
        "offer",
        said("Offer declined"),
        said("{service}: the other side has declined your offer."),
        OFFERS,
    ),
    *_both(
        "resolved",
        "ended",
        said("Escrow divided"),
        said("{service}: {amount} were divided between both sides."),
    ),
    Kind(
        "arbiter.assigned",
        "arbiter.dispute",
        said("You are assigned to a dispute"),
        said("{service}: help to decide over {amount}, by {deadline}."),
        DISPUTE,
    ),
    Kind(
        "arbiter.decide_soon",
        "arbiter.deadline",
        said("Decide soon"),
        said("{service}: your time to decide over {amount} ends at {deadline}."),
        DISPUTE,
    ),
    *ACCOUNT_KINDS,
)

_KINDS = {kind.name: kind for kind in KINDS}


def kind_of(name: str) -> Kind | None:
    """The kind with this name; None for one that there was once."""
    return _KINDS.get(name)


def choice_of(kind: str) -> Choice:
    """By which choice a kind is switched. Raises KeyError for an unknown kind."""
    return choice_named(_KINDS[kind].choice)
