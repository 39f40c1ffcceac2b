"""The form for changing the fund's rules: every rule as it is now, and why some of them shall be others."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import HiddenField, PasswordField, RadioField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length

from webapp.domain.fund_rules import FundRules
from webapp.services.identity import MAX_PASSWORD_LENGTH
from webapp.web.amount_field import AmountField
from webapp.web.forms import PageForm, readable_reason, stripped
from webapp.web.fund_view import rule_label
from webapp.web.language import lazily

_NEEDED = _l("Enter a value")


def _text(key: str) -> StringField:
    kind = AmountField if key.endswith(("_amount", "_threshold")) else StringField
    return kind(lazily(rule_label(key)), [InputRequired(_NEEDED), Length(max=32)], [stripped])


class RulesForm(PageForm):
    """The rules by their keys. `shown` is the mark of what the operator has been shown; then the password is needed."""

    airdrop_threshold = _text("airdrop_threshold")
    airdrop_interval_hours = _text("airdrop_interval_hours")
    airdrop_shares = RadioField(
        lazily(rule_label("airdrop_shares")),
        choices=[
            SelectChoice("equal", _l("The same for every node")),
            SelectChoice("reputation", _l("In proportion to reputation")),
        ],
    )
    min_airdrop_amount = _text("min_airdrop_amount")
    max_airdrop_nodes = _text("max_airdrop_nodes")
    max_nodes_per_owner = _text("max_nodes_per_owner")
    waiting_period_hours = _text("waiting_period_hours")
    min_settled_escrows = _text("min_settled_escrows")
    min_settled_amount = _text("min_settled_amount")
    settled_within_days = _text("settled_within_days")
    reason = StringField(_l("Reason"), [DataRequired(_l("Say why")), readable_reason], [stripped])
    shown = HiddenField()
    password = PasswordField(_l("Your password"), [Length(max=MAX_PASSWORD_LENGTH)])

    @classmethod
    def of(cls, rules: FundRules) -> RulesForm:
        """The form as it is first drawn: with the rules that hold."""
        form = cls(formdata=None)
        for key, value in rules.as_document().items():
            form[key].data = str(value)
        return form

    @property
    def values(self) -> dict[str, str]:
        """The rules as they were typed."""
        return {key: self[key].data for key in FundRules.__slots__}
