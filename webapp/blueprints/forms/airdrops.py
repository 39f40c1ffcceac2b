"""The forms of an airdrop by hand: which nodes, how much, why; and the confirmation of what the dry run showed."""

from __future__ import annotations

import re
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import (
    Field,
    HiddenField,
    PasswordField,
    RadioField,
    SearchField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, Optional, StopValidation

from webapp.domain.exceptions import InvalidAmountError
from webapp.domain.money import Amount
from webapp.domain.node_health import Health
from webapp.services.nodes.registry import NodeFilter
from webapp.web.amount_field import AmountField
from webapp.web.forms import PageForm, readable_reason, stripped
from webapp.web.language import lazily
from webapp.web.node_view import health_label

EACH, TOGETHER = "each", "together"
HEALTHS = [
    SelectChoice("", _l("Any")),
    *(SelectChoice(each.value, lazily(health_label(each))) for each in Health),
]
_BETWEEN_IDS = re.compile(r"[\s,;]+")


def _printable(value: Any) -> Any:
    """A filter for what is looked for: the database cannot even carry some characters that a form can."""
    return "".join(filter(str.isprintable, value)) if isinstance(value, str) else value


def _an_amount(_form: FlaskForm, field: Field) -> None:
    try:
        Amount.parse(field.data)
    except InvalidAmountError as error:
        message = error.fields["amount"]
        raise StopValidation(message[:1].upper() + message[1:]) from error


class AirdropForm(PageForm):
    """What is to be given. The fields for finding nodes decide nothing; `searched` is what was looked for last."""

    text = SearchField(_l("Node id"), [Optional(), Length(max=64)], [_printable, stripped])
    capability = SearchField(_l("Can do"), [Optional(), Length(max=64)], [_printable, stripped])
    region = SearchField(_l("Region"), [Optional(), Length(max=32)], [_printable, stripped])
    health = SelectField(_l("Health"), [Optional()], choices=HEALTHS, default="")
    node_ids = TextAreaField(_l("Who gets something"), [DataRequired(_l("Name at least one node"))])
    share = RadioField(
        _l("The amount is"),
        choices=[
            SelectChoice(EACH, _l("for each node")),
            SelectChoice(TOGETHER, _l("for all together, in equal parts")),
        ],
        default=EACH,
    )
    amount = AmountField(
        _l("Amount"), [InputRequired(_l("Enter an amount")), Length(max=32), _an_amount], [stripped]
    )
    reason = StringField(_l("Reason"), [Optional(), readable_reason], [stripped])

    SEARCH = ("text", "capability", "region", "health")

    @property
    def named(self) -> list[str]:
        """The ids as they were typed or pasted: one a line, or set apart by commas or spaces."""
        return [node_id for node_id in _BETWEEN_IDS.split(self.node_ids.data or "") if node_id]

    def add(self, node_ids: list[str]) -> int:
        """Name these as well, those that are not named yet; how many those are."""
        named = self.named
        new = [node_id for node_id in dict.fromkeys(node_ids) if node_id not in set(named)]
        self.node_ids.data = "\n".join([*named, *new])
        return len(new)

    @property
    def order(self) -> dict[str, Any]:
        """Nodes and amount, as `ManualAirdrops` takes them."""
        name = "amount_per_node" if self.share.data == EACH else "total_amount"
        return {"node_ids": self.named, name: self.amount.data}

    @property
    def kept(self) -> dict[str, str]:
        """What the dry run carries along, so that nothing has to be typed twice."""
        names = (*self.SEARCH, "share", "amount", "reason")
        return {"node_ids": " ".join(self.named)} | {name: self[name].data or "" for name in names}

    @property
    def wanted(self) -> NodeFilter:
        """The nodes that are looked for: a suspended one can get nothing."""
        return NodeFilter(
            text=self.text.data or "",
            capability=self.capability.data or "",
            region=self.region.data or "",
            health=Health(self.health.data) if self.health.data else None,
            status="active",
        )

    @property
    def sought(self) -> str:
        """What is looked for, as one text."""
        return " | ".join(self[name].data or "" for name in self.SEARCH)


class GiveForm(AirdropForm):
    """The same, agreed to: `shown` is the mark of what the dry run showed."""

    password = PasswordField(_l("Your password"), [InputRequired(_l("Enter your password")), Length(max=200)])
    shown = HiddenField()
