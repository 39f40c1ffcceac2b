"""The forms of the wallet: taking coins out, and sending them elsewhere while that is possible."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from webapp.web.amount_field import AmountField
from webapp.web.forms import PageForm, stripped


class WithdrawForm(PageForm):
    """Coins from the available balance to an address on the chain."""

    address = StringField(
        _l("To address"), [InputRequired(_l("Enter an address")), Length(max=64)], [stripped]
    )
    amount = AmountField(_l("Amount"), [InputRequired(_l("Enter an amount")), Length(max=32)], [stripped])


class RedirectForm(PageForm):
    """Another address for a payout that has not been taken up yet."""

    address = StringField(
        _l("New address"), [InputRequired(_l("Enter an address")), Length(max=64)], [stripped]
    )


class SavedAddressForm(PageForm):
    """An address for one's own book."""

    label = StringField(_l("Name"), [InputRequired(_l("Enter a name"))], [stripped])
    address = StringField(
        _l("Address"), [InputRequired(_l("Enter an address"))], [stripped], id="saved-address"
    )
