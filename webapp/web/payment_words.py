"""The timeline of an escrow with its own address: payments that arrive, and what is sent back."""

from __future__ import annotations

from webapp.domain.money import ZERO, Amount
from webapp.models import Escrow, EscrowTransaction
from webapp.web.formats import money

# kind of the audit trail -> title, icon, tone
LOOKS = {
    "deposit_credited": ("Payment arrived", "arrow-down", "moving"),
    "deposit_reversed": ("Payment undone by the chain", "refund", "bad"),
    "deposit_returned": ("Payment back on the chain", "arrow-down", "moving"),
    "funded": ("Paid for", "lock", "moving"),
    "refund_queued": ("Sent back", "refund", "back"),
    "refund_held_back": ("To be sent back", "lock", "waiting"),
    "refund_kept": ("Stays in the balance", "refund", "back"),
}


def created_note(escrow: Escrow) -> str:
    """What the first event of any escrow says."""
    if escrow.funding == "deposit":
        return f"It begins when {money(escrow.amount)} have arrived at an address of its own."
    return f"{money(escrow.amount)} are locked until the work is done."


def refunded_note(entry: EscrowTransaction, escrow: Escrow, payer: str) -> str:
    """What the payer has back, which is less than the amount when it was not paid for."""
    amount = escrow.amount if entry.amount is None else entry.amount
    return f"{money(amount)} went back to {payer}." if amount else "Nothing had been paid in."


def payment_note(escrow: Escrow, entry: EscrowTransaction, payer: str) -> str:
    """What a payment, or its undoing, meant. Empty for other events."""
    amount = entry.amount or ZERO
    held = Amount.parse(entry.detail.get("held", "0"), allow_zero=True)
    match entry.kind:
        case "deposit_credited":
            return f"{money(amount)}. {_judgement(entry.detail.get('disposition', ''), amount - held, payer)}"
        case "deposit_reversed" if held:
            return f"{money(amount)} are not there any more; they count again when they return."
        case "deposit_reversed":
            return f"{money(amount)} are taken from {_balance(payer)}; the escrow keeps what it has."
        case "deposit_returned":
            return f"{money(amount)} are there again, and given back to {_balance(payer)}."
        case "funded":
            return f"{money(escrow.amount)} are locked until the work is done."
        case "refund_queued":
            return f"{money(amount)} leave with the next batch, to where {payer} wanted them back."
        case "refund_held_back":
            return f"{money(amount)} stay in {_balance(payer)} until an operator lets them leave."
        case "refund_kept":
            return f"Too little of it is left in {_balance(payer)} to be sent."
    return ""


def _judgement(disposition: str, rest: Amount, payer: str) -> str:
    match disposition:
        case "exact":
            return "The amount is complete."
        case "over":
            return f"The amount is complete; {money(rest)} more than that went back to {payer}."
        case "double":
            return f"The amount was there already, so it all went back to {payer}."
        case "late":
            return f"It came too late, so it all went back to {payer}."
    return "The rest is still missing."


def _balance(payer: str) -> str:
    return "your balance" if payer == "you" else f"the balance of {payer}"
