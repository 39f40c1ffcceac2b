"""Whether a result may settle an escrow: its hash, the provider's signature over it, and the rules of its service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from webapp.config import Settings, load_config
from webapp.domain.canonical import normalize_result_hash
from webapp.domain.escrow_states import Status
from webapp.domain.exceptions import ResultValidationError, ValidationError
from webapp.domain.said import said
from webapp.models import Escrow
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
    """Checks deliveries. `TransactionValidator(session)` reads the configured instance's settings."""

    def __init__(self, db_session: Session, config: Settings | None = None) -> None:
        self._nodes = NodeAuthService(db_session, SecretBox.of(config or load_config()))

    def validate_result(self, escrow: Escrow, result_hash: str, provider_signature: str) -> bool:
        """Whether this result, signed like this, may settle the escrow."""
        try:
            self.require_valid_result(escrow, result_hash, provider_signature)
        except ResultValidationError:
            return False
        return True

    def require_valid_result(
        self, escrow: Escrow, result_hash: object, provider_signature: object
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
        signer = None
        if isinstance(provider_signature, str):
            signer = self._nodes.find_signer(
                provider_signature,
                escrow.provider_wallet_id,
                escrow.provider_node_id,
                escrow.id,
                escrow.amount,
                normal,
            )
        if signer is None:
            raise _refused("provider_signature", said("is not the provider's signature over this result"))
        return ProvenResult(normal, signer.node_id)

    def require_result_rules(
        self, escrow: Escrow, result_hash: str, inspection: Inspection | None
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
