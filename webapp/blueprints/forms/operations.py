"""The forms of operators: why payouts stop, which wallet is frozen, whose coin it is."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import IntegerField, StringField
from wtforms.validators import DataRequired, InputRequired, NumberRange

from webapp.domain.numbers import LARGEST_NUMBER
from webapp.web.forms import PageForm, readable_reason, stripped


class ReasonForm(PageForm):
    """Something that is done for a reason which others will want to know."""

    reason = StringField(_l("Reason"), [DataRequired(_l("Say why")), readable_reason], [stripped])


class FreezeForm(ReasonForm):
    """A wallet that nothing shall leave."""

    wallet = IntegerField(
        _l("Wallet number"),
        [
            InputRequired(_l("Enter the wallet’s number")),
            NumberRange(1, LARGEST_NUMBER, _l("There is no such wallet")),
        ],
    )


class AssignForm(PageForm):
    """The wallet that a coin belongs to."""

    wallet = IntegerField(
        _l("Wallet number"),
        [
            InputRequired(_l("Enter the wallet’s number")),
            NumberRange(1, LARGEST_NUMBER, _l("There is no such wallet")),
        ],
    )
