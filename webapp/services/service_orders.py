"""What an escrow orders of the catalogue: the rules of its service as they stood when it was created.

They are kept with the escrow (`Escrow.service_terms`), and their hash in the first row of its audit trail: a provider
who changes a service changes nothing of what was ordered before.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import ValidationError
from webapp.domain.money import Amount
from webapp.domain.numbers import LARGEST_NUMBER
from webapp.domain.result_rules.kinds import Kind
from webapp.domain.result_rules.orders import ordered_limits
from webapp.domain.said import said
from webapp.models import CatalogueService
from webapp.services.express.rows import AnyEscrow
from webapp.services.funding_terms import DEPOSIT


@dataclass(frozen=True, slots=True)
class ServiceOrder:
    """The rules that the result of one escrow has to keep. `acceptance_hours` of None is the usual time."""

    service_id: int
    kind: str
    requires_result: bool
    limits: dict[str, Any]
    acceptance_hours: int | None

    @classmethod
    def of(cls, escrow: AnyEscrow) -> ServiceOrder | None:
        """The order that an escrow is; None when its service is not of the catalogue."""
        return cls(**escrow.service_terms) if escrow.service_terms else None


def ordered_service(session: Session, terms: dict[str, Any]) -> CatalogueService | None:
    """The active service that an escrow on these terms orders: the provider's of this name. They may be wrong still."""
    name, wallet_id = terms.get("service_name"), terms.get("provider_wallet_id")
    if not isinstance(name, str) or not name.strip().isprintable() or type(wallet_id) is not int:
        return None
    if not 0 < wallet_id <= LARGEST_NUMBER:
        return None
    statement = select(CatalogueService).where(
        CatalogueService.provider_wallet_id == wallet_id,
        CatalogueService.name == name.strip(),
        CatalogueService.is_active,
    )
    return session.scalars(statement.execution_options(populate_existing=True)).one_or_none()


def with_usual_deadline(
    service: CatalogueService | None, settings: Settings, terms: dict[str, Any]
) -> dict[str, Any]:
    """The terms, with the service's time to deliver, counted from when they are paid for, where they name none."""
    if service is None or service.deadline_hours is None:
        return terms
    if terms.get("expires_at") is not None or terms.get("terms") is not None:
        return terms
    escrow = settings.escrow
    waits = escrow.default_funding_hours if terms.get("funding") == DEPOSIT else 0
    hours = min(service.deadline_hours + waits, escrow.max_deadline_hours)
    return terms | {"expires_at": utcnow() + timedelta(hours=hours)}


def order_document(
    service: CatalogueService | None, settings: Settings, metadata: dict[str, Any]
) -> dict[str, Any] | None:
    """What the escrow keeps. Raises ValidationError naming `metadata` when it asks for what the service cannot do."""
    if service is None:
        return None
    kind = Kind(service.kind)
    limits = ordered_limits(kind, service.limits, metadata, settings.escrow.max_result_size)
    order = ServiceOrder(service.id, kind.value, service.requires_result, limits, service.acceptance_hours)
    return asdict(order)


def require_price(service: CatalogueService | None, amount: Amount) -> None:
    """Raises ValidationError naming `amount` for less than the service costs."""
    if service is not None and service.price is not None and amount < service.price:
        raise ValidationError.of(
            "amount", said("must be at least the price of the service, {price} FLOP", price=service.price)
        )


def acceptance_hours(escrow: AnyEscrow, settings: Settings) -> int:
    """How long the payer has to object to a delivery."""
    order = ServiceOrder.of(escrow)
    return (order.acceptance_hours if order else None) or settings.escrow.acceptance_window_hours
