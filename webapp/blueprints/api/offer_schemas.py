"""What the endpoints of offers take and give."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

from webapp.blueprints.api.fields import ESCROW_ID, MOMENT, AmountOut, Moment, MomentOut
from webapp.blueprints.api.schemas import Answer, RequestPart
from webapp.domain.offers import OfferStatus, Side

ShareIn = Annotated[
    object,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^[0-9]{1,11}(\.[0-9]{1,8})?$"},
                {"type": "number", "minimum": 0, "maximum": 10_000_000_000},
            ],
            "description": "FLOP for the provider's side, before the community fund's part; zero gives all of it back",
        }
    ),
]


class OfferPath(RequestPart):
    """An offer's id in the address, with its escrow's."""

    id: str = Field(description="The escrow's id", json_schema_extra={"example": ESCROW_ID})
    offer_id: int = Field(description="The offer's id", json_schema_extra={"example": 1})


class NewOffer(RequestPart):
    """A split to be offered to the other side."""

    share: ShareIn = Field(examples=["40"])
    message: str | None = Field(None, description="At most 500 characters; the other side reads it")
    answers: int | None = Field(
        None,
        strict=True,
        description="The other side's open offer that this one is made in place of: it is over with this",
    )
    expires_at: Moment | None = Field(
        None, description="Until when it can be accepted; null: until it is answered", examples=[MOMENT]
    )


class Acceptance(RequestPart):
    """What whoever accepts has seen. An offer of another share is not accepted: 409."""

    share: ShareIn = Field(examples=["40.00000000"])


class OfferDocument(Answer):
    """An offer, with what everybody gets if it is accepted: the last three of the amounts add to the escrow's."""

    id: int
    escrow_id: str = Field(examples=[ESCROW_ID])
    side: Side = Field(description="Whose offer it is; the other side answers it")
    share: AmountOut = Field(examples=["40.00000000"])
    provider_amount: AmountOut = Field(examples=["38.00000000"])
    community_amount: AmountOut = Field(examples=["2.00000000"])
    refunded_amount: AmountOut = Field(examples=["60.00000000"])
    message: str
    answers: int | None = Field(description="The offer of the other side that it was made in place of")
    status: OfferStatus = Field(
        description="`lapsed`: the escrow ended, or a result was delivered or a ruling stated that was not there when "
        "it was made"
    )
    created_at: MomentOut
    expires_at: MomentOut | None
    ended_at: MomentOut | None = Field(description="When somebody ended it")


class CreatedOffer(OfferDocument):
    """A new offer, with its address in `Location`."""


class OfferList(Answer):
    """All offers of an escrow, the newest first. There are never many, so `next_cursor` is always null."""

    items: list[OfferDocument]
    next_cursor: None = None
