"""What happened to an escrow, in words: the title of each event of its trail, and the note below it."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext

from webapp.domain.money import Amount
from webapp.domain.said import said
from webapp.models import Escrow, EscrowTransaction
from webapp.web import dispute_words, offer_words, payment_words, terms_words
from webapp.web.formats import money
from webapp.web.language import recalled
from webapp.web.parties import as_sentence, is_reader

# kind of the audit trail -> title, icon, tone
LOOKS = {
    "created": (said("Created"), "lock", "moving"),
    "delivered": (said("Result delivered"), "box", "waiting"),
    "released": (said("Released"), "done-circle", "good"),
    "refunded": (said("Refunded"), "refund", "back"),
    "disputed": (said("Disputed"), "scales", "bad"),
    "evidence_added": (said("Evidence added"), "file", "plain"),
    "deadline_extended": (said("More time"), "clock", "moving"),
    "resolved": (said("Resolved"), "split", "good"),
    "payout_queued": (said("Payout queued"), "clock", "waiting"),
    "payout_redirected": (said("Payout redirected"), "clock", "waiting"),
    "payout_signed": (said("Payout signed"), "key", "moving"),
    "payout_broadcast": (said("Sent to the network"), "arrow-up", "moving"),
    "payout_unknown": (said("The network’s answer was lost"), "help", "waiting"),
    "payout_txid_changed": (said("On the network under another id"), "refund", "moving"),
    "payout_requeued": (said("Payout queued again"), "clock", "waiting"),
    "payout_approved": (said("Payout approved"), "done", "good"),
    "payout_held": (said("Payout held back"), "lock", "waiting"),
    "payout_resumed": (said("Payout let go"), "clock", "waiting"),
    "payout_rebroadcast": (said("Sent to the network again"), "arrow-up", "moving"),
    "payout_fee_raised": (said("Fee raised"), "arrow-up", "moving"),
    "payout_return_requested": (said("Payout to be given back"), "refund", "waiting"),
    "payout_accepted": (said("Paid by another transaction"), "done-circle", "good"),
    "payout_undone": (said("Undone by the chain"), "refund", "waiting"),
    "payout_confirmed": (said("Confirmed on the chain"), "done-circle", "good"),
    "payout_failed": (said("Payout failed"), "cross", "bad"),
    **payment_words.LOOKS,
    **offer_words.LOOKS,
    **terms_words.LOOKS,
    **dispute_words.LOOKS,
}
# A payout to the payer is a refund, and is called one.
_TITLES_OF_REFUNDS = {
    "payout_queued": said("Refund queued"),
    "payout_redirected": said("Refund redirected"),
    "payout_signed": said("Refund signed"),
    "payout_requeued": said("Refund queued again"),
    "payout_approved": said("Refund approved"),
    "payout_held": said("Refund held back"),
    "payout_resumed": said("Refund let go"),
    "payout_return_requested": said("Refund to be given back"),
    "payout_failed": said("Refund failed"),
}


def look_of(kind: str, is_refund: bool) -> tuple[str, str, str]:
    """Title, icon and tone of an event. A kind that is not known is shown by its word."""
    title, icon, tone = LOOKS.get(kind) or (kind.replace("_", " ").capitalize(), "circle", "plain")
    return (_TITLES_OF_REFUNDS.get(kind, title) if is_refund else title), icon, tone


def awaits_note(entry: EscrowTransaction) -> str:
    """What a payout waits for before it may leave."""
    if not entry.amount:
        return _("It waits until an operator approves it.")
    return _("%(amount)s wait until an operator approves it.", amount=money(entry.amount))


def note_of(escrow: Escrow, entry: EscrowTransaction, payer: str, provider: str) -> str:
    """What the event meant. `payer` and `provider` are "you" or a wallet in words."""
    detail = entry.detail
    if divided := offer_words.division_note(entry):
        return divided
    match entry.kind:
        case "created":
            return payment_words.created_note(escrow)
        case "delivered":
            return _("The signature over the result is right; both stand under Terms.")
        case "released":
            return _released_note(escrow, provider)
        case "disputed":
            reason = as_sentence(recalled(detail.get("reason")))
            stays = _("The money stays where it is until both sides agree, or it is decided.")
            return f"{reason} {stays}"
        case "evidence_added":
            return _("It is No. %(number)s under Evidence.", number=detail.get("number"))
        case "deadline_extended":
            return _(
                "The service was out for %(lost)s of that time, so the deadline is as much later.",
                lost=detail.get("lost", "–"),
            )
        case "refunded":
            reason = as_sentence(recalled(detail.get("reason")))
            return f"{payment_words.refunded_note(entry, escrow, payer)} {reason}"
        case "payout_queued":
            amount = money(entry.amount or escrow.provider_amount)
            return _("%(amount)s leave with the next batch.", amount=amount)
        case "payout_accepted":
            return _accepted_note(detail)
        case "payout_confirmed":
            return ngettext(
                "Final, after %(num)d confirmation.",
                "Final, after %(num)d confirmations.",
                int(detail.get("confirmations", 0)),
            )
        case "offered" | "offer_declined" | "offer_withdrawn":
            return offer_words.offer_note(entry)
    if entry.kind in terms_words.LOOKS:
        return terms_words.terms_note(entry)
    if entry.kind in dispute_words.LOOKS:
        return dispute_words.note_of(entry.kind, detail)
    return _NOTES.get(entry.kind) or payment_words.payment_note(escrow, entry, payer)


_NOTES = {
    "payout_unknown": said(
        "The same transaction is sent again until it is known to be there; it cannot pay twice."
    ),
    **dict.fromkeys(
        ("payout_held", "payout_approved", "payout_resumed", "payout_return_requested"),
        said("By an operator."),
    ),
    "payout_fee_raised": said("A second transaction pays for the first, so that it is final sooner."),
    "payout_requeued": said("The first transaction can never confirm; another one is made."),
    "payout_undone": said("Its block was replaced by others; the same transaction is sent again."),
    # Why is for its payee, who reads it with the payout.
    "payout_failed": said("It was not sent, and the money is back in the balance."),
}


def _released_note(escrow: Escrow, provider: str) -> str:
    parts = {"part": money(escrow.provider_amount), "share": money(escrow.community_amount)}
    if is_reader(provider):
        return _("%(part)s went to you, %(share)s to the community fund.", **parts)
    return _("%(part)s went to %(provider)s, %(share)s to the community fund.", provider=provider, **parts)


def _accepted_note(detail: dict[str, Any]) -> str:
    paid, missing = amount_in(detail, "paid"), amount_in(detail, "missing")
    if not paid:
        return _("An operator has compared them: it has arrived.")
    if not missing:
        return _("An operator has compared them: %(paid)s have arrived.", paid=money(paid))
    return _(
        "An operator has compared them: %(paid)s have arrived, and %(missing)s that were missing are back in the "
        "balance.",
        paid=money(paid),
        missing=money(missing),
    )


def amount_in(detail: dict[str, Any], name: str) -> Amount | None:
    """An amount of an event's details, if it has it."""
    text = detail.get(name)
    return Amount.parse(text, allow_zero=True) if text else None
