"""What the endpoints about an escrow's own terms take and give."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from webapp.blueprints.api.fields import HASH, MOMENT, Moment, Text
from webapp.blueprints.api.schemas import RequestPart


class Simulation(RequestPart):
    """Terms to be tried out. Without any, the usual ones are."""

    terms: dict[str, Any] | None = Field(None, description="As `terms` of a new escrow")
    expires_at: Moment | None = Field(
        None, description="Until when it must be delivered under the usual terms", examples=[MOMENT]
    )


class Secret(RequestPart):
    """What a hash was made of."""

    preimage: str = Field(
        description="The secret in hexadecimal, at most 1024 bytes",
        max_length=2048,
        examples=["6f70656e20736573616d65"],
    )


class Attestation(RequestPart):
    """What the signer of this request attests."""

    statement: dict[str, Any] = Field(description="It has to be as the terms ask for")


class NodeResult(RequestPart):
    """A result that a node has come to, signed by it like a delivery."""

    node_id: Text
    result_hash: str = Field(max_length=128, examples=[HASH])
    signature: str = Field(
        max_length=128,
        description="HMAC-SHA256 with the node's secret over the canonical JSON of amount, escrow_id and result_hash",
    )
