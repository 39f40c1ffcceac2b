"""The forms of the service catalogue: finding a service, offering one, changing it."""

from __future__ import annotations

import json
from typing import Any

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional

from webapp.domain.exact_json import read_json
from webapp.domain.exceptions import ValidationError
from webapp.domain.result_rules.words import NAMES
from webapp.domain.said import said
from webapp.models import CatalogueService
from webapp.web.amount_field import AmountField
from webapp.web.forms import PageForm, stripped
from webapp.web.language import lazily

KINDS = [SelectChoice(kind.value, lazily(name)) for kind, name in NAMES.items()]


class ServiceSearchForm(PageForm):
    """Which services are listed. What is left empty narrows nothing."""

    text = StringField(_l("Name or description"), [Optional(), Length(max=64)], [stripped])
    kind = SelectField(_l("Kind"), choices=[SelectChoice("", _l("Any")), *KINDS], default="")


class ChangeServiceForm(PageForm):
    """What a provider may change about a service. What the words may be is judged by `services.catalogue_terms`."""

    description = TextAreaField(_l("What does it do?"), [Optional(), Length(max=1000)], [stripped])
    price = AmountField(_l("Price"), [Optional(), Length(max=32)], [stripped])
    deadline_hours = IntegerField(_l("Hours to deliver"), [Optional()])
    acceptance_hours = IntegerField(_l("Hours to object"), [Optional()])
    requires_result = BooleanField(_l("Every delivery brings the result itself, to be checked"))
    limits = TextAreaField(_l("Rules for its results"), [Optional(), Length(max=20_000)], [stripped])

    @property
    def terms(self) -> dict[str, Any]:
        """What the catalogue takes. Raises ValidationError naming `limits` when they are no JSON."""
        try:
            limits = read_json(self.limits.data) if self.limits.data else {}
        except ValueError as error:
            raise ValidationError.of("limits", said("must be JSON: {error}", error=error)) from None
        return {
            "description": self.description.data or "",
            "price": self.price.data or None,
            "deadline_hours": self.deadline_hours.data,
            "acceptance_hours": self.acceptance_hours.data,
            "requires_result": self.requires_result.data,
            "limits": limits,
        }

    @classmethod
    def of(cls, service: CatalogueService) -> ChangeServiceForm:
        """The form as the service stands."""
        return cls(
            formdata=None,
            description=service.description,
            price=str(service.price) if service.price else "",
            deadline_hours=service.deadline_hours,
            acceptance_hours=service.acceptance_hours,
            requires_result=service.requires_result,
            limits=json.dumps(service.limits, indent=2, ensure_ascii=False) if service.limits else "",
        )


class NewServiceForm(ChangeServiceForm):
    """A new service: besides all that, its name and kind, and whose it is."""

    name = StringField(_l("Name"), [InputRequired(_l("Name the service")), Length(max=128)], [stripped])
    kind = SelectField(_l("What does it deliver?"), choices=KINDS, default="file")
    provider_wallet_id = SelectField(_l("It earns for"), coerce=int)

    def offer(self, wallets: list[tuple[int, str]]) -> None:
        """Let the provider choose one of these wallets (id, name)."""
        self.provider_wallet_id.choices = wallets

    @property
    def terms(self) -> dict[str, Any]:
        """What the catalogue takes, without the wallet."""
        return super().terms | {"name": self.name.data or "", "kind": self.kind.data}
