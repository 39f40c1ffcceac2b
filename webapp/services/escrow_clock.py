"""What time does to escrows: an unpaid or expired one is refunded, an accepted-by-silence one is released.

Those with terms of their own are left to `services.terms.clock`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import structlog
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.escrow_states import Status
from webapp.domain.exceptions import ConflictError, DuxosError, NotFoundError, PermissionDeniedError
from webapp.domain.said import said
from webapp.models import Escrow
from webapp.services import downtime
from webapp.services.escrow_funding import EscrowFunding
from webapp.services.escrow_manager import EscrowManager
from webapp.services.escrow_scans import is_in

log = structlog.get_logger(__name__)

BATCH = 200


class EscrowClock:
    """One pass over what is due. Each escrow is a unit of work of its own; someone else may be quicker."""

    def __init__(self, session: Session, manager: EscrowManager, settings: Settings) -> None:
        self._session = session
        self._manager = manager
        self._settings = settings
        self._funding = EscrowFunding(session, settings)

    def run(self) -> int:
        """Refund and release what is due. Returns how many changed.

        While the service is out, only what was due before is: the other clocks stand still.
        """
        now = utcnow()
        now = downtime.ongoing(self._session, self._settings, now) or now
        unpaid = self._funding.unpaid(now)
        self._session.commit()
        expired = self._due(Status.ACTIVE, Escrow.expires_at <= now, Escrow.expires_at)
        accepted = self._due(Status.DELIVERED, Escrow.accept_by <= now, Escrow.accept_by)
        return sum(
            [self._refund(each, said("it was not paid for in time")) for each in unpaid]
            + [self._refund(each, said("the deadline passed without a delivery")) for each in expired]
            + [self._release(each) for each in accepted]
        )

    def _due(
        self, status: Status, is_due: ColumnElement[bool], order: InstrumentedAttribute[Any]
    ) -> Sequence[uuid.UUID]:
        ids = self._session.scalars(
            select(Escrow.id).where(is_in(status), is_due, ~Escrow.has_own_terms).order_by(order).limit(BATCH)
        ).all()
        self._session.commit()
        return ids

    def _refund(self, escrow_id: uuid.UUID, reason: str) -> bool:
        return self._attempt(escrow_id, partial(self._manager.refund_escrow, escrow_id, reason))

    def _release(self, escrow_id: uuid.UUID) -> bool:
        return self._attempt(escrow_id, partial(self._manager.release_escrow, escrow_id))

    def _attempt(self, escrow_id: uuid.UUID, move: Callable[[], object]) -> bool:
        try:
            move()
        except (ConflictError, PermissionDeniedError, NotFoundError):
            return False  # A party acted between the look and the move.
        except DuxosError as error:
            # One escrow that cannot move must not hold up those behind it.
            log.error("escrow_clock_failed", escrow=str(escrow_id), reason=error.detail)
            return False
        return True
