"""Terms executed: judged when something has happened or may have, and what they decide done at once.

Whatever writes a fact down waits for the escrow's row first, so that facts of one escrow are judged one after another.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import to_rfc3339, utcnow
from webapp.domain.escrow_states import Party, Status
from webapp.domain.exceptions import ConflictError, EscrowStateError
from webapp.domain.money import ZERO
from webapp.domain.roles import WORKER, Actor
from webapp.domain.said import said
from webapp.domain.terms.outcome import Decision
from webapp.models import Escrow
from webapp.services import audit_trail
from webapp.services.escrow_division import EscrowDivision
from webapp.services.escrow_moves import EscrowMoves
from webapp.services.terms import judging, records
from webapp.services.terms.judging import Judgement, judge, too_late
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_integration import WalletIntegration


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact as it is kept."""

    kind: str
    key: str
    detail: dict[str, Any]


class TermsSettlement:
    """Judges and ends escrows with terms of their own, for one actor."""

    def __init__(
        self, session: Session, settings: Settings, actor: Actor, wallets: WalletIntegration
    ) -> None:
        self._session = session
        self._settings = settings
        self._actor = actor
        self._wallets = wallets
        self._moves = EscrowMoves(session, settings, actor, wallets)
        self._division = EscrowDivision(session, settings, actor, wallets)

    def settle_due(self, escrow_id: uuid.UUID) -> bool:
        """Do, in the worker's name, what the terms have decided by now. Whether the escrow ended by it."""
        if not self._session.get_one(Escrow, escrow_id, populate_existing=True).terms.decide_themselves:
            return False
        worker = self
        if not self._actor.is_clock:
            worker = TermsSettlement(self._session, self._settings, WORKER, self._wallets)
        with unit_of_work(self._session):
            escrow = records.lock_escrow(self._session, escrow_id)
            return escrow.terms.decide_themselves and worker.settle(escrow)

    def settle(self, escrow: Escrow) -> bool:
        """Do what the terms come to now, in the caller's unit of work, which has changed or locked the escrow's row.

        Whether the escrow ended by it; if not, when to look again is written down.
        """
        judged = self._judged_with_heights(escrow, utcnow())
        found = judged.outcome
        if found.decision is None:
            records.look_next(
                self._session, escrow.id, found.next_look_at, found.next_height, judged.awaits_payer
            )
            return False
        share = escrow.amount if found.decision is Decision.RELEASE else ZERO
        detail = {"by": Party.TERMS.value, "decided_at": to_rfc3339(found.at)}
        self._division.divide(escrow, share, Party.TERMS, detail)
        return True

    def open(self, escrow_id: uuid.UUID | str) -> tuple[Escrow, Judgement, datetime]:
        """The escrow, locked, while its terms have not decided; and the moment at which that was so."""
        escrow = records.lock_escrow(self._session, self._moves.get(escrow_id).id)
        if not escrow.has_own_terms:
            raise ConflictError(said("the escrow has no terms of its own"))
        if not escrow.terms.decide_themselves:
            stands = said("the escrow is disputed: its terms stand still")
            detail = (
                stands
                if escrow.status == Status.DISPUTED
                else said("the escrow is {status}", status=escrow.status)
            )
            raise EscrowStateError(detail, current_status=escrow.status)
        now = utcnow()
        judged = self._judged_with_heights(escrow, now)
        if judged.outcome.decision is not None:
            raise too_late(escrow, judged.outcome.decision)
        return escrow, judged, now

    def _judged_with_heights(self, escrow: Escrow, now: datetime) -> Judgement:
        """The judgement, with the moment of each height that the chain has reached written down for good."""
        judged = judge(self._session, self._settings, escrow, now)
        reached = records.known_height(self._session)
        new = [
            each.height
            for each in judged.terms.heights
            if each.height <= reached and each.height not in judged.facts.heights
        ]
        for height in new:
            entry = Entry(judging.HEIGHT, str(height), {})
            self.add(escrow, entry, "height_reached", {"height": height}, now, WORKER)
        return judge(self._session, self._settings, escrow, now) if new else judged

    def add(
        self,
        escrow: Escrow,
        entry: Entry,
        kind: str,
        told: dict[str, Any],
        now: datetime,
        actor: Actor | None = None,
    ) -> None:
        by = (actor or self._actor).name
        if not records.add_fact(self._session, escrow.id, entry.kind, entry.key, by, entry.detail, now):
            raise ConflictError(said("this has been said before, and stands"))
        audit_trail.append(self._session, escrow.id, kind, by, detail=told)
