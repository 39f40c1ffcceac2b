"""The forms of nodes: finding some, registering one, changing it, giving it a new secret."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from wtforms import RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Length, Optional

from webapp.models import Node
from webapp.web.forms import PageForm, stripped

TO_BALANCE, TO_CHAIN = "balance", "chain"
WAYS_OF_AIRDROPS = [
    SelectChoice(
        TO_BALANCE, _l("Into the balance\nThey are there at once, and you withdraw them when you like.")
    ),
    SelectChoice(
        TO_CHAIN, _l("To an address on the chain\nThey are paid out by themselves, less the network fee.")
    ),
]
STATUSES = [
    SelectChoice("", _l("Any")),
    SelectChoice("active", _l("Active")),
    SelectChoice("suspended", _l("Suspended")),
]


class NodeSearchForm(PageForm):
    """Which nodes are listed. What is left empty narrows nothing."""

    text = StringField(_l("Node id"), [Optional(), Length(max=64)], [stripped])
    capability = StringField(_l("Can do"), [Optional(), Length(max=64)], [stripped])
    region = StringField(_l("Region"), [Optional(), Length(max=32)], [stripped])
    status = SelectField(_l("State"), choices=STATUSES, default="")

    def sought(self) -> dict[str, str]:
        """What was asked for, by field, for the address."""
        return {name: value for name, value in self.data.items() if value}


class RegisterNodeForm(PageForm):
    """A new node. What the words may be is judged by `services.nodes.registry`."""

    node_id = StringField(
        _l("Node id"), [InputRequired(_l("Give the node an id")), Length(max=64)], [stripped]
    )
    wallet_id = SelectField(_l("It earns for"), coerce=int)
    region = StringField(_l("Region"), [Optional(), Length(max=32)], [stripped])
    capabilities = StringField(_l("What can it do?"), [Optional(), Length(max=2000)], [stripped])
    version = StringField(_l("Version"), [Optional(), Length(max=32)], [stripped])
    airdrop_to = RadioField(_l("Where do its airdrops go?"), choices=WAYS_OF_AIRDROPS, default=TO_BALANCE)
    airdrop_address = StringField(_l("Address for its airdrops"), [Optional(), Length(max=64)], [stripped])

    def offer(self, wallets: list[tuple[int, str]]) -> None:
        """Let the owner choose one of these wallets (id, name)."""
        self.wallet_id.choices = wallets

    @property
    def terms(self) -> dict[str, Any]:
        """What the registry takes, without the id and the wallet. An address that is not used stays what it was."""
        names = (self.capabilities.data or "").lower().split(",")
        return {
            "region": self.region.data or "",
            "version": self.version.data or "",
            "capabilities": [name.strip() for name in names if name.strip()],
            "airdrop_to": self.airdrop_to.data,
            "airdrop_address": (self.airdrop_address.data or "")
            if self.airdrop_to.data == TO_CHAIN
            else None,
        }


class ChangeNodeForm(RegisterNodeForm):
    """The same of a node that is there: its id and its owner stay."""

    node_id = None
    wallet_id = None

    @classmethod
    def of(cls, node: Node) -> ChangeNodeForm:
        """The form as the node stands."""
        return cls(
            formdata=None,
            region=node.region,
            capabilities=", ".join(each.name for each in node.capabilities),
            version=node.version,
            airdrop_to=node.airdrop_to,
            airdrop_address=node.airdrop_address,
        )
