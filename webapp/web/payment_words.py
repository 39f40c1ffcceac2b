"""The timeline of an escrow with its own address: payments that arrive, and what is sent back."""

from __future__ import annotations

from flask_babel import gettext as _

from webapp.domain.money import ZERO, Amount
from webapp.domain.said import said
from webapp.models import Escrow, EscrowTransaction
from webapp.web.formats import money
from webapp.web.language import translated
from webapp.web.parties import is_reader

# kind of the audit trail -> title, icon, tone
LOOKS = {
    "deposit_credited": (said("Payment arrived"), "arrow-down", "moving"),
    "deposit_reversed": (said("Payment undone by the chain"), "refund", "bad"),
    "deposit_returned": (said("Payment back on the chain"), "arrow-down", "moving"),
    "funded": (said("Paid for"), "lock", "moving"),
    "refund_queued": (said("Sent back"), "refund", "back"),
    "refund_held_back": (said("To be sent back"), "lock", "waiting"),
    "refund_kept": (said("Stays in the balance"), "refund", "back"),
}


def created_note(escrow: Escrow) -> str:
    """What the first event of any escrow says."""
    amount = money(escrow.amount)
    if escrow.funding == "deposit":
        return _("It begins when %(amount)s have arrived at an address of its own.", amount=amount)
    return locked_note(escrow)


def locked_note(escrow: Escrow) -> str:
    """What it means that an escrow is paid for."""
    return _("%(amount)s are locked until the work is done.", amount=money(escrow.amount))


def refunded_note(entry: EscrowTransaction, escrow: Escrow, payer: str) -> str:
    """What the payer has back, which is less than the amount when it was not paid for."""
    amount = escrow.amount if entry.amount is None else entry.amount
    if not amount:
        return _("Nothing had been paid in.")
    if is_reader(payer):
        return _("%(amount)s went back to you.", amount=money(amount))
    return _("%(amount)s went back to %(payer)s.", amount=money(amount), payer=payer)


def payment_note(escrow: Escrow, entry: EscrowTransaction, payer: str) -> str:
    """What a payment, or its undoing, meant. Empty for other events."""
    amount = entry.amount or ZERO
    held = Amount.parse(entry.detail.get("held", "0"), allow_zero=True)
    if entry.kind == "funded":
        return locked_note(escrow)
    if entry.kind == "deposit_credited":
        judgement = _judgement(entry.detail.get("disposition", ""), amount - held, payer)
        return f"{money(amount)}. {judgement}"
    if entry.kind == "deposit_reversed" and held:
        return _(
            "%(amount)s are not there any more; they count again when they return.", amount=money(amount)
        )
    notes = _TO_READER if is_reader(payer) else _TO_OTHERS
    sentence = notes.get(entry.kind)
    return translated(said(sentence.template, amount=money(amount), payer=payer)) if sentence else ""


_TO_READER = {
    "deposit_reversed": said("{amount} are taken from your balance; the escrow keeps what it has."),
    "deposit_returned": said("{amount} are there again, and given back to your balance."),
    "refund_queued": said("{amount} leave with the next batch, to where you wanted them back."),
    "refund_held_back": said("{amount} stay in your balance until an operator lets them leave."),
    "refund_kept": said("Too little of it is left in your balance to be sent."),
}
_TO_OTHERS = {
    "deposit_reversed": said("{amount} are taken from the balance of {payer}; the escrow keeps what it has."),
    "deposit_returned": said("{amount} are there again, and given back to the balance of {payer}."),
    "refund_queued": said("{amount} leave with the next batch, to where {payer} wanted them back."),
    "refund_held_back": said("{amount} stay in the balance of {payer} until an operator lets them leave."),
    "refund_kept": said("Too little of it is left in the balance of {payer} to be sent."),
}


def _judgement(disposition: str, rest: Amount, payer: str) -> str:
    is_own = is_reader(payer)
    match disposition:
        case "exact":
            return _("The amount is complete.")
        case "over" if is_own:
            return _("The amount is complete; %(rest)s more than that went back to you.", rest=money(rest))
        case "over":
            return _(
                "The amount is complete; %(rest)s more than that went back to %(payer)s.",
                rest=money(rest),
                payer=payer,
            )
        case "double" if is_own:
            return _("The amount was there already, so it all went back to you.")
        case "double":
            return _("The amount was there already, so it all went back to %(payer)s.", payer=payer)
        case "late" if is_own:
            return _("It came too late, so it all went back to you.")
        case "late":
            return _("It came too late, so it all went back to %(payer)s.", payer=payer)
    return _("The rest is still missing.")
