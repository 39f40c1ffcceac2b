"""How a state looks: its word, an icon and a tone. Every state is told by word and shape; the tone only helps."""

from __future__ import annotations

from dataclasses import dataclass

from webapp.domain.said import said
from webapp.web.language import translated


@dataclass(frozen=True, slots=True)
class Look:
    """`tone` is a class of the style sheet (plain, waiting, moving, good, bad, back); `icon` a key of macros/icons."""

    word: str
    label: str
    icon: str
    tone: str


_LOOKS = {
    look.word: look
    for look in (
        # Escrows
        Look("pending", said("Pending"), "circle", "waiting"),
        Look("active", said("Active"), "half", "moving"),
        Look("delivered", said("Delivered"), "box", "waiting"),
        Look("disputed", said("Disputed"), "scales", "bad"),
        Look("released", said("Released"), "done-circle", "good"),
        Look("refunded", said("Refunded"), "refund", "back"),
        Look("resolved", said("Resolved"), "split", "good"),
        # Offers between the sides of an escrow
        Look("offer_open", said("Open"), "split", "moving"),
        Look("offer_replaced", said("Replaced"), "refund", "plain"),
        Look("offer_countered", said("Answered by another offer"), "split", "plain"),
        Look("offer_accepted", said("Accepted"), "done-circle", "good"),
        Look("offer_declined", said("Declined"), "cross", "plain"),
        Look("offer_withdrawn", said("Withdrawn"), "cross", "plain"),
        Look("offer_expired", said("Its time is over"), "clock", "plain"),
        Look("offer_lapsed", said("Lapsed"), "clock", "plain"),
        # Payouts and the transactions that carry them
        Look("awaiting_approval", said("Awaiting approval"), "user", "waiting"),
        Look("held", said("Held"), "lock", "waiting"),
        Look("queued", said("Queued"), "clock", "waiting"),
        Look("claimed", said("Being sent"), "clock", "moving"),
        Look("signed", said("Signed"), "key", "moving"),
        Look("broadcast", said("On its way"), "arrow-up", "moving"),
        Look("confirmed", said("Confirmed"), "done-circle", "good"),
        Look("failed", said("Failed"), "cross", "bad"),
        Look("unknown", said("Unknown"), "help", "bad"),
        Look("replaced", said("Replaced"), "refund", "plain"),
        # Deposits
        Look("seen", said("Arriving"), "clock", "waiting"),
        Look("credited", said("Credited"), "done-circle", "good"),
        Look("reversed", said("Taken back"), "refund", "bad"),
        # Deposits at an escrow's own address
        Look("part", said("A part of it"), "half", "moving"),
        Look("exact", said("Paid"), "done-circle", "good"),
        Look("over", said("Paid, with more"), "done-circle", "good"),
        Look("double", said("Paid twice"), "refund", "back"),
        Look("late", said("Too late"), "refund", "back"),
        # Nodes
        Look("healthy", said("Healthy"), "pulse", "good"),
        Look("node_late", said("Late"), "clock", "waiting"),
        Look("offline", said("Offline"), "circle", "plain"),
        Look("suspended", said("Suspended"), "lock", "bad"),
        # Airdrops, the shares of one, and changes of the fund's rules
        Look("airdrop_snapshot", said("Decided"), "clock", "waiting"),
        Look("airdrop_paying", said("Being paid"), "arrow-up", "moving"),
        Look("airdrop_done", said("Done"), "done-circle", "good"),
        Look("airdrop_abandoned", said("Given up"), "cross", "plain"),
        Look("share_chosen", said("Decided"), "clock", "waiting"),
        Look("share_credited", said("Credited"), "done-circle", "good"),
        Look("share_paying", said("On its way"), "arrow-up", "moving"),
        Look("share_paid", said("Paid"), "done-circle", "good"),
        Look("share_failed", said("Not paid"), "cross", "bad"),
        Look("rules_pending", said("Announced"), "clock", "waiting"),
        Look("rules_in_force", said("In force"), "done-circle", "good"),
        Look("rules_withdrawn", said("Withdrawn"), "cross", "plain"),
        # Signing keys and sessions
        Look("usable", said("Usable"), "key", "good"),
        Look("expired", said("Expired"), "clock", "plain"),
        Look("revoked", said("Revoked"), "cross", "plain"),
    )
}


def known_looks() -> list[Look]:
    """Every look that is listed."""
    return list(_LOOKS.values())


def state_look(status: str) -> Look:
    """The look of a state. A word that is not listed is shown as it is, without a tone."""
    word = str(status)
    return _LOOKS.get(word) or Look(word, word.replace("_", " ").capitalize(), "circle", "plain")


def state_word(status: str) -> str:
    """A state inside a sentence of the reader's language: `the escrow is released now`."""
    return translated(state_look(status).label).lower()
