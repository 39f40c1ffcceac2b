"""Terms in force: each fact is written down and judged in one unit of work, and what they decide is done at once.

A fact that comes after the moment that decided is refused; what is due by then is done first (`settle_due`), in a unit
of work of its own, so that the refusal does not undo it.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.canonical import normalize_result_hash, sha256_hex
from webapp.domain.clock import to_rfc3339, utcnow
from webapp.domain.escrow_states import Party, Status
from webapp.domain.exceptions import (
    ConflictError,
    EscrowStateError,
    PermissionDeniedError,
    ResultValidationError,
    ValidationError,
)
from webapp.domain.money import ZERO
from webapp.domain.roles import WORKER, Actor, Scope
from webapp.domain.said import said
from webapp.domain.terms.facts import statement_faults
from webapp.domain.terms.language import AttestedBy, Fact, PayerApproves, PreimageOf, VerifierApproves
from webapp.domain.terms.outcome import Decision
from webapp.models import Escrow, Node
from webapp.services import audit_trail
from webapp.services.escrow_division import EscrowDivision
from webapp.services.escrow_moves import EscrowMoves
from webapp.services.node_registry import NodeAuthService
from webapp.services.secret_box import SecretBox
from webapp.services.terms import judging, records
from webapp.services.terms.judging import Judgement, judge, too_late
from webapp.services.terms.witnesses import named_nodes
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_integration import WalletIntegration

MAX_PREIMAGE_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact as it is kept."""

    kind: str
    key: str
    detail: dict[str, Any]


class TermsInForce:
    """What parties, keys and nodes do to escrows with terms of their own, for one actor."""

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
            worker = TermsInForce(self._session, self._settings, WORKER, self._wallets)
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

    def approve(self, escrow_id: uuid.UUID | str) -> Escrow:
        """The payer or the verifier says that the result is good; what else is missing, the terms say.

        Raises EscrowStateError, PermissionDeniedError, ConflictError when the terms do not ask for it (any more).
        """
        self._actor.require_scope(Scope.ESCROW_RELEASE)
        with unit_of_work(self._session):
            escrow, judged, now = self._open(escrow_id)
            kinds = self._approvals(self._moves.parties(escrow))
            if not kinds:
                raise PermissionDeniedError(said("only the payer or the verifier may approve"))
            asked = [kind for leaf, kind in kinds.items() if leaf in judged.terms.facts]
            if not asked:
                raise ConflictError(said("the terms of the escrow do not ask for your approval"))
            for kind in asked:
                by = {"by": kind.partition("_")[0]}
                self._add(escrow, Entry(kind, "", {}), "approved", by, now)
            self.settle(escrow)
        return escrow

    def _approvals(self, parties: frozenset[Party]) -> dict[Fact, str]:
        may = dict[Fact, str]()
        if Party.PAYER in parties or self._actor.is_program:
            may[PayerApproves()] = judging.PAYER
        if Party.VERIFIER in parties:
            may[VerifierApproves()] = judging.VERIFIER
        return may

    def reveal(self, escrow_id: uuid.UUID | str, preimage: str) -> Escrow:
        """Show the secret (in hex) that a hash of the terms was made of. Whoever knows it may.

        Raises EscrowStateError, ConflictError, ValidationError naming `preimage`.
        """
        self._actor.require_scope(Scope.ESCROW_DELIVER)
        data = _bytes_of(preimage)
        sha256 = hashlib.sha256(data).hexdigest()
        with unit_of_work(self._session):
            escrow, judged, now = self._open(escrow_id)
            if PreimageOf(sha256) not in judged.terms.facts:
                raise ValidationError.of("preimage", said("is not the secret that the terms ask for"))
            shown = {"sha256": sha256, "preimage": data.hex()}
            self._add(escrow, Entry(judging.PREIMAGE, sha256, shown), "revealed", shown, now)
            self.settle(escrow)
        return escrow

    def attest(self, escrow_id: uuid.UUID | str, statement: dict[str, Any]) -> Escrow:
        """A key that the terms name says something. It stands as it was said, and cannot be taken back.

        Raises EscrowStateError, ConflictError, PermissionDeniedError, ValidationError naming `statement`.
        """
        self._actor.require_scope(Scope.ESCROW_RELEASE)
        with unit_of_work(self._session):
            escrow, judged, now = self._open(escrow_id)
            leaves = [leaf for leaf in judged.terms.facts if isinstance(leaf, AttestedBy)]
            own = [leaf for leaf in leaves if leaf.key_id in self._actor.key_ids]
            if not own:
                raise PermissionDeniedError(
                    said("the terms of the escrow do not ask for an attestation of this key")
                )
            fitting = {leaf.key_id for leaf in own if not statement_faults(leaf, statement)}
            if not fitting:
                raise ValidationError.of("statement", "; ".join(statement_faults(own[0], statement)))
            for key_id in sorted(fitting):
                told = {"key_id": key_id, "statement": statement}
                key = f"{key_id}:{sha256_hex(statement)}"
                self._add(escrow, Entry(judging.ATTESTATION, key, told), "attested", told, now)
            self.settle(escrow)
        return escrow

    def report_result(
        self, escrow_id: uuid.UUID | str, node_id: str, result_hash: str, signature: str
    ) -> Escrow:
        """A node that the terms name has come to a result, and signed it as a delivery is signed. Its first one counts.

        Raises EscrowStateError, ConflictError, ResultValidationError naming `node_id`, `result_hash`, `signature`.
        """
        self._actor.require_scope(Scope.ESCROW_DELIVER)
        normal = normalize_result_hash(result_hash)
        with unit_of_work(self._session):
            escrow, judged, now = self._open(escrow_id)
            if node_id not in named_nodes(judged.terms):
                raise _refused("node_id", said("is not a node that the terms name"))
            if not self._is_signed(escrow, node_id, normal, signature):
                raise _refused("signature", said("is not the node’s signature over this result"))
            told = {"node_id": node_id, "result_hash": normal}
            kept = {"result_hash": normal, "signature": signature.lower()}
            self._add(escrow, Entry(judging.NODE_RESULT, node_id, kept), "node_result", told, now)
            self.settle(escrow)
        return escrow

    def _is_signed(self, escrow: Escrow, node_id: str, result_hash: str, signature: str) -> bool:
        node = self._session.get_one(Node, node_id)
        nodes = NodeAuthService(self._session, SecretBox.of(self._settings))
        return nodes.is_signed_by_provider(
            signature, node.wallet_id, node_id, escrow.id, escrow.amount, result_hash
        )

    def _open(self, escrow_id: uuid.UUID | str) -> tuple[Escrow, Judgement, datetime]:
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
            self._add(escrow, entry, "height_reached", {"height": height}, now, WORKER)
        return judge(self._session, self._settings, escrow, now) if new else judged

    def _add(
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


def _bytes_of(preimage: str) -> bytes:
    try:
        data = bytes.fromhex(preimage)
    except ValueError:
        raise ValidationError.of("preimage", said("must be in hexadecimal")) from None
    if not 0 < len(data) <= MAX_PREIMAGE_BYTES:
        raise ValidationError.of("preimage", said("must be 1 to {most} bytes", most=MAX_PREIMAGE_BYTES))
    return data


def _refused(field: str, message: str) -> ResultValidationError:
    return ResultValidationError(
        said("{field}: {message}", field=field, message=message), fields={field: message}
    )
