"""The timeline of an escrow in plain words: what happened, by whom, and what comes next.

What happened is read off the audit trail; what is still to come off the escrow's state and its payouts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from webapp.domain.escrow_states import Status
from webapp.domain.money import Amount
from webapp.models import Escrow, EscrowTransaction, Payout
from webapp.services.wallet_queries import FINAL_PAYOUTS
from webapp.web.filters import money


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
    """Who reads the story. `name_of` turns an actor of the trail into words; `may_see_address` hides the payee's."""

    name_of: Callable[[str], str]
    payer: str
    provider: str
    may_see_address: bool


def is_final(escrow: Escrow, payouts: Iterable[Payout]) -> bool:
    """Whether nothing more will happen."""
    has_ended = escrow.status in (Status.RELEASED, Status.REFUNDED, Status.RESOLVED)
    return has_ended and all(payout.status in FINAL_PAYOUTS for payout in payouts)


def story(
    escrow: Escrow,
    trail: Sequence[EscrowTransaction],
    payouts: Sequence[Payout],
    reader: Reader,
    confirmations_needed: int,
) -> list[Happening]:
    """What happened, oldest first, and then what is ahead."""
    addresses = {str(payout.id): payout.address for payout in payouts} if reader.may_see_address else {}
    happened = [_event(escrow, entry, reader, addresses) for entry in trail]
    return happened + _ahead(escrow, payouts, reader, confirmations_needed)


def _event(escrow: Escrow, entry: EscrowTransaction, reader: Reader, addresses: dict[str, str]) -> Happening:
    title, icon, tone = _LOOKS.get(entry.kind) or (
        entry.kind.replace("_", " ").capitalize(),
        "circle",
        "plain",
    )
    detail = entry.detail
    is_payout = entry.kind.startswith("payout_")
    return Happening(
        title=title,
        icon=icon,
        tone=tone,
        when=entry.created_at,
        # Payouts move by themselves: that the worker moves them tells the reader nothing.
        who="" if is_payout else reader.name_of(entry.actor),
        note=_note(escrow, entry, reader),
        ids=Ids(
            txid=detail.get("txid") if entry.kind in _SHOWS_TRANSACTION else None,
            address=addresses.get(detail.get("payout_id", "")) if entry.kind == "payout_queued" else None,
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
    "deadline_extended": ("More time", "clock", "moving"),
    "resolved": ("Resolved", "split", "good"),
    "payout_queued": ("Payout queued", "clock", "waiting"),
    "payout_redirected": ("Payout redirected", "clock", "waiting"),
    "payout_signed": ("Payout signed", "key", "moving"),
    "payout_broadcast": ("Sent to the network", "arrow-up", "moving"),
    "payout_unknown": ("The network’s answer was lost", "help", "waiting"),
    "payout_txid_changed": ("On the network under another id", "refund", "moving"),
    "payout_requeued": ("Payout queued again", "clock", "waiting"),
    "payout_confirmed": ("Confirmed on the chain", "done-circle", "good"),
    "payout_failed": ("Payout failed", "cross", "bad"),
}
_SHOWS_TRANSACTION = frozenset(
    {"payout_signed", "payout_txid_changed", "payout_confirmed", "payout_requeued"}
)


def _note(escrow: Escrow, entry: EscrowTransaction, reader: Reader) -> str:
    detail = entry.detail
    match entry.kind:
        case "created":
            return f"{money(escrow.amount)} are locked until the work is done."
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
        case "deadline_extended":
            return (
                f"The service was out for {detail.get('lost', 'a while')} of the time {detail.get('purpose', '')}, "
                "so the deadline is as much later."
            )
        case "refunded":
            reason = _sentence(detail.get("reason", ""))
            return f"{money(escrow.amount)} went back to {reader.payer}. {reason}"
        case "payout_queued":
            return f"{money(entry.amount or escrow.provider_amount)} leave with the next batch."
        case "payout_unknown":
            return "The same transaction is sent again until it is known to be there; it cannot pay twice."
        case "payout_requeued":
            return "The first transaction can never confirm; another one is made."
        case "payout_failed":
            return f"The money is back in the balance: {_sentence(detail.get('reason', ''))}"
        case "payout_confirmed":
            return f"Final, after {_count(detail.get('confirmations', 0), 'confirmation')}."
    return ""


def _ahead(
    escrow: Escrow, payouts: Sequence[Payout], reader: Reader, confirmations_needed: int
) -> list[Happening]:
    match escrow.status:
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
        _on_its_way(payout, confirmations_needed) for payout in payouts if payout.status not in FINAL_PAYOUTS
    ]


def _on_its_way(payout: Payout, needed: int) -> Happening:
    if payout.transaction is None:
        return _next("Paid on the chain", note=_sentence(payout.reason))
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
