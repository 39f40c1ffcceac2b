"""What the endpoints take of results, and what they tell of how a result was checked."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from webapp.blueprints.api.fields import HASH, MomentOut
from webapp.blueprints.api.schemas import Answer, RequestPart
from webapp.domain.exceptions import ValidationError
from webapp.domain.result_rules.kinds import Kind
from webapp.domain.result_rules.submitted import SubmittedResult


class _WithResult(RequestPart):
    """The result itself may come along: it is checked by the rules of the service, and not kept."""

    result: str | None = Field(
        None,
        description="The result's bytes in base64, at most `escrow.max_result_size` of them. Their SHA-256 is the "
        "`result_hash`",
    )
    result_json: Any = Field(
        None,
        description="Or the result as any JSON value; the SHA-256 of its canonical form (RFC 8785) is the hash",
    )

    @property
    def has_result(self) -> bool:
        """Whether the result itself was handed in."""
        return self.result is not None or "result_json" in self.model_fields_set

    def submitted(self, max_bytes: int) -> SubmittedResult:
        """What was handed in. Raises ValidationError naming `result` or `result_json`."""
        if "result_json" not in self.model_fields_set:
            return SubmittedResult.of_base64(self.result or "", max_bytes)
        if self.result is not None:
            raise ValidationError.of("result_json", "must not come together with result")
        return SubmittedResult.of_json(self.result_json, max_bytes)


class SignedHash(RequestPart):
    """A result by its hash, and the provider's signature over it."""

    result_hash: str = Field(description="SHA-256 of the result, in hexadecimal", examples=[HASH])
    provider_signature: str = Field(
        description="HMAC-SHA256 in hexadecimal, with the secret of the provider's key, over the canonical "
        'JSON (RFC 8785) of {"amount", "escrow_id", "result_hash"}',
        examples=[HASH],
    )


class AcceptedHash(RequestPart):
    """The result that is accepted; what was delivered need not be named again."""

    result_hash: str | None = Field(None, examples=[HASH])
    provider_signature: str | None = Field(None, examples=[HASH])


class Delivery(_WithResult, SignedHash):
    """A result, and the provider's signature over it."""


class Release(_WithResult, AcceptedHash):
    """The result that is accepted; what was delivered need not be named again."""

    model_config = ConfigDict(extra="forbid", openapi_extra={"required": False})  # type: ignore[typeddict-unknown-key]


class FindingDocument(Answer):
    """What one rule found. A result that fails a required rule is refused, so here it is met or not required."""

    rule: str = Field(examples=["width"])
    is_met: bool
    is_required: bool
    message: str = Field(examples=["has 1024 pixels across"])


class ReportDocument(Answer):
    """How the result of an escrow was checked when its bytes were handed in. It is a part of the audit trail."""

    escrow_id: str
    kind: Kind
    service_id: int | None = Field(description="Of the catalogue; null when the escrow orders nothing of it")
    result_hash: str = Field(examples=[HASH])
    size: int = Field(description="Bytes of the result, or of its canonical JSON")
    sent_as: Literal["result", "result_json"]
    findings: list[FindingDocument]
    checked_at: MomentOut
    audit_hash: str = Field(description="The hash of the event on the audit trail that holds this report")
