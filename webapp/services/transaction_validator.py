"""Whether a result may settle an escrow: its hash, and the provider's signature over it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from webapp.config import Settings, load_config
from webapp.domain.canonical import normalize_result_hash
from webapp.domain.exceptions import ResultValidationError, ValidationError
from webapp.models import Escrow
from webapp.services.node_registry import NodeAuthService
from webapp.services.secret_box import SecretBox


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
            raise _refused("result_hash", "is not the hash that the escrow expects")
        if escrow.result_hash not in (None, normal):
            raise _refused("result_hash", "is not the hash that was delivered")
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
            raise _refused("provider_signature", "is not the provider's signature over this result")
        return ProvenResult(normal, signer.node_id)


def _refused(field: str, message: str) -> ResultValidationError:
    return ResultValidationError(f"{field}: {message}", fields={field: message})
