"""What operators say when they act on a payout: why, or what rate it shall pay."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length

from webapp.web.amount_field import AmountField
from webapp.web.forms import PageForm, readable_reason, stripped


class ConfirmForm(PageForm):
    """Something that needs no more than the press. `address` is the one that the operator has read."""

    address = HiddenField()


class BecauseForm(PageForm):
    """Something that is done for a reason, which the payee reads."""

    reason = StringField(_l("Reason"), [InputRequired(_l("Say why")), readable_reason], [stripped])


class EvidenceForm(ConfirmForm):
    """A decision on evidence: the transaction and the share of what it pays that the operator has read."""

    txid = HiddenField()
    share = HiddenField()


class EvidenceBecauseForm(EvidenceForm, BecauseForm):
    """The same for a reason, which the payee reads."""


class RateForm(PageForm):
    """The rate that a transaction and its child shall pay together."""

    rate = AmountField(
        _l("Rate to reach"), [InputRequired(_l("Enter a rate in FLOP per kB")), Length(max=32)], [stripped]
    )
