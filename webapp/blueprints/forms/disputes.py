"""The forms of a dispute: what a side says, why it appeals, and what somebody who is assigned decides."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import HiddenField, RadioField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional

from webapp.domain.disputes.shares import NOTHING, WHOLE, share_of_percent
from webapp.services.disputes.ladder import LONGEST_STATEMENT
from webapp.services.escrow_terms import MAX_REASON_LENGTH
from webapp.web.forms import PageForm, stripped

FOR_PAYER, FOR_PROVIDER, DIVIDE = "payer", "provider", "divide"


class StatementForm(PageForm):
    """What one side says."""

    text = TextAreaField(
        _l("Your statement"),
        [InputRequired(_l("Say something")), Length(max=LONGEST_STATEMENT)],
        [stripped],
        id="dispute-text",
    )
    seen = HiddenField()


class GroundsForm(PageForm):
    """Why a side appeals, or somebody steps down."""

    reason = TextAreaField(
        _l("Why?"),
        [InputRequired(_l("Say why")), Length(max=MAX_REASON_LENGTH)],
        [stripped],
        id="dispute-grounds",
    )
    seen = HiddenField()


class DecisionForm(PageForm):
    """Who gets what, and why. The machine turns it into amounts."""

    outcome = RadioField(
        _l("Who gets the money?"),
        [InputRequired(_l("Choose one"))],
        choices=[
            SelectChoice(FOR_PAYER, _l("The payer gets all of it back")),
            SelectChoice(FOR_PROVIDER, _l("The provider’s side gets all of it")),
            SelectChoice(DIVIDE, _l("It is divided")),
        ],
        id="dispute-outcome",
    )
    percent = StringField(
        _l("The provider’s side gets"), [Optional(), Length(max=8)], [stripped], id="dispute-percent"
    )
    reason = TextAreaField(
        _l("Your reason"),
        [InputRequired(_l("Say why")), Length(max=MAX_REASON_LENGTH)],
        [stripped],
        id="dispute-reason",
    )
    seen = HiddenField()

    @property
    def share(self) -> int:
        """The provider's side's share in basis points. Raises ValidationError naming `percent`."""
        fixed = {FOR_PAYER: NOTHING, FOR_PROVIDER: WHOLE}
        chosen = fixed.get(self.outcome.data or "")
        return share_of_percent(self.percent.data or "") if chosen is None else chosen
