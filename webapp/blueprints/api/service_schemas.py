"""What the endpoints of the service catalogue take and give."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from webapp.blueprints.api.fields import AmountIn, AmountOut, MomentOut, Text, WalletId
from webapp.blueprints.api.schemas import Answer, RequestPart
from webapp.domain.pagination import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from webapp.domain.result_rules.kinds import Kind

_LIMITS = (
    "Rules for its results. Of all but `hash`: `min_bytes`, `max_bytes`, `advisory` (rules that only report). image: "
    "`formats`, `modes`, `width`, `height`, `min_width`, `max_width`, `min_height`, `max_height`, `max_pixels`. text: "
    "`min_characters`, `max_characters`, `language` (ISO 639-1). computation: `schema` (JSON Schema 2020-12 without "
    "patterns) and `checks`"
)


class ServicePath(RequestPart):
    """A service's id in the address."""

    id: int = Field(description="The service's id", json_schema_extra={"example": 1})


class ServiceQuery(RequestPart):
    """Which services to list."""

    text: Text | None = Field(None, description="Only those with this in their name or description")
    kind: Kind | None = Field(None, description="Only those of this kind")
    wallet_id: int | None = Field(
        None, description="Only those of this wallet; of the key's own also those that are not active"
    )
    limit: int = Field(DEFAULT_PAGE_SIZE, ge=1, le=MAX_PAGE_SIZE, description="How many at most")
    cursor: str | None = Field(None, description="`next_cursor` of the page before")


class ServiceChange(RequestPart):
    """What changes about a service. What is left out stays as it is; orders keep what they were made with."""

    description: str | None = Field(None, max_length=1000)
    price: AmountIn | None = Field(None, description="FLOP; null: as payer and provider agree")
    limits: dict[str, Any] | None = Field(
        None, description=_LIMITS, examples=[{"formats": ["PNG"], "width": 1024, "height": 1024}]
    )
    requires_result: bool | None = Field(
        None, description="Whether a delivery has to bring the result itself, to be checked"
    )
    deadline_hours: int | None = Field(
        None, strict=True, description="To deliver, where an order names no deadline; null: as usual"
    )
    acceptance_hours: int | None = Field(
        None, strict=True, description="For the payer to object; not less than is usual here. null: as usual"
    )
    is_active: bool | None = Field(None, description="false retires it: it is not found and not ordered")


class NewService(ServiceChange):
    """A service to be offered. An escrow with its name and wallet is an order of it."""

    name: Text = Field(description="The escrow's `service_name`", examples=["image_upscaler_v1"])
    kind: Kind
    provider_wallet_id: WalletId | None = Field(None, description="Whose it is; the key's wallet without it")


class ServiceDocument(Answer):
    """A service of the catalogue."""

    id: int
    name: str = Field(examples=["image_upscaler_v1"])
    kind: Kind
    provider_wallet_id: int
    price: AmountOut | None
    limits: dict[str, Any]
    requires_result: bool
    deadline_hours: int | None
    acceptance_hours: int | None
    description: str
    is_active: bool
    created_at: MomentOut
    updated_at: MomentOut


class CreatedService(ServiceDocument):
    """A new service, with its address in `Location`."""


class ServicePage(Answer):
    """Some services, the newest first."""

    items: list[ServiceDocument]
    next_cursor: str | None = Field(description="What to ask for the next page with; null on the last one")
