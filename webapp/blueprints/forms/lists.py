"""What is looked for in lists: escrows, and the lines of a statement. What is left empty narrows nothing."""

from __future__ import annotations

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import DateField, Field, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import Length, Optional, StopValidation

from webapp.services.escrow_search import EscrowSearch, Sort
from webapp.services.wallet_statement import Period
from webapp.web.forms import PageForm, stripped

ORDERS = [
    SelectChoice(Sort.NEWEST.value, _l("Newest first")),
    SelectChoice(Sort.OLDEST.value, _l("Oldest first")),
    SelectChoice(Sort.AMOUNT.value, _l("Largest amount first")),
    SelectChoice(Sort.DEADLINE.value, _l("Nearest deadline first")),
]


def printable(_form: FlaskForm, field: Field) -> None:
    """A validator: no database looks for control characters."""
    if not (field.data or "").isprintable():
        raise StopValidation(_("Must not contain control characters"))


class EscrowSearchForm(PageForm):
    """Which escrows are listed, and how. The state and the side are links of their own."""

    text = StringField(_l("Search"), [Optional(), Length(max=128), printable], [stripped])
    sort = SelectField(_l("Order"), choices=ORDERS, default=Sort.NEWEST.value)
    service = SelectField(
        _l("Service"), default="", validate_choice=False, validators=[Length(max=128), printable]
    )
    created_from = DateField(_l("Made from"), [Optional()])
    created_to = DateField(_l("Made to"), [Optional()])

    def offer(self, services: list[str]) -> None:
        """Let the reader choose one of these services, or the one that is asked for already."""
        asked = [self.service.data] if self.service.data and self.service.data not in services else []
        self.service.choices = [
            SelectChoice("", _l("Any service")),
            *(SelectChoice(name, name) for name in asked + services),
        ]

    def sought(self) -> dict[str, str]:
        """What was asked for, by field, for the address. The usual order is not asked for."""
        usual = {"sort": Sort.NEWEST.value}
        return {name: str(value) for name, value in self.data.items() if value and usual.get(name) != value}

    def search(self, status: str | None) -> EscrowSearch:
        """What is looked for, as the service takes it. Raises ValidationError."""
        return EscrowSearch(
            status=status,
            service_name=self.service.data or None,
            text=self.text.data or None,
            created_from=self.created_from.data,
            created_to=self.created_to.data,
            sort=Sort(self.sort.data),
        )


class PeriodForm(PageForm):
    """The days of a statement."""

    since = DateField(_l("From"), [Optional()])
    until = DateField(_l("To"), [Optional()])

    def sought(self) -> dict[str, str]:
        """What was asked for, by field, for the address."""
        return {name: str(value) for name, value in self.data.items() if value}

    def period(self) -> Period:
        """The days, as the service takes them. Raises ValidationError."""
        return Period(self.since.data, self.until.data)
