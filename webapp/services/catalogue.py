"""The service catalogue: offers of providers, found by payers. What an order of one means is in `service_orders`.

A service is its provider's to change: the owner of its wallet, in person or with a key that has the scope. A node's
key never does. What is not active is seen by its owner alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import NotFoundError, PermissionDeniedError, ValidationError
from webapp.domain.pagination import Page, checked_limit, decode_cursor, row_id
from webapp.domain.result_rules.kinds import Kind
from webapp.domain.roles import Actor, Scope
from webapp.domain.said import said
from webapp.models import CatalogueService
from webapp.services.catalogue_terms import ServiceReader
from webapp.services.unit_of_work import unit_of_work

MAX_SERVICES_PER_WALLET = 100
_NAME_IS_TAKEN = said("is the name of another service of this wallet; it may be one that was retired")


@dataclass(frozen=True, slots=True)
class ServiceFilter:
    """Which services are listed; what is left empty narrows nothing. `is_active` of None: retired ones, too."""

    text: str = ""
    kind: str | None = None
    wallet_ids: Collection[int] | None = None
    is_active: bool | None = True


class Catalogue:
    """The services of one instance."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings

    def offer(self, actor: Actor, provider_wallet_id: int, **given: Any) -> CatalogueService:
        """A new service; `given` as `ServiceReader.read` takes it, `name` and `kind` among it.

        Raises PermissionDeniedError for a wallet of somebody else, ValidationError with every wrong field.
        """
        _require_owner(actor, provider_wallet_id)
        with unit_of_work(self._session):
            values = ServiceReader(self._settings).read(None, **given)
            if self._count(provider_wallet_id) >= MAX_SERVICES_PER_WALLET:
                raise ValidationError.of(
                    "provider_wallet_id",
                    said(
                        "has {max_services_per_wallet} services, the most there can be",
                        max_services_per_wallet=MAX_SERVICES_PER_WALLET,
                    ),
                )
            service = CatalogueService(provider_wallet_id=provider_wallet_id, **values)
            self._session.add(service)
            try:
                self._session.flush()
            except IntegrityError:
                raise ValidationError.of("name", _NAME_IS_TAKEN) from None
        return service

    def change(self, actor: Actor, service_id: int, **given: Any) -> CatalogueService:
        """Change what is named; orders that were made keep what they were made with. Name, kind and wallet stay.

        Raises NotFoundError, PermissionDeniedError, ValidationError with every wrong field.
        """
        with unit_of_work(self._session):
            service = self.get(actor, service_id)
            _require_owner(actor, service.provider_wallet_id)
            self._session.refresh(service, with_for_update=True)
            for name, value in ServiceReader(self._settings).read(service, **given).items():
                setattr(service, name, value)
            service.updated_at = utcnow()
            self._session.flush()
        return service

    def get(self, actor: Actor, service_id: int) -> CatalogueService:
        """The service. One that is not active is there for its owner only. Raises NotFoundError."""
        is_one = 0 < service_id < 2**63
        service = self._session.get(CatalogueService, service_id, populate_existing=True) if is_one else None
        if service is None or not (service.is_active or service.provider_wallet_id in actor.wallet_ids):
            raise NotFoundError(said("there is no such service"))
        return service

    def list(
        self, wanted: ServiceFilter, limit: int | None = None, cursor: str | None = None
    ) -> Page[CatalogueService]:
        """Services, the newest first. Raises ValidationError naming `text`, `kind`, `limit` or `cursor`."""
        size, before = checked_limit(limit), decode_cursor(cursor, row_id)
        conditions = list(_conditions(wanted))
        if before is not None:
            conditions.append(CatalogueService.id < before)
        statement = (
            select(CatalogueService)
            .where(*conditions)
            .order_by(CatalogueService.id.desc())
            .limit(size + 1)
            .execution_options(populate_existing=True)
        )
        return Page.of(list(self._session.scalars(statement)), size, lambda service: service.id)

    def _count(self, wallet_id: int) -> int:
        owned = select(func.count()).where(CatalogueService.provider_wallet_id == wallet_id)
        return self._session.execute(owned).scalar_one()


def _require_owner(actor: Actor, wallet_id: int) -> None:
    actor.require_scope(Scope.SERVICE_MANAGE)
    if wallet_id not in actor.wallet_ids or actor.node_id is not None:
        raise PermissionDeniedError(said("only the owner of a wallet manages its services"))


def _conditions(wanted: ServiceFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.is_active is not None:
        yield CatalogueService.is_active.is_(wanted.is_active)
    if wanted.wallet_ids is not None:
        yield CatalogueService.provider_wallet_id.in_(wanted.wallet_ids)
    if wanted.kind:
        if wanted.kind not in tuple(Kind):
            raise ValidationError.of("kind", said("must be one of {names}", names=", ".join(Kind)))
        yield CatalogueService.kind == wanted.kind
    if text := wanted.text.strip().lower():
        if not text.isprintable():
            raise ValidationError.of("text", said("must be printable"))
        yield or_(
            func.lower(CatalogueService.name).contains(text, autoescape=True),
            func.lower(CatalogueService.description).contains(text, autoescape=True),
        )
