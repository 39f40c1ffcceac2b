"""The forms of offers: a split to be offered, and what is said to one."""

from __future__ import annotations

from datetime import UTC, datetime

from flask_babel import lazy_gettext as _l
from wtforms import DateTimeLocalField, HiddenField, IntegerField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional

from webapp.services.offer_terms import MAX_MESSAGE_LENGTH
from webapp.web.amount_field import AmountField
from webapp.web.forms import PageForm, stripped


class OfferForm(PageForm):
    """A split. What the share may be is judged by `services.offer_terms`."""

    share = AmountField(
        _l("For the provider’s side"),
        [InputRequired(_l("Enter an amount, or 0 to give all of it back")), Length(max=32)],
        [stripped],
        id="offer-share",
    )
    message = TextAreaField(
        _l("Say why, if you like"),
        [Optional(), Length(max=MAX_MESSAGE_LENGTH)],
        [stripped],
        id="offer-message",
    )
    expires_at = DateTimeLocalField(_l("It stands until"), [Optional()], id="offer-expires-at")
    answers = IntegerField(validators=[Optional()])
    seen = HiddenField()

    @property
    def until(self) -> datetime | None:
        """Its end in UTC, which is how it was asked for."""
        return self.expires_at.data.replace(tzinfo=UTC) if self.expires_at.data else None


class AnswerForm(PageForm):
    """A press on one of the buttons of an offer, with the share that the page showed."""

    share = StringField(validators=[Optional(), Length(max=32)])
    seen = HiddenField()
