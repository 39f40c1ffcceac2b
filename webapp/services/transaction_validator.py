"""Whether a result may settle an escrow: its hash, the provider's signature over it, and the rules of its service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from webapp.config import Settings, load_config
from webapp.domain.canonical import is_result_signature, normalize_result_hash
from webapp.domain.escrow_states import Status
from webapp.domain.exceptions import ResultValidationError, ValidationError
from webapp.domain.said import said
from webapp.services.express.rows import AnyEscrow
from webapp.services.key_ring import KeyRing
from webapp.services.node_registry import NodeAuthService
from webapp.services.result_inspection import Inspection
from webapp.services.secret_box import SecretBox
from webapp.services.service_orders import ServiceOrder


@dataclass(frozen=True, slots=True)
class ProvenResult:
    """A result that the provider signed: its hash in the normal form, and the node whose key it was, if any's."""

    result_hash: str
    node_id: str | None


class TransactionValidator:
    """Checks deliveries. `TransactionValidator(session)` reads the configured instance's settings.

    With a key ring the provider's keys are those that the process knows, at most a second old.
    """

    def __init__(
        self, db_session: Session, config: Settings | None = None, key_ring: KeyRing | None = None
    ) -> None:
        self._session = db_session
        self._config = config
        self._key_ring = key_ring

    def validate_result(self, escrow: AnyEscrow, result_hash: str, provider_signature: str) -> bool:
        """Whether this result, signed like this, may settle the escrow."""
        try:
            self.require_valid_result(escrow, result_hash, provider_signature)
        except ResultValidationError:
            return False
        return True

    def require_valid_result(
        self, escrow: AnyEscrow, result_hash: object, provider_signature: object
    ) -> ProvenResult:
        """The result as it may settle the escrow. Raises ResultValidationError with the field and the reason."""
        try:
            normal = normalize_result_hash(result_hash)
        except ValidationError as error:
            raise ResultValidationError(error.detail, fields=error.fields) from None
        if escrow.expected_result_hash not in (None, normal):
            raise _refused("result_hash", said("is not the hash that the escrow expects"))
        if escrow.result_hash not in (None, normal):
            raise _refused("result_hash", said("is not the hash that was delivered"))
        if isinstance(provider_signature, str):
            about = (escrow.id, escrow.amount, normal)
            for node_id, secret in self._signers(escrow.provider_wallet_id, escrow.provider_node_id):
                if is_result_signature(provider_signature, secret, *about):
                    return ProvenResult(normal, node_id)
        raise _refused("provider_signature", said("is not the provider's signature over this result"))

    def _signers(self, wallet_id: int, node_id: str | None) -> Iterator[tuple[str | None, str]]:
        """Node and secret of each key that may sign for the wallet, or for its node if one is named."""
        if self._key_ring is None:
            nodes = NodeAuthService(self._session, SecretBox.of(self._config or load_config()))
            for key, secret in nodes.usable_secrets(wallet_id, node_id):
                yield key.node_id, secret
            return
        for known in self._key_ring.signers(self._session, wallet_id, node_id):
            yield known.node_id, known.secret

    def require_accepted(
        self, escrow: AnyEscrow, result_hash: str | None, provider_signature: str | None
    ) -> tuple[ProvenResult, str]:
        """The result that a release accepts, with its signature. What was delivered need not be named again.

        Raises ResultValidationError.
        """
        delivered = (escrow.result_hash, escrow.provider_signature)
        if delivered[0] and delivered[1] and result_hash in (None, "") and provider_signature in (None, ""):
            # Checked when it was delivered; a key that has ended since does not undo it.
            return ProvenResult(delivered[0], escrow.worked_by_node_id), delivered[1]
        if not result_hash or not provider_signature:
            raise _refused("result_hash" if not result_hash else "provider_signature", said("is needed"))
        proven = self.require_valid_result(escrow, result_hash, provider_signature)
        return proven, provider_signature.lower()

    def require_result_rules(
        self, escrow: AnyEscrow, result_hash: str, inspection: Inspection | None
    ) -> dict[str, Any]:
        """What the audit trail keeps of a result besides its hash: `report`, or nothing when the hash came alone.

        Raises ResultValidationError with every rule that refuses it, or when the service wants to see the result
        itself. An arbiter who decides a dispute is bound by no such wish.
        """
        if inspection is None:
            order = ServiceOrder.of(escrow)
            is_first = escrow.result_hash is None and escrow.status != Status.DISPUTED
            if order is not None and order.requires_result and is_first:
                raise _refused(
                    "result", said("is needed: results of this service are checked before they count")
                )
            return {}
        if inspection.result_hash != result_hash:
            raise _refused("result_hash", said("is not the SHA-256 of the result that was handed in"))
        if refusals := inspection.refusals:
            detail = "; ".join(f"{name}: {message}" for name, message in refusals.items())
            raise ResultValidationError(detail, fields=dict(refusals))
        return {"report": inspection.report}


def _refused(field: str, message: str) -> ResultValidationError:
    return ResultValidationError(f"{field}: {message}", fields={field: message})
