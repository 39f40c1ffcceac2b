"""The forms of the account page."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import DateField, PasswordField, SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import EqualTo, InputRequired, Length, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from webapp.domain.roles import Scope
from webapp.domain.said import said
from webapp.web.amount_field import AmountField
from webapp.web.forms import PageForm, stripped
from webapp.web.language import translated

SCOPE_MEANINGS = {
    Scope.ESCROW_READ: said("see escrows and their history"),
    Scope.ESCROW_CREATE: said("create escrows: spends from the wallet"),
    Scope.ESCROW_DELIVER: said("deliver results"),
    Scope.ESCROW_RELEASE: said("accept results and release the money"),
    Scope.ESCROW_REFUND: said("refund escrows"),
    Scope.ESCROW_DISPUTE: said("open disputes, speak in them, accept proposals and rulings, and appeal"),
    Scope.ESCROW_SETTLE: said(
        "offer the other side a split, and accept what it offers: decides over what escrows hold"
    ),
    Scope.WALLET_READ: said("see the wallet's balance and payouts"),
    Scope.WALLET_WITHDRAW: said("withdraw coins: spends from the wallet"),
    Scope.FUND_READ: said("see the community fund"),
    Scope.FUND_AIRDROP: said("run airdrops of the community fund"),
    Scope.NODE_HEARTBEAT: said("report that a node is alive"),
    Scope.NODE_READ: said("see nodes and how they are"),
    Scope.NODE_MANAGE: said(
        "change nodes; with all that a node’s key may do, register them and give them new secrets"
    ),
    Scope.SERVICE_READ: said("see the catalogue of services"),
    Scope.SERVICE_MANAGE: said("offer services and change them"),
}


class PasswordForm(PageForm):
    """The present password and a new one."""

    old_password = PasswordField(_l("Present password"), [InputRequired(_l("Enter your present password"))])
    password = PasswordField(_l("New password"), [InputRequired(_l("Choose a password")), Length(max=200)])
    repeated = PasswordField(
        _l("New password, once more"),
        [InputRequired(_l("Repeat the password")), EqualTo("password", _l("Is not the same"))],
    )


class SigningKeyForm(PageForm):
    """A key for a program: what it may do, how much it may spend, how long it works."""

    wallet_id = SelectField(_l("Wallet"), coerce=int)
    label = StringField(_l("What is it for?"), [Length(max=64)], [stripped])
    scopes = SelectMultipleField(
        _l("What may it do?"),
        [InputRequired(_l("Choose at least one"))],
        option_widget=CheckboxInput(),
        widget=ListWidget(prefix_label=False),
    )
    spend_limit = AmountField(_l("Most that it may spend"), [Optional(), Length(max=32)], [stripped])
    expires_at = DateField(_l("Works until the end of"), [Optional()])

    def offer(self, wallets: list[tuple[int, str]], scopes: list[Scope]) -> None:
        """Show these wallets (id, name) and scopes, and accept no others."""
        self.wallet_id.choices = [SelectChoice(str(wallet_id), name) for wallet_id, name in wallets]
        self.scopes.choices = [
            SelectChoice(scope.value, f"{scope.value}\n{translated(SCOPE_MEANINGS[scope])}")
            for scope in scopes
        ]


class PayoutAddressForm(PageForm):
    """Where a wallet's earnings are paid out to. Empty: they stay in the balance."""

    payout_address = StringField(_l("Payout address"), [Optional(), Length(max=64)], [stripped])

    def belongs_to(self, wallet_id: int) -> PayoutAddressForm:
        """Tell this wallet's field from the other wallets' on the same page."""
        self.payout_address.id = self.payout_address.label.field_id = f"payout-address-{wallet_id}"
        return self
