"""The timeline of an escrow in plain words: what happened, by whom, and what comes next.

What happened is read off the audit trail; what is still to come off the escrow's state and its payouts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _

from webapp.domain.escrow_states import Status
from webapp.domain.money import Amount
from webapp.domain.payout_states import FINAL, PayoutStatus, state_of
from webapp.models import Escrow, EscrowTransaction, Payout
from webapp.web import payment_words
from webapp.web.formats import money


@dataclass(frozen=True, slots=True)
class Ids:
    """Identifiers and figures under an event, each shown with its name."""

    txid: str | None = None
    address: str | None = None
    fee: Amount | None = None
    net: Amount | None = None


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of the timeline. `meter` is (confirmations, needed) while a payment is being confirmed."""

    title: str
    icon: str
    tone: str
    when: datetime | None = None
    who: str = ""
    note: str = ""
    ids: Ids = Ids()
    is_ahead: bool = False
    meter: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads the story. `name_of` turns an actor of the trail into words; where payouts go, and why they are held,
    is shown for the wallets `sees_payouts_of` only.
    """

    name_of: Callable[[str], str]
    payer: str
    provider: str
    sees_payouts_of: frozenset[int]


def is_final(escrow: Escrow, payouts: Iterable[Payout]) -> bool:
    """Whether nothing more will happen."""
    has_ended = escrow.status in (Status.RELEASED, Status.REFUNDED, Status.RESOLVED)
    return has_ended and all(payout.status in FINAL for payout in payouts)


def story(
    escrow: Escrow,
    trail: Sequence[EscrowTransaction],
    payouts: Sequence[Payout],
    reader: Reader,
    confirmations_needed: int,
) -> list[Happening]:
    """What happened, oldest first, and then what is ahead."""
    own = [payout for payout in payouts if payout.wallet_id in reader.sees_payouts_of]
    addresses = {str(payout.id): payout.address for payout in own}
    refunds = {str(payout.id) for payout in payouts if payout.wallet_id == escrow.payer_wallet_id}
    waiting = {str(payout.id) for payout in payouts if payout.status == PayoutStatus.AWAITING_APPROVAL}
    happened = [_event(escrow, entry, reader, addresses, refunds, waiting) for entry in trail]
    return happened + _ahead(escrow, payouts, reader, confirmations_needed)


def _event(
    escrow: Escrow,
    entry: EscrowTransaction,
    reader: Reader,
    addresses: dict[str, str],
    refunds: set[str],
    waiting: set[str],
) -> Happening:
    title, icon, tone = _LOOKS.get(entry.kind) or (
        entry.kind.replace("_", " ").capitalize(),
        "circle",
        "plain",
    )
    detail = entry.detail
    is_payout = entry.kind.startswith("payout_")
    moves_by_itself = is_payout or entry.kind in payment_words.LOOKS
    payout_id = detail.get("payout_id", "")
    is_queued = entry.kind in ("payout_queued", "refund_queued")
    return Happening(
        title=title.replace("Payout", "Refund") if payout_id in refunds else title,
        icon=icon,
        tone=tone,
        when=entry.created_at,
        # Coins move by themselves: that the worker moves them tells the reader nothing.
        who="" if moves_by_itself else reader.name_of(entry.actor),
        note=_awaits(entry) if is_queued and payout_id in waiting else _note(escrow, entry, reader),
        ids=Ids(
            txid=detail.get("txid") if entry.kind in _SHOWS_TRANSACTION else None,
            address=addresses.get(payout_id) if is_queued else None,
            fee=_amount(detail, "fee") if is_payout else None,
            net=_amount(detail, "net") if is_payout else None,
        ),
    )


_LOOKS = {
    "created": ("Created", "lock", "moving"),
    "delivered": ("Result delivered", "box", "waiting"),
    "released": ("Released", "done-circle", "good"),
    "refunded": ("Refunded", "refund", "back"),
    "disputed": ("Disputed", "scales", "bad"),
    "evidence_added": ("Evidence added", "file", "plain"),
    "deadline_extended": ("More time", "clock", "moving"),
    "resolved": ("Resolved", "split", "good"),
    "payout_queued": ("Payout queued", "clock", "waiting"),
    "payout_redirected": ("Payout redirected", "clock", "waiting"),
    "payout_signed": ("Payout signed", "key", "moving"),
    "payout_broadcast": ("Sent to the network", "arrow-up", "moving"),
    "payout_unknown": ("The network’s answer was lost", "help", "waiting"),
    "payout_txid_changed": ("On the network under another id", "refund", "moving"),
    "payout_requeued": ("Payout queued again", "clock", "waiting"),
    "payout_approved": ("Payout approved", "done", "good"),
    "payout_held": ("Payout held back", "lock", "waiting"),
    "payout_resumed": ("Payout let go", "clock", "waiting"),
    "payout_rebroadcast": ("Sent to the network again", "arrow-up", "moving"),
    "payout_fee_raised": ("Fee raised", "arrow-up", "moving"),
    "payout_return_requested": ("Payout to be given back", "refund", "waiting"),
    "payout_accepted": ("Paid by another transaction", "done-circle", "good"),
    "payout_undone": ("Undone by the chain", "refund", "waiting"),
    "payout_confirmed": ("Confirmed on the chain", "done-circle", "good"),
    "payout_failed": ("Payout failed", "cross", "bad"),
    **payment_words.LOOKS,
}
_SHOWS_TRANSACTION = frozenset(
    {"payout_signed", "payout_txid_changed", "payout_confirmed", "payout_requeued", "payout_accepted"}
)


def _awaits(entry: EscrowTransaction) -> str:
    amount = f"{money(entry.amount)} wait" if entry.amount else "It waits"
    return f"{amount} until an operator approves it."


def _note(escrow: Escrow, entry: EscrowTransaction, reader: Reader) -> str:
    detail = entry.detail
    match entry.kind:
        case "created":
            return payment_words.created_note(escrow)
        case "delivered":
            return "The signature over the result is right; both stand under Terms."
        case "released":
            return (
                f"{money(escrow.provider_amount)} went to {reader.provider}, "
                f"{money(escrow.community_amount)} to the community fund."
            )
        case "disputed":
            return (
                f"{_sentence(detail.get('reason', ''))} The money stays where it is until an arbiter decides."
            )
        case "evidence_added":
            return _evidence_note(detail)
        case "deadline_extended":
            return (
                f"The service was out for {detail.get('lost', 'a while')} of the time {detail.get('purpose', '')}, "
                "so the deadline is as much later."
            )
        case "refunded":
            reason = _sentence(detail.get("reason", ""))
            return f"{payment_words.refunded_note(entry, escrow, reader.payer)} {reason}"
        case "payout_queued":
            return f"{money(entry.amount or escrow.provider_amount)} leave with the next batch."
        case "payout_unknown":
            return "The same transaction is sent again until it is known to be there; it cannot pay twice."
        case "payout_held" | "payout_approved" | "payout_resumed" | "payout_return_requested":
            return "By an operator."
        case "payout_fee_raised":
            return "A second transaction pays for the first, so that it is final sooner."
        case "payout_accepted":
            return f"An operator has compared them: {_accepted(detail)}."
        case "payout_requeued":
            return "The first transaction can never confirm; another one is made."
        case "payout_undone":
            return "Its block was replaced by others; the same transaction is sent again."
        case "payout_failed":
            # Why is for its payee, who reads it with the payout.
            return "It was not sent, and the money is back in the balance."
        case "payout_confirmed":
            return f"Final, after {_count(detail.get('confirmations', 0), 'confirmation')}."
    return payment_words.payment_note(escrow, entry, reader.payer)


def _evidence_note(detail: dict[str, Any]) -> str:
    number = detail.get("number")
    if detail.get("side") == "payer":
        return _("The payer’s, No. %(number)s. Those whom it concerns find it under Evidence.", number=number)
    return _("The provider’s, No. %(number)s. Those whom it concerns find it under Evidence.", number=number)


def _accepted(detail: dict[str, Any]) -> str:
    paid, missing = _amount(detail, "paid"), _amount(detail, "missing")
    back = f", and {money(missing)} that were missing are back in the balance" if missing else ""
    return f"{money(paid)} have arrived{back}" if paid else "it has arrived"


def _ahead(
    escrow: Escrow, payouts: Sequence[Payout], reader: Reader, confirmations_needed: int
) -> list[Happening]:
    match escrow.status:
        case Status.PENDING:
            return [
                _next(
                    f"{money(escrow.amount - escrow.deposited_amount)} arrive from {reader.payer}",
                    escrow.fund_by,
                    "The network must show them by this time, or the escrow ends.",
                ),
                _next(
                    f"{_capital(reader.provider)} deliver{_s(reader.provider)} the result", escrow.expires_at
                ),
            ]
        case Status.ACTIVE:
            return [
                _next(
                    f"{_capital(reader.provider)} deliver{_s(reader.provider)} the result",
                    escrow.expires_at,
                    f"By this time, or {money(escrow.amount)} go back to {reader.payer}.",
                ),
                _next(f"{_capital(reader.payer)} release{_s(reader.payer)} the money"),
            ]
        case Status.DELIVERED:
            return [
                _next(
                    f"{_capital(reader.payer)} release{_s(reader.payer)} the money",
                    escrow.accept_by,
                    "If nobody objects by this time, it is released by itself.",
                )
            ]
        case Status.DISPUTED:
            return [_next("An arbiter decides")]
    return [
        _on_its_way(payout, reader, confirmations_needed) for payout in payouts if payout.status not in FINAL
    ]


def _on_its_way(payout: Payout, reader: Reader, needed: int) -> Happening:
    if payout.transaction is None:
        is_explained = payout.status == PayoutStatus.HELD and payout.wallet_id in reader.sees_payouts_of
        note = _sentence(payout.reason) if is_explained else state_of(payout.status).meaning
        return _next("Paid on the chain", note=note)
    seen = min(payout.transaction.confirmations, needed)
    return Happening("Final on the chain", "circle", "plain", is_ahead=True, meter=(seen, needed))


def _next(title: str, when: datetime | None = None, note: str = "") -> Happening:
    return Happening(title, "circle", "plain", when=when, note=note, is_ahead=True)


def _amount(detail: dict[str, Any], name: str) -> Amount | None:
    text = detail.get(name)
    return Amount.parse(text, allow_zero=True) if text else None


def _s(name: str) -> str:
    return "" if name == "you" else "s"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sentence(text: str) -> str:
    return f"{_capital(text.rstrip('.'))}." if text else ""


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
