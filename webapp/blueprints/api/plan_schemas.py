"""What the endpoints of plans take and give."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from webapp.blueprints.api.fields import (
    ESCROW_ID,
    MOMENT,
    AmountIn,
    AmountOut,
    Moment,
    MomentOut,
    Text,
    WalletId,
)
from webapp.blueprints.api.schemas import Answer, EscrowDocument, RequestPart
from webapp.services.plans import MAX_PARTS, MIN_PARTS


class PlanPath(RequestPart):
    """A plan's id in the address."""

    id: str = Field(description="The plan's id", json_schema_extra={"example": ESCROW_ID})


class NewMilestone(RequestPart):
    """One part: an escrow of its own."""

    title: Text = Field(examples=["The rough cut"])
    amount: AmountIn
    expires_at: Moment | None = Field(
        None, description="Until when this part must be delivered; null: as usual", examples=[MOMENT]
    )
    expected_result_hash: Text | None = Field(None, description="The only result that counts, if it is known")
    terms: dict[str, Any] | None = Field(
        None, description="Terms of its own, as in `POST /escrow/create`; then without `expires_at`"
    )


class NewPlan(RequestPart):
    """A piece of work in parts. All parts are locked at once, or none."""

    title: Text = Field(examples=["A film of the harbour"])
    payer_wallet_id: WalletId = Field(description="Who pays: a wallet of the key")
    provider_wallet_id: WalletId = Field(description="Who is paid when a part is released")
    service_name: Text = Field(examples=["video-transcode"])
    task_id: Text = Field(examples=["task_001"])
    metadata: dict[str, Any] | None = Field(None, description="Anything of yours, kept with every part")
    provider_node_id: Text | None = Field(None, description="Only this node's signature counts as delivery")
    verifier_key_id: Text | None = Field(None, description="A key that may accept or refuse results, too")
    amount: AmountIn | None = Field(
        None, description="The sum of the parts; if it is stated, it must be right"
    )
    milestones: list[NewMilestone] = Field(
        description=f"{MIN_PARTS} to {MAX_PARTS} parts, in their order",
        examples=[[{"title": "The rough cut", "amount": "40"}, {"title": "The film", "amount": "60"}]],
    )


class PlanDocument(Answer):
    """A plan with its parts. What was released (with the fund's part of it), refunded and is held adds to `total`."""

    id: str = Field(examples=[ESCROW_ID])
    title: str
    total: AmountOut = Field(examples=["100.00000000"])
    released_amount: AmountOut = Field(examples=["40.00000000"])
    refunded_amount: AmountOut = Field(examples=["0.00000000"])
    held_amount: AmountOut = Field(examples=["60.00000000"])
    payer_wallet_id: int
    provider_wallet_id: int
    next_deadline: MomentOut | None = Field(description="The nearest one of a part that holds its money")
    created_at: MomentOut
    parts: list[EscrowDocument]
    links: dict[str, str] = Field(examples=[{"self": f"/escrow/plans/{ESCROW_ID}"}])


class CreatedPlan(PlanDocument):
    """A new plan, with its address in `Location`."""
