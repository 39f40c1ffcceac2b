"""The forms of escrows: a new one, and what its parties do to it."""

from __future__ import annotations

from datetime import UTC, datetime

from wtforms import (
    BooleanField,
    DateTimeLocalField,
    HiddenField,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from webapp.web.forms import PageForm, stripped

LARGEST_WALLET_ID = 2**31 - 1


class EscrowForm(PageForm):
    """A new escrow. What the words may be is judged by `services.escrow_terms`."""

    payer_wallet_id = SelectField("Pay from", coerce=int)
    provider_wallet_id = IntegerField(
        "Provider’s wallet number",
        [
            InputRequired("Enter the wallet number"),
            NumberRange(1, LARGEST_WALLET_ID, "There is no such wallet"),
        ],
    )
    amount = StringField("Amount", [InputRequired("Enter an amount"), Length(max=32)], [stripped])
    service_name = StringField("Service", [InputRequired("Name the service"), Length(max=128)], [stripped])
    task_id = StringField("Task id", [InputRequired("Name the task"), Length(max=128)], [stripped])
    expires_at = DateTimeLocalField("Deadline for the result", [Optional()])
    provider_node_id = StringField("Node", [Optional(), Length(max=64)], [stripped])
    verifier_key_id = StringField("Verifier’s key", [Optional(), Length(max=40)], [stripped])
    expected_result_hash = StringField("Expected result hash", [Optional(), Length(max=64)], [stripped])

    FURTHER = ("provider_node_id", "verifier_key_id", "expected_result_hash")

    def offer(self, wallets: list[tuple[int, str]]) -> None:
        """Let the payer choose one of these wallets (id, name)."""
        self.payer_wallet_id.choices = wallets

    @property
    def deadline(self) -> datetime | None:
        """The deadline in UTC, which is how it was asked for; None for the usual one."""
        return self.expires_at.data.replace(tzinfo=UTC) if self.expires_at.data else None

    @property
    def has_further_terms(self) -> bool:
        """Whether the terms that are folded away hold something, or something about them is wrong."""
        return any(self[name].data or self[name].errors for name in self.FURTHER)


class DeliverForm(PageForm):
    """A result. Without a signature the service signs with the provider's own key."""

    result_hash = StringField(
        "Result hash",
        [InputRequired("Enter the SHA-256 of the result")],
        [stripped],
        id="deliver-result-hash",
    )
    provider_signature = StringField(
        "Signature", [Optional(), Length(max=128)], [stripped], id="deliver-signature"
    )
    make_key = BooleanField("Make a signing key for me, and sign with it", default=True)
    seen = HiddenField()


class ReleaseForm(PageForm):
    """Acceptance. Without a delivery on record the result and its signature are needed."""

    result_hash = StringField("Result hash", [Optional()], [stripped], id="release-result-hash")
    provider_signature = StringField(
        "Provider’s signature", [Optional(), Length(max=128)], [stripped], id="release-signature"
    )
    seen = HiddenField()


class DisputeForm(PageForm):
    """What is wrong, for an arbiter to read."""

    reason = TextAreaField(
        "What is wrong?", [InputRequired("Say what is wrong"), Length(max=500)], [stripped]
    )
    seen = HiddenField()


class RefundForm(PageForm):
    """Why the money goes back."""

    reason = TextAreaField("Reason", [InputRequired("Say why"), Length(max=500)], [stripped])
    seen = HiddenField()
