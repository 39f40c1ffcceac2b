"""The forms of escrows: a new one, and what its parties do to it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import (
    BooleanField,
    DateTimeLocalField,
    Field,
    HiddenField,
    IntegerField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, NumberRange, Optional, StopValidation

from webapp.blueprints.forms.escrow_terms import EndingFields
from webapp.domain.clock import utcnow
from webapp.domain.result_rules.submitted import SubmittedResult
from webapp.models import Escrow
from webapp.services.funding_terms import BALANCE, DEPOSIT
from webapp.web.amount_field import AmountField
from webapp.web.forms import PageForm, stripped

LARGEST_WALLET_ID = 2**31 - 1
WAYS_TO_PAY = [
    SelectChoice(BALANCE, _l("From my balance\nCoins that you have here are locked at once.")),
    SelectChoice(
        DEPOSIT,
        _l(
            "By a payment to its own address\nYou get an address and a QR code. The escrow begins "
            "when the coins have arrived."
        ),
    ),
]


class EscrowForm(EndingFields):
    """A new escrow. What the words may be is judged by `services.escrow_terms`."""

    payer_wallet_id = SelectField(_l("Pay from"), coerce=int)
    provider_wallet_id = IntegerField(
        _l("Provider’s wallet number"),
        [
            InputRequired(_l("Enter the wallet number")),
            NumberRange(1, LARGEST_WALLET_ID, _l("There is no such wallet")),
        ],
    )
    amount = AmountField(_l("Amount"), [InputRequired(_l("Enter an amount")), Length(max=32)], [stripped])
    service_name = StringField(
        _l("Service"), [InputRequired(_l("Name the service")), Length(max=128)], [stripped]
    )
    task_id = StringField(_l("Task id"), [InputRequired(_l("Name the task")), Length(max=128)], [stripped])
    funding = RadioField(_l("How do you pay?"), choices=WAYS_TO_PAY, default=BALANCE)
    fund_by = DateTimeLocalField(_l("Pay by"), [Optional()])
    refund_address = StringField(_l("Send coins back to"), [Optional(), Length(max=64)], [stripped])
    expires_at = DateTimeLocalField(_l("Deadline for the result"), [Optional()])
    provider_node_id = StringField(_l("Node"), [Optional(), Length(max=64)], [stripped])
    verifier_key_id = StringField(_l("Verifier’s key"), [Optional(), Length(max=40)], [stripped])
    expected_result_hash = StringField(_l("Expected result hash"), [Optional(), Length(max=64)], [stripped])

    FOLLOWED = ("funding", "refund_address", "provider_node_id", "verifier_key_id")
    FURTHER = ("provider_node_id", "verifier_key_id", "expected_result_hash")

    def offer(self, wallets: list[tuple[int, str]]) -> None:
        """Let the payer choose one of these wallets (id, name)."""
        self.payer_wallet_id.choices = wallets

    def follow(self, escrow: Escrow, wallet_ids: Collection[int], usual_time: timedelta) -> None:
        """Take over the terms of an escrow that was made before, with as much time for the result as it had; the usual
        time is left to the service. What belongs to that one task stays empty: its id, and the result it expected.
        """
        if escrow.payer_wallet_id in wallet_ids:
            self.payer_wallet_id.data = escrow.payer_wallet_id
        self.amount.data = str(escrow.amount)
        for name in ("provider_wallet_id", "service_name", *self.FOLLOWED):
            self[name].data = getattr(escrow, name)
        time = escrow.expires_at - escrow.created_at
        if abs(time - usual_time) > timedelta(minutes=1):
            self.expires_at.data = (utcnow() + time).replace(tzinfo=None, second=0, microsecond=0)

    @property
    def deadline(self) -> datetime | None:
        """The deadline in UTC, which is how it was asked for; None for the usual one."""
        return self.expires_at.data.replace(tzinfo=UTC) if self.expires_at.data else None

    @property
    def payment(self) -> dict[str, Any]:
        """How it is to be paid for, as the service wants it. What belongs to the other way of paying is left out."""
        if self.funding.data != DEPOSIT:
            return {"funding": BALANCE}
        fund_by = self.fund_by.data.replace(tzinfo=UTC) if self.fund_by.data else None
        return {
            "funding": DEPOSIT,
            "fund_by": fund_by,
            "refund_address": self.refund_address.data or None,
        }

    @property
    def has_further_terms(self) -> bool:
        """Whether the terms that are folded away hold something, or something about them is wrong."""
        return any(self[name].data or self[name].errors for name in self.FURTHER)


def _hash_or_file(form: FlaskForm, field: Field) -> None:
    if not field.data and not form["result"].data:
        raise StopValidation(_("Enter the SHA-256 of the result, or choose the file"))


class DeliverForm(PageForm):
    """A result, by its hash or as a file. Without a signature the service signs with the provider's own key."""

    result = FileField(_l("The result itself"), id="deliver-result")
    result_hash = StringField(
        _l("Result hash"),
        [_hash_or_file],
        [stripped],
        id="deliver-result-hash",
    )
    provider_signature = StringField(
        _l("Signature"), [Optional(), Length(max=128)], [stripped], id="deliver-signature"
    )
    make_key = BooleanField(_l("Make a signing key for me, and sign with it"), default=True)
    seen = HiddenField()

    def take_file(self, max_bytes: int) -> SubmittedResult | None:
        """The file that was chosen. None without one.

        Raises ValidationError naming `result` when it is too large.
        """
        if not self.result.data:
            return None
        return SubmittedResult.of_bytes(self.result.data.read(max_bytes + 1), max_bytes)


class ReleaseForm(PageForm):
    """Acceptance. Without a delivery on record the result and its signature are needed."""

    result_hash = StringField(_l("Result hash"), [Optional()], [stripped], id="release-result-hash")
    provider_signature = StringField(
        _l("Provider’s signature"), [Optional(), Length(max=128)], [stripped], id="release-signature"
    )
    seen = HiddenField()


class DisputeForm(PageForm):
    """What is wrong, for an arbiter to read."""

    reason = TextAreaField(
        _l("What is wrong?"),
        [InputRequired(_l("Say what is wrong")), Length(max=500)],
        [stripped],
        id="dispute-opening",
    )
    seen = HiddenField()


class RefundForm(PageForm):
    """Why the money goes back."""

    reason = TextAreaField(_l("Reason"), [InputRequired(_l("Say why")), Length(max=500)], [stripped])
    seen = HiddenField()
