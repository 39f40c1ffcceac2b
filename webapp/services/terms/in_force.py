"""Terms in force: what parties, keys and nodes do is written down and judged in one unit of work.

A fact that comes after the moment that decided is refused. What is due by then is done in a unit of work of its own
(`settle_due`), so that the refusal does not undo it.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from webapp.domain.canonical import normalize_result_hash, sha256_hex
from webapp.domain.escrow_states import Party
from webapp.domain.exceptions import (
    ConflictError,
    PermissionDeniedError,
    ResultValidationError,
    ValidationError,
)
from webapp.domain.roles import Scope
from webapp.domain.said import said
from webapp.domain.terms.facts import moment_of, statement_faults
from webapp.domain.terms.language import AttestedBy, Fact, PayerApproves, PreimageOf, VerifierApproves
from webapp.models import Escrow, Node
from webapp.services.node_registry import NodeAuthService
from webapp.services.secret_box import SecretBox
from webapp.services.terms import judging
from webapp.services.terms.settlement import Entry, TermsSettlement
from webapp.services.terms.witnesses import named_nodes
from webapp.services.unit_of_work import unit_of_work

MAX_PREIMAGE_BYTES = 1024


class TermsInForce(TermsSettlement):
    """What parties, keys and nodes do to escrows with terms of their own, for one actor."""

    def approve(self, escrow_id: uuid.UUID | str) -> Escrow:
        """The payer or the verifier says that the result is good; what else is missing, the terms say.

        Raises EscrowStateError, PermissionDeniedError, ConflictError when the terms do not ask for it (any more).
        """
        self._actor.require_scope(Scope.ESCROW_RELEASE)
        with unit_of_work(self._session):
            escrow, judged, now = self.open(escrow_id)
            kinds = self._approvals(self._moves.parties(escrow))
            if not kinds:
                raise PermissionDeniedError(said("only the payer or the verifier may approve"))
            asked = [kind for leaf, kind in kinds.items() if leaf in judged.terms.facts]
            if not asked:
                raise ConflictError(said("the terms of the escrow do not ask for your approval"))
            for kind in asked:
                by = {"by": kind.partition("_")[0]}
                self.add(escrow, Entry(kind, "", {}), "approved", by, now)
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
            escrow, judged, now = self.open(escrow_id)
            if PreimageOf(sha256) not in judged.terms.facts:
                raise ValidationError.of("preimage", said("is not the secret that the terms ask for"))
            shown = {"sha256": sha256, "preimage": data.hex()}
            self.add(escrow, Entry(judging.PREIMAGE, sha256, shown), "revealed", shown, now)
            self.settle(escrow)
        return escrow

    def attest(self, escrow_id: uuid.UUID | str, statement: dict[str, Any]) -> Escrow:
        """A key that the terms name says something. It stands as it was said, and cannot be taken back.

        Raises EscrowStateError, ConflictError, PermissionDeniedError, ValidationError naming `statement`.
        """
        self._actor.require_scope(Scope.ESCROW_RELEASE)
        with unit_of_work(self._session):
            escrow, judged, now = self.open(escrow_id)
            leaves = [leaf for leaf in judged.terms.facts if isinstance(leaf, AttestedBy)]
            own = [leaf for leaf in leaves if leaf.key_id in self._actor.key_ids]
            if not own:
                raise PermissionDeniedError(
                    said("the terms of the escrow do not ask for an attestation of this key")
                )
            fitting = [leaf for leaf in own if not statement_faults(leaf, statement)]
            if not fitting:
                raise ValidationError.of("statement", "; ".join(statement_faults(own[0], statement)))
            # What is asked for once is kept once: all that is kept is judged again at every look.
            missing = {leaf.key_id for leaf in fitting if moment_of(leaf, judged.facts) is None}
            if not missing:
                raise ConflictError(said("this has been said before, and stands"))
            for key_id in sorted(missing):
                told = {"key_id": key_id, "statement": statement}
                key = f"{key_id}:{sha256_hex(statement)}"
                self.add(escrow, Entry(judging.ATTESTATION, key, told), "attested", told, now)
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
            escrow, judged, now = self.open(escrow_id)
            if node_id not in named_nodes(judged.terms):
                raise _refused("node_id", said("is not a node that the terms name"))
            if not self._is_signed(escrow, node_id, normal, signature):
                raise _refused("signature", said("is not the node’s signature over this result"))
            told = {"node_id": node_id, "result_hash": normal}
            kept = {"result_hash": normal, "signature": signature.lower()}
            self.add(escrow, Entry(judging.NODE_RESULT, node_id, kept), "node_result", told, now)
            self.settle(escrow)
        return escrow

    def _is_signed(self, escrow: Escrow, node_id: str, result_hash: str, signature: str) -> bool:
        node = self._session.get_one(Node, node_id)
        nodes = NodeAuthService(self._session, SecretBox.of(self._settings))
        return nodes.is_signed_by_provider(
            signature, node.wallet_id, node_id, escrow.id, escrow.amount, result_hash
        )


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
