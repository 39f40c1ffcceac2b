"""The timeline of an escrow in plain words: what happened, by whom, and what comes next.

What happened is read off the audit trail; what is still to come off the escrow's state and its payouts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _

from webapp.domain.escrow_states import Status
from webapp.domain.money import Amount
from webapp.domain.payout_states import FINAL, PayoutStatus, state_of
from webapp.models import Escrow, EscrowTransaction, Payout
from webapp.web import payment_words
from webapp.web.event_words import amount_in, awaits_note, look_of, note_of
from webapp.web.formats import money
from webapp.web.language import recalled
from webapp.web.parties import as_sentence, at_the_beginning, is_reader


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
    detail = entry.detail
    is_payout = entry.kind.startswith("payout_")
    moves_by_itself = is_payout or entry.kind in payment_words.LOOKS
    payout_id = detail.get("payout_id", "")
    is_queued = entry.kind in ("payout_queued", "refund_queued")
    title, icon, tone = look_of(entry.kind, payout_id in refunds)
    return Happening(
        title=title,
        icon=icon,
        tone=tone,
        when=entry.created_at,
        # Coins move by themselves: that the worker moves them tells the reader nothing.
        who="" if moves_by_itself else reader.name_of(entry.actor),
        note=awaits_note(entry)
        if is_queued and payout_id in waiting
        else note_of(escrow, entry, reader.payer, reader.provider),
        ids=Ids(
            txid=detail.get("txid") if entry.kind in _SHOWS_TRANSACTION else None,
            address=addresses.get(payout_id) if is_queued else None,
            fee=amount_in(detail, "fee") if is_payout else None,
            net=amount_in(detail, "net") if is_payout else None,
        ),
    )


_SHOWS_TRANSACTION = frozenset(
    {"payout_signed", "payout_txid_changed", "payout_confirmed", "payout_requeued", "payout_accepted"}
)


def _ahead(
    escrow: Escrow, payouts: Sequence[Payout], reader: Reader, confirmations_needed: int
) -> list[Happening]:
    if escrow.terms.decide_themselves:
        by_then = _("By this time at the latest, whatever anybody does.")
        return [_next(_("Its terms decide who is paid"), escrow.expires_at, by_then)]
    match escrow.status:
        case Status.PENDING:
            return [
                _next(
                    _to_arrive(escrow, reader.payer),
                    escrow.fund_by,
                    _("The network must show them by this time, or the escrow ends."),
                ),
                _next(_to_deliver(reader.provider), escrow.expires_at),
            ]
        case Status.ACTIVE:
            return [
                _next(_to_deliver(reader.provider), escrow.expires_at, _or_back(escrow, reader.payer)),
                _next(_to_release(reader.payer)),
            ]
        case Status.DELIVERED:
            return [
                _next(
                    _to_release(reader.payer),
                    escrow.accept_by,
                    _("If nobody objects by this time, it is released by itself."),
                )
            ]
        case Status.DISPUTED:
            return [_next(_("Both sides agree, or it is decided"))]
    return [
        _on_its_way(payout, reader, confirmations_needed) for payout in payouts if payout.status not in FINAL
    ]


def _to_arrive(escrow: Escrow, payer: str) -> str:
    amount = money(escrow.amount - escrow.deposited_amount)
    if is_reader(payer):
        return _("%(amount)s arrive from you", amount=amount)
    return _("%(amount)s arrive from %(payer)s", amount=amount, payer=payer)


def _or_back(escrow: Escrow, payer: str) -> str:
    amount = money(escrow.amount)
    if is_reader(payer):
        return _("By this time, or %(amount)s go back to you.", amount=amount)
    return _("By this time, or %(amount)s go back to %(payer)s.", amount=amount, payer=payer)


def _to_deliver(provider: str) -> str:
    if is_reader(provider):
        return _("You deliver the result")
    return _("%(provider)s delivers the result", provider=at_the_beginning(provider))


def _to_release(payer: str) -> str:
    if is_reader(payer):
        return _("You release the money")
    return _("%(payer)s releases the money", payer=at_the_beginning(payer))


def _on_its_way(payout: Payout, reader: Reader, needed: int) -> Happening:
    if payout.transaction is None:
        is_explained = payout.status == PayoutStatus.HELD and payout.wallet_id in reader.sees_payouts_of
        note = as_sentence(recalled(payout.reason)) if is_explained else state_of(payout.status).meaning
        return _next(_("Paid on the chain"), note=note)
    seen = min(payout.transaction.confirmations, needed)
    return Happening(_("Final on the chain"), "circle", "plain", is_ahead=True, meter=(seen, needed))


def _next(title: str, when: datetime | None = None, note: str = "") -> Happening:
    return Happening(title, "circle", "plain", when=when, note=note, is_ahead=True)
