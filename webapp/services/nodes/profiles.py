"""Reading and checking what an owner says of a node. Every complaint names its field; all come at once."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from sqlalchemy.orm import Session

from webapp.domain.addresses import check_address
from webapp.domain.exceptions import InvalidAddressError, ValidationError
from webapp.domain.said import said
from webapp.models import DepositAddress
from webapp.services.nodes.enrolment import BAD_NODE_ID, is_node_id

MAX_CAPABILITIES = 32
MAX_TEXT = 32
AIRDROP_TO = ("balance", "chain")
_CAPABILITY = re.compile(r"[a-z0-9._-]{1,64}", re.ASCII)


class ProfileReader:
    """Collects complaints while it reads, and raises them together. None stands for what is not said."""

    def __init__(self, session: Session, network: str) -> None:
        self._session = session
        self._network = network
        self._complaints: dict[str, str] = {}

    def read(
        self,
        *,
        node_id: str | None = None,
        region: str | None = None,
        version: str | None = None,
        capabilities: Collection[str] | None = None,
        airdrop_to: str | None = None,
        airdrop_address: str | None = None,
    ) -> tuple[dict[str, Any], tuple[str, ...] | None]:
        """The columns of what was said, and the capabilities, each once. An empty address is none.

        Raises ValidationError with every wrong field.
        """
        if node_id is not None and not is_node_id(node_id):
            self._complaints["node_id"] = BAD_NODE_ID
        said = {
            "region": self._text("region", region),
            "version": self._text("version", version),
            "airdrop_to": self._destination(airdrop_to),
        }
        values: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
        if airdrop_address is not None:
            values["airdrop_address"] = self._address(airdrop_address.strip()) or None
        names = None if capabilities is None else self._capabilities(capabilities)
        if self._complaints:
            detail = "; ".join(f"{field}: {message}" for field, message in self._complaints.items())
            raise ValidationError(detail, fields=self._complaints)
        return values, names

    def _text(self, field: str, value: str | None) -> str | None:
        text = None if value is None else value.strip()
        if text and (len(text) > MAX_TEXT or not text.isprintable()):
            self._complaints[field] = said(
                "must be at most {max_text} printable characters", max_text=MAX_TEXT
            )
        return text

    def _destination(self, value: str | None) -> str | None:
        if value is not None and value not in AIRDROP_TO:
            self._complaints["airdrop_to"] = said("must be {names}", names=" or ".join(AIRDROP_TO))
        return value

    def _address(self, value: str) -> str:
        """Coins sent to one of our own addresses would come back as a deposit, less the network fee."""
        if not value:
            return value
        try:
            check_address(value, self._network, "airdrop_address")
        except InvalidAddressError as error:
            self._complaints |= error.fields
        else:
            if self._session.get(DepositAddress, value) is not None:
                self._complaints["airdrop_address"] = said(
                    "is an address of this service; choose balance instead"
                )
        return value

    def _capabilities(self, names: Collection[str]) -> tuple[str, ...]:
        wanted = tuple(sorted(set(names)))
        if len(wanted) > MAX_CAPABILITIES or not all(_CAPABILITY.fullmatch(name) for name in wanted):
            self._complaints["capabilities"] = said(
                "must be at most {max_capabilities} names of 1 to 64 small letters, digits, dots, "
                "dashes or underscores",
                max_capabilities=MAX_CAPABILITIES,
            )
        return wanted
