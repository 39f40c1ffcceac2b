"""The forms of the account page."""

from __future__ import annotations

from wtforms import DateField, PasswordField, SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import EqualTo, InputRequired, Length, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from webapp.domain.roles import Scope
from webapp.web.forms import PageForm, stripped

SCOPE_MEANINGS = {
    Scope.ESCROW_READ: "see escrows and their history",
    Scope.ESCROW_CREATE: "create escrows: spends from the wallet",
    Scope.ESCROW_DELIVER: "deliver results",
    Scope.ESCROW_RELEASE: "accept results and release the money",
    Scope.ESCROW_REFUND: "refund escrows",
    Scope.ESCROW_DISPUTE: "open disputes, speak in them, accept proposals and rulings, and appeal",
    Scope.ESCROW_SETTLE: "offer the other side a split, and accept what it offers: decides over what escrows hold",
    Scope.WALLET_READ: "see the wallet's balance and payouts",
    Scope.WALLET_WITHDRAW: "withdraw coins: spends from the wallet",
    Scope.FUND_READ: "see the community fund",
    Scope.FUND_AIRDROP: "run airdrops of the community fund",
    Scope.NODE_HEARTBEAT: "report that a node is alive",
    Scope.NODE_READ: "see nodes and how they are",
    Scope.NODE_MANAGE: "change nodes; with all that a node’s key may do, register them and give them new secrets",
    Scope.SERVICE_READ: "see the catalogue of services",
    Scope.SERVICE_MANAGE: "offer services and change them",
}


class PasswordForm(PageForm):
    """The present password and a new one."""

    old_password = PasswordField("Present password", [InputRequired("Enter your present password")])
    password = PasswordField("New password", [InputRequired("Choose a password"), Length(max=200)])
    repeated = PasswordField(
        "New password, once more",
        [InputRequired("Repeat the password"), EqualTo("password", "Is not the same")],
    )


class SigningKeyForm(PageForm):
    """A key for a program: what it may do, how much it may spend, how long it works."""

    wallet_id = SelectField("Wallet", coerce=int)
    label = StringField("What is it for?", [Length(max=64)], [stripped])
    scopes = SelectMultipleField(
        "What may it do?",
        [InputRequired("Choose at least one")],
        option_widget=CheckboxInput(),
        widget=ListWidget(prefix_label=False),
    )
    spend_limit = StringField("Most that it may spend", [Optional(), Length(max=32)], [stripped])
    expires_at = DateField("Works until the end of", [Optional()])

    def offer(self, wallets: list[tuple[int, str]], scopes: list[Scope]) -> None:
        """Show these wallets (id, name) and scopes, and accept no others."""
        self.wallet_id.choices = [SelectChoice(str(wallet_id), name) for wallet_id, name in wallets]
        self.scopes.choices = [
            SelectChoice(scope.value, f"{scope.value}\n{SCOPE_MEANINGS[scope]}") for scope in scopes
        ]


class PayoutAddressForm(PageForm):
    """Where a wallet's earnings are paid out to. Empty: they stay in the balance."""

    payout_address = StringField("Payout address", [Optional(), Length(max=64)], [stripped])

    def belongs_to(self, wallet_id: int) -> PayoutAddressForm:
        """Tell this wallet's field from the other wallets' on the same page."""
        self.payout_address.id = self.payout_address.label.field_id = f"payout-address-{wallet_id}"
        return self
