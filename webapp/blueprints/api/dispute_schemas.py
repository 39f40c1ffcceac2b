"""What the endpoints of disputes take and give."""

from __future__ import annotations

from pydantic import Field

from webapp.blueprints.api.fields import ESCROW_ID, AmountOut, MomentOut
from webapp.blueprints.api.schemas import Answer, RequestPart
from webapp.domain.disputes.defaults import Basis
from webapp.domain.disputes.rungs import Deed, Rung, Seat
from webapp.services.disputes.ladder import LONGEST_STATEMENT


class NewDispute(RequestPart):
    """What is wrong."""

    reason: str = Field(
        description="1 to 500 characters; everybody in the dispute reads it", examples=["It is noise"]
    )


class NewStatement(RequestPart):
    """What one side says. It cannot be changed or taken back."""

    text: str = Field(description=f"1 to {LONGEST_STATEMENT} characters", examples=["It is what was ordered"])


class SeenRung(RequestPart):
    """Where the dispute stood when this was decided: at another rung by now, nothing is done (409)."""

    rung: Rung = Field(examples=["mediation"])


class Grounds(RequestPart):
    """Why a ruling is appealed against."""

    reason: str = Field(description="1 to 500 characters", examples=["More was done"])


class StatementDocument(Answer):
    """Something that one side said."""

    side: Seat = Field(examples=["payer"])
    text: str
    created_at: MomentOut


class DecisionDocument(Answer):
    """What was proposed, ruled or voted, with everybody's part by it. The three amounts add to the escrow's."""

    share_basis_points: int = Field(description="For the provider's side, before the community fund's part")
    provider_amount: AmountOut
    community_amount: AmountOut
    refunded_amount: AmountOut
    reason: str
    decided_at: MomentOut


class DisputeDocument(Answer):
    """A dispute. `rung_ends_at` is when the present rung ends by itself."""

    escrow_id: str = Field(examples=[ESCROW_ID])
    rung: Rung
    rung_since: MomentOut
    rung_ends_at: MomentOut
    opened_by: Seat = Field(examples=["payer"])
    reason: str
    has_answered: bool = Field(description="Whether the other side has spoken")
    accepted_by: list[Seat] = Field(description="The sides that accept what is proposed or ruled")
    may: list[Deed] = Field(description="What the key's owner may do now")
    statements: list[StatementDocument] | None = Field(description="null for those who are no side of it")
    proposal: DecisionDocument | None
    ruling: DecisionDocument | None
    votes: list[DecisionDocument] | None = Field(description="null until they are opened")
    bond: AmountOut
    is_bond_lost: bool
    basis: Basis | None = Field(description="What its end rests on; null while it is open")
    share_basis_points: int | None = Field(
        description="What was decided; null where the sides agreed on an amount"
    )
    opened_at: MomentOut
    ended_at: MomentOut | None


class CreatedDispute(DisputeDocument):
    """A new dispute, with its address in `Location`."""
