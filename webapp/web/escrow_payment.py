"""What the payer of an escrow with its own address sees of the payment: what to send where, and what arrived."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from markupsafe import Markup

from webapp.config import WalletSettings
from webapp.domain.clock import utcnow
from webapp.domain.escrow_states import Terms
from webapp.domain.money import Amount
from webapp.domain.said import said
from webapp.models import Deposit, Escrow
from webapp.services.deposits.depth import confirmations_needed
from webapp.services.escrow_payments import UNJUDGED, PaymentRequest, Payments, request_of
from webapp.web.current import db_session
from webapp.web.filters import ago
from webapp.web.formats import money
from webapp.web.qr_codes import qr_code


@dataclass(frozen=True, slots=True)
class Arrival:
    """A payment in words. `look` is a word of web/states.py; `meter`, (confirmations, needed) until it is credited."""

    seen_at: datetime
    txid: str
    amount: Amount
    look: str
    note: str
    meter: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class PaymentView:
    """`asked` is None when nothing is to be paid now. `mark` changes whenever something of this is shown otherwise."""

    asked: PaymentRequest | None
    qr: Markup | None
    is_pending: bool
    is_moving: bool
    fund_by: datetime
    deposited: Amount
    arrivals: list[Arrival]
    refund_address: str | None
    min_payout: Amount
    mark: str


def payment_view(escrow: Escrow, terms: Terms, payments: Payments, settings: WalletSettings) -> PaymentView:
    """The view for the payer. A fixed number of queries."""
    asked = request_of(escrow, terms, payments, settings.dust_limit, utcnow())
    arrivals = _arrivals(escrow, payments, settings)
    fund_by = terms.fund_by or escrow.expires_at
    return PaymentView(
        asked=asked,
        qr=qr_code(asked.uri) if asked else None,
        is_pending=escrow.status == "pending",
        is_moving=payments.is_moving,
        fund_by=fund_by,
        deposited=escrow.deposited_amount,
        arrivals=arrivals,
        refund_address=escrow.refund_address,
        min_payout=settings.min_payout,
        mark=_mark(asked, arrivals, ago(fund_by)),
    )


def _mark(*shown: object) -> str:
    return hashlib.sha256(repr(shown).encode()).hexdigest()[:16]


def _arrivals(escrow: Escrow, payments: Payments, settings: WalletSettings) -> list[Arrival]:
    if not payments.deposits:
        return []
    needed = confirmations_needed(db_session(), settings, payments.deposits)
    return [_arrival(escrow, deposit, needed[deposit.id]) for deposit in payments.deposits]


def _arrival(escrow: Escrow, deposit: Deposit, needed: int) -> Arrival:
    look, note, meter = deposit.disposition, _NOTES.get(deposit.disposition, ""), None
    if deposit.disposition == "over":
        surplus = money(deposit.amount - deposit.held_amount)
        note = _(
            "It completed the amount; %(surplus)s more than that went back to you.",
            surplus=surplus,
        )
    if deposit.status != "credited":
        look = deposit.status if deposit.confirmations >= 0 else "replaced"
        note, meter = _waiting(escrow, deposit), None
        if deposit.confirmations >= 0:
            meter = (min(deposit.confirmations, needed), needed)
    return Arrival(deposit.first_seen_at, deposit.txid, deposit.amount, look, note, meter)


_NOTES = {
    "part": said("It counts; the rest was still missing."),
    "exact": said("It completed the amount."),
    "double": said("The amount was there already, so all of it went back to you."),
    "late": said("It came after the time or the end of the escrow, so all of it went back to you."),
}


def _waiting(escrow: Escrow, deposit: Deposit) -> str:
    if deposit.confirmations < 0:
        return _("Another transaction took its place; it counts for nothing.")
    if deposit.disposition != UNJUDGED:
        return _("The chain undid it. What it had brought is taken back until it returns.")
    is_late = escrow.fund_by is not None and deposit.first_seen_at > escrow.fund_by
    if escrow.status != "pending" or is_late:
        return _("It is not needed any more and goes back to you when it is confirmed.")
    return _("It counts when it is confirmed.")
