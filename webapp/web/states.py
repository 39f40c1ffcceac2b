"""How a state looks: its word, an icon and a tone. Every state is told by word and shape; the tone only helps."""

from __future__ import annotations

from dataclasses import dataclass


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
        Look("pending", "Pending", "circle", "waiting"),
        Look("active", "Active", "half", "moving"),
        Look("delivered", "Delivered", "box", "waiting"),
        Look("disputed", "Disputed", "scales", "bad"),
        Look("released", "Released", "done-circle", "good"),
        Look("refunded", "Refunded", "refund", "back"),
        Look("resolved", "Resolved", "split", "good"),
        # Payouts and the transactions that carry them
        Look("awaiting_approval", "Awaiting approval", "user", "waiting"),
        Look("held", "Held", "lock", "waiting"),
        Look("queued", "Queued", "clock", "waiting"),
        Look("claimed", "Being sent", "clock", "moving"),
        Look("signed", "Signed", "key", "moving"),
        Look("broadcast", "On its way", "arrow-up", "moving"),
        Look("confirmed", "Confirmed", "done-circle", "good"),
        Look("failed", "Failed", "cross", "bad"),
        Look("unknown", "Unknown", "help", "bad"),
        Look("replaced", "Replaced", "refund", "plain"),
        # Deposits
        Look("seen", "Arriving", "clock", "waiting"),
        Look("credited", "Credited", "done-circle", "good"),
        Look("reversed", "Taken back", "refund", "bad"),
        # Deposits at an escrow's own address
        Look("part", "A part of it", "half", "moving"),
        Look("exact", "Paid", "done-circle", "good"),
        Look("over", "Paid, with more", "done-circle", "good"),
        Look("double", "Paid twice", "refund", "back"),
        Look("late", "Too late", "refund", "back"),
        # Nodes
        Look("healthy", "Healthy", "pulse", "good"),
        Look("node_late", "Late", "clock", "waiting"),
        Look("offline", "Offline", "circle", "plain"),
        Look("suspended", "Suspended", "lock", "bad"),
        # Airdrops, the shares of one, and changes of the fund's rules
        Look("airdrop_snapshot", "Decided", "clock", "waiting"),
        Look("airdrop_paying", "Being paid", "arrow-up", "moving"),
        Look("airdrop_done", "Done", "done-circle", "good"),
        Look("airdrop_abandoned", "Given up", "cross", "plain"),
        Look("share_chosen", "Decided", "clock", "waiting"),
        Look("share_credited", "Credited", "done-circle", "good"),
        Look("share_paying", "On its way", "arrow-up", "moving"),
        Look("share_paid", "Paid", "done-circle", "good"),
        Look("share_failed", "Not paid", "cross", "bad"),
        Look("rules_pending", "Announced", "clock", "waiting"),
        Look("rules_in_force", "In force", "done-circle", "good"),
        Look("rules_withdrawn", "Withdrawn", "cross", "plain"),
        # Signing keys and sessions
        Look("usable", "Usable", "key", "good"),
        Look("expired", "Expired", "clock", "plain"),
        Look("revoked", "Revoked", "cross", "plain"),
    )
}


def state_look(status: str) -> Look:
    """The look of a state. A word that is not listed is shown as it is, without a tone."""
    word = str(status)
    return _LOOKS.get(word) or Look(word, word.replace("_", " ").capitalize(), "circle", "plain")
