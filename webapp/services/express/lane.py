"""The hot path: an escrow of the usual kind is created, delivered, released or refunded in one statement.

Each move goes the same way. What is asked for is checked by the rules that everything else goes by, against the escrow
as it was a moment ago; then one statement does it all if, and only if, nothing has changed since: the nonce and the
idempotency key of the request, the escrow's state, the money, the audit trail.

Whatever is not of the usual kind, is not allowed, or was changed meanwhile is answered None: nothing has happened, and
`EscrowManager` does it, or says why not. So there is one place that words refusals, and what the hot path leaves out
(own terms, deposits, disputes, the catalogue, payouts) is merely slower.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.audit_chain import GENESIS
from webapp.domain.clock import utcnow
from webapp.domain.escrow_facts import parties_of
from webapp.domain.escrow_states import MOVES, Action, Status, refusal
from webapp.domain.exceptions import DuxosError
from webapp.ledger.steps import values_of
from webapp.models.one_statement import NotDoneError, OneStatement
from webapp.models.plain_connection import plain_connection
from webapp.services.escrow_creation import columns_of
from webapp.services.escrow_terms import TermsReader, parsed_escrow_id
from webapp.services.express.plans import (
    Place,
    Plan,
    carry_out,
    entry_of,
    event_of,
    has_usual_terms,
    plan_creation,
    plan_delivery,
    plan_refund,
    plan_release,
)
from webapp.services.express.recent import RecentEscrows
from webapp.services.express.rows import EscrowRow, Seen, look
from webapp.services.express.statements import creation, move, named
from webapp.services.funding_terms import BALANCE
from webapp.services.idempotency import StoredAnswer
from webapp.services.key_ring import KeyRing
from webapp.services.live.announce import announce
from webapp.services.request_signing import NONCE_RETENTION, SignedRequest
from webapp.services.transaction_validator import TransactionValidator
from webapp.services.unit_of_work import let_go

_LIVE = (Status.ACTIVE, Status.DELIVERED)
Writer = Callable[[EscrowRow], StoredAnswer]


@dataclass(frozen=True, slots=True)
class Once:
    """A request that counts once: who signed it, its nonce, and its idempotency key with the hash of what it asks."""

    signed: SignedRequest
    key: str | None
    request_hash: str


class ExpressLane:
    """Serves one request. `write` makes the answer out of the escrow as it will be."""

    def __init__(
        self,
        session: Session,
        engine: Engine,
        settings: Settings,
        key_ring: KeyRing,
        recent: RecentEscrows,
        once: Once,
        write: Writer,
    ) -> None:
        self._session = session
        self._engine = engine
        self._settings = settings
        self._validator = TransactionValidator(session, settings, key_ring)
        self._recent = recent
        self._once = once
        self._actor = once.signed.actor
        self._write = write

    def create(self, terms: Mapping[str, Any]) -> StoredAnswer | None:
        """A new escrow, paid for from the balance; `terms` are those of `EscrowManager.create_escrow`."""
        is_own = terms["payer_wallet_id"] in self._actor.wallet_ids
        if not is_own or not has_usual_terms(terms):
            return None
        try:
            read = TermsReader(None, self._settings).read(**terms)
        except DuxosError:
            return None
        escrow = EscrowRow(**columns_of(read, self._settings.escrow.fund_basis_points))
        plan = plan_creation(escrow)
        is_limited = self._once.signed.key.has_spend_limit
        statement = creation(is_keyed=self._is_keyed, is_limited=is_limited)
        return self._do(statement, escrow, plan, Place(1, GENESIS), self._spending(escrow))

    def deliver(self, escrow_id: str, result_hash: str, provider_signature: str) -> StoredAnswer | None:
        """The provider's signed result, without the result itself."""

        def plan(escrow: EscrowRow, now: datetime) -> Plan:
            result = (result_hash, provider_signature)
            return plan_delivery(self._validator, self._settings, escrow, now, *result)

        return self._move(escrow_id, Action.DELIVER, plan)

    def release(
        self, escrow_id: str, result_hash: str | None, provider_signature: str | None
    ) -> StoredAnswer | None:
        """The payer or the verifier accepts. A provider that is paid out on the chain takes the ordinary way."""

        def plan(escrow: EscrowRow, now: datetime) -> Plan:
            return plan_release(self._validator, escrow, now, result_hash, provider_signature)

        return self._move(escrow_id, Action.RELEASE, plan)

    def refund(self, escrow_id: str, reason: str) -> StoredAnswer | None:
        """What it holds goes back to the payer's balance."""
        return self._move(escrow_id, Action.REFUND, lambda escrow, now: plan_refund(escrow, now, reason))

    def _move(
        self, escrow_id: str, action: Action, plan: Callable[[EscrowRow, datetime], Plan]
    ) -> StoredAnswer | None:
        try:
            wanted = parsed_escrow_id(escrow_id)
            recent = self._recent.take(wanted)
            answer = None if recent is None else self._attempt(recent, action, plan)
            if answer is None and (seen := self._look(wanted)) is not None:
                answer = self._attempt(seen, action, plan)
        except DuxosError:
            return None
        return answer

    def _attempt(
        self, seen: Seen, action: Action, plan: Callable[[EscrowRow, datetime], Plan]
    ) -> StoredAnswer | None:
        """Change the escrow if it is as it was seen. Raises DuxosError for what is not allowed."""
        escrow, now = seen.escrow, utcnow()
        if not self._is_usual(seen, action, now):
            return None
        made = plan(escrow, now)
        values = {
            "seen_status": escrow.status,
            "seen_updated_at": escrow.updated_at,
            "escrow_id": escrow.id,
            "provider_wallet": escrow.provider_wallet_id,
        }
        carry_out(escrow, action, made, now)
        statement = move(action, is_keyed=self._is_keyed)
        return self._do(statement, escrow, made, Place(seen.last_sequence + 1, seen.last_hash), values)

    def _look(self, escrow_id: uuid.UUID) -> Seen | None:
        let_go(self._session)
        with plain_connection(self._engine) as connection:
            return look(connection, escrow_id)

    def _is_usual(self, seen: Seen, action: Action, now: datetime) -> bool:
        """Whether it is of the usual kind, no deadline seems to have passed, and the actor may do this to it."""
        escrow, terms = seen.escrow, seen.escrow.terms
        if terms.status not in _LIVE or (terms.status, action) not in MOVES:
            return False
        if terms.has_own_terms or escrow.funding != BALANCE:
            return False
        if terms.has_expired(now) or terms.window_is_over(now):
            return False
        if action is Action.RELEASE and seen.payout_address:
            return False
        return refusal(terms, action, parties_of(escrow, self._actor), now) is None

    def _do(
        self,
        statement: OneStatement,
        escrow: EscrowRow,
        plan: Plan,
        place: Place,
        more: Mapping[str, Any] | None = None,
    ) -> StoredAnswer | None:
        """Run the statement. The answer is written first, since it is stored with what it tells of."""
        answer = self._write(escrow)
        event = event_of(self._actor.name, escrow, plan, place)
        values = {
            **named("escrow", plan.columns),
            **self._request_values(answer, escrow.updated_at),
            **named("told", event),
            **(more or {}),
        }
        if plan.moves:
            key, kind = entry_of(escrow, plan)
            values |= values_of(key, kind, plan.moves, escrow.updated_at)
        let_go(self._session)
        try:
            with plain_connection(self._engine) as connection:
                statement.run(connection, values)
        except NotDoneError:
            return None
        if escrow.status in _LIVE:
            self._recent.keep(Seen(escrow, place.sequence, event["hash"], None), len(answer.body))
        announce(self._engine)
        return answer

    @property
    def _is_keyed(self) -> bool:
        return self._once.key is not None

    def _spending(self, escrow: EscrowRow) -> dict[str, Any]:
        return {"spending_key": self._actor.first_key_id, "spending_units": escrow.amount.base_units}

    def _request_values(self, answer: StoredAnswer, now: datetime) -> dict[str, Any]:
        signed = self._once.signed
        return {
            "nonce_key_id": signed.key.key_id,
            "nonce_nonce": signed.nonce,
            "nonce_expires_at": now + NONCE_RETENTION,
            "answer_principal": self._actor.principal,
            "answer_key": self._once.key,
            "answer_request_hash": self._once.request_hash,
            "answer_response_status": answer.status,
            "answer_response_location": answer.location,
            "answer_response_body": answer.body,
            "answer_created_at": now,
        }
