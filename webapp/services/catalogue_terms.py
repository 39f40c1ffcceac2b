"""Reading and checking what a provider says of a service. Every complaint names its field; all come at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from webapp.config import Settings
from webapp.domain.exceptions import InvalidAmountError, ValidationError
from webapp.domain.money import Amount
from webapp.domain.result_rules.kinds import Kind
from webapp.domain.result_rules.limits import read_limits
from webapp.domain.said import said
from webapp.models import CatalogueService

MAX_NAME_LENGTH = 128
MAX_DESCRIPTION_LENGTH = 1000


class ServiceReader:
    """Collects complaints while it reads, and raises them together."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.escrow
        self._complaints: dict[str, str] = {}

    def read(self, present: CatalogueService | None, **given: Any) -> dict[str, Any]:
        """The columns of what was said: of a new service with None, else of the changes to the `present` one.

        `price`, `deadline_hours` and `acceptance_hours` of None (or an empty price) are none. Raises ValidationError.
        """
        readings: dict[str, Callable[[Any], Any]] = {
            "price": self._price,
            "requires_result": self._flag("requires_result"),
            "deadline_hours": self._hours("deadline_hours", 1),
            # A service may give the payer more time to object than is usual here, never less.
            "acceptance_hours": self._hours("acceptance_hours", self._settings.acceptance_window_hours),
            "description": self._description,
            "is_active": self._flag("is_active"),
        }
        values: dict[str, Any] = {name: readings[name](given[name]) for name in readings if name in given}
        kind = Kind(present.kind) if present else self._kind(given.get("kind"))
        if present is None:
            values |= {"name": self._name(given.get("name")), "kind": kind}
        if kind is not None and (present is None or "limits" in given):
            values["limits"] = self._limits(kind, given.get("limits", {}))
        if kind is Kind.HASH and values.get("requires_result"):
            self._complaints["requires_result"] = said("must be off: of a hash there is no result to check")
        if self._complaints:
            detail = "; ".join(f"{field}: {message}" for field, message in self._complaints.items())
            raise ValidationError(detail, fields=self._complaints)
        return values

    def _name(self, value: object) -> str:
        text = value.strip() if isinstance(value, str) else ""
        if not text or len(text) > MAX_NAME_LENGTH or not text.isprintable():
            self._complaints["name"] = said(
                "must be 1 to {max_name_length} printable characters", max_name_length=MAX_NAME_LENGTH
            )
        return text

    def _kind(self, value: object) -> Kind | None:
        if not isinstance(value, str) or value not in tuple(Kind):
            self._complaints["kind"] = said("must be one of {names}", names=", ".join(Kind))
            return None
        return Kind(value)

    def _limits(self, kind: Kind, value: object) -> dict[str, Any]:
        try:
            return read_limits(kind, value, self._settings.max_result_size)
        except ValidationError as error:
            self._complaints |= error.fields
            return {}

    def _price(self, value: object) -> Amount | None:
        if value is None or value == "":
            return None
        try:
            price = Amount.parse(value, field="price")
        except InvalidAmountError as error:
            self._complaints |= error.fields
            return None
        least, most = self._settings.min_amount, self._settings.max_amount
        if not least <= price <= most:
            self._complaints["price"] = said(
                "must be between {least} and {most} FLOP", least=least, most=most
            )
        return price

    def _flag(self, field: str) -> Callable[[object], bool]:
        def read(value: object) -> bool:
            if not isinstance(value, bool):
                self._complaints[field] = said("must be true or false")
            return bool(value)

        return read

    def _hours(self, field: str, least: int) -> Callable[[object], int | None]:
        most = self._settings.max_deadline_hours

        def read(value: object) -> int | None:
            if value is None:
                return None
            if type(value) is not int or not least <= value <= most:
                self._complaints[field] = said(
                    "must be a whole number of hours from {least} to {most}", least=least, most=most
                )
                return None
            return value

        return read

    def _description(self, value: object) -> str:
        text = value.strip().replace("\r\n", "\n") if isinstance(value, str) else "\0"
        if len(text) > MAX_DESCRIPTION_LENGTH or not text.replace("\n", " ").isprintable():
            self._complaints["description"] = said(
                "must be at most {max_description_length} printable characters",
                max_description_length=MAX_DESCRIPTION_LENGTH,
            )
        return text
