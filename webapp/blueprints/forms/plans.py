"""The form of an escrow in parts. Its rows can be as many as are wanted; each is a small form of its own."""

from __future__ import annotations

import re
from datetime import UTC

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict
from wtforms import DateTimeLocalField, IntegerField, SelectField, StringField
from wtforms.validators import InputRequired, Length, NumberRange, Optional

from webapp.blueprints.forms.escrows import LARGEST_WALLET_ID
from webapp.domain.exceptions import DuxosError
from webapp.services.plans import FIELD, MAX_PARTS, MIN_PARTS, Milestone
from webapp.web.forms import PageForm, stripped
from webapp.web.language import translated

_ROW = re.compile(r"parts-([0-9]{1,3})-")


class PartForm(PageForm):
    """One part."""

    title = StringField(
        _l("What is delivered"), [InputRequired(_l("Name the part")), Length(max=128)], [stripped]
    )
    amount = StringField(_l("Amount"), [InputRequired(_l("Enter an amount")), Length(max=32)], [stripped])
    expires_at = DateTimeLocalField(_l("Due"), [Optional()])


class PlanForm(PageForm):
    """What the parts have in common, and `rows` of them. What the words may be is judged by `services.plans`."""

    payer_wallet_id = SelectField(_l("Pay from"), coerce=int)
    provider_wallet_id = IntegerField(
        _l("Provider’s wallet number"),
        [
            InputRequired(_l("Enter the wallet number")),
            NumberRange(1, LARGEST_WALLET_ID, _l("There is no such wallet")),
        ],
    )
    title = StringField(_l("Title"), [InputRequired(_l("Name the whole")), Length(max=128)], [stripped])
    service_name = StringField(
        _l("Service"), [InputRequired(_l("Name the service")), Length(max=128)], [stripped]
    )
    task_id = StringField(_l("Task id"), [InputRequired(_l("Name the task")), Length(max=128)], [stripped])
    provider_node_id = StringField(_l("Node"), [Optional(), Length(max=64)], [stripped])
    verifier_key_id = StringField(_l("Verifier’s key"), [Optional(), Length(max=40)], [stripped])

    FURTHER = ("provider_node_id", "verifier_key_id")

    def __init__(self, filled: MultiDict[str, str], wallets: list[tuple[int, str]], rows: int | None) -> None:
        super().__init__(formdata=filled)
        self.payer_wallet_id.choices = wallets
        sent = {int(found[1]) for name in filled if (found := _ROW.match(name))}
        count = min(max(rows or len(sent), MIN_PARTS), MAX_PARTS)
        self.rows = [PartForm(formdata=filled, prefix=f"parts-{number}-") for number in range(count)]

    def validate_all(self) -> bool:
        """Whether the form and every row hold what can be sent on."""
        are_right = [self.validate(), *[row.validate() for row in self.rows]]
        for number, row in enumerate(self.rows, 1):
            for errors in row.errors.values():
                self._tell(number, str(errors[0]))
        return all(are_right)

    def milestones(self) -> list[Milestone]:
        """The rows, as the service wants them."""
        return [
            Milestone(
                row.title.data,
                row.amount.data,
                row.expires_at.data.replace(tzinfo=UTC) if row.expires_at.data else None,
            )
            for row in self.rows
        ]

    def take_errors(self, error: DuxosError) -> None:
        """Put the messages beside the fields, those of a part into its row."""
        elsewhere: dict[str, str] = {}
        for name, message in error.fields.items():
            field, _dot, rest = name.partition(".")
            number, _dot, part = rest.partition(".")
            if field == FIELD and part in ("title", "amount", "expires_at"):
                text = translated(message)
                row = self.rows[int(number)]
                row[part].errors = [*row[part].errors, text[:1].upper() + text[1:]]
                self._tell(int(number) + 1, text)
            else:
                elsewhere[name] = message
        if elsewhere or not error.fields:
            super().take_errors(type(error)(error.detail, fields=elsewhere))

    def _tell(self, number: int, message: str) -> None:
        self.form_errors.append(_("Part %(number)d: %(message)s", number=number, message=message))

    @property
    def has_further_terms(self) -> bool:
        """Whether the terms that are folded away hold something, or something about them is wrong."""
        return any(self[name].data or self[name].errors for name in self.FURTHER)
