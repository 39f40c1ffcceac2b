"""What time and the chain do to escrows with terms of their own: whatever has come due is judged, and done."""

from __future__ import annotations

import uuid
from datetime import timedelta

import structlog
from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.escrow_states import Status
from webapp.domain.exceptions import DuxosError
from webapp.domain.roles import WORKER
from webapp.models import Escrow, EscrowTerms
from webapp.services import downtime
from webapp.services.terms import records
from webapp.services.terms.settlement import TermsSettlement
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_integration import WalletIntegration

log = structlog.get_logger(__name__)

BATCH = 200
SET_ASIDE = timedelta(minutes=1)

# Asked of each that is due, and not the other way round: there are many more escrows in these states.
_IS_HOLDING = exists().where(
    Escrow.id == EscrowTerms.escrow_id, Escrow.status.in_((Status.ACTIVE, Status.DELIVERED))
)


class TermsClock:
    """One pass over what is due. Each escrow is a unit of work of its own; someone else may be quicker."""

    def __init__(self, session: Session, settings: Settings, wallets: WalletIntegration) -> None:
        self._session = session
        self._settings = settings
        self._terms = TermsSettlement(session, settings, WORKER, wallets)

    def run(self) -> int:
        """Judge what is due by time or by the chain's height. Returns how many ended.

        While the service is out, only what was due before is looked at: the other clocks stand still.
        """
        now = utcnow()
        now = downtime.ongoing(self._session, self._settings, now) or now
        height = records.known_height(self._session)
        due = self._due(EscrowTerms.next_look_at <= now, EscrowTerms.next_look_at)
        due |= self._due(EscrowTerms.next_height <= height, EscrowTerms.next_height)
        return sum(self._settle(each) for each in due)

    def _due(
        self, is_due: ColumnElement[bool], order: InstrumentedAttribute[object]
    ) -> dict[uuid.UUID, None]:
        statement = select(EscrowTerms.escrow_id).where(is_due, _IS_HOLDING).order_by(order).limit(BATCH)
        ids = dict.fromkeys(self._session.scalars(statement))
        self._session.commit()
        return ids

    def _settle(self, escrow_id: uuid.UUID) -> bool:
        try:
            return self._terms.settle_due(escrow_id)
        except DuxosError as error:
            # One escrow that cannot move must not hold up those behind it.
            log.error("escrow_terms_failed", escrow=str(escrow_id), reason=error.detail)
            with unit_of_work(self._session):
                records.set_aside(self._session, escrow_id, utcnow() + SET_ASIDE)
            return False
