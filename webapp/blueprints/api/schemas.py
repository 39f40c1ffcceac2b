"""What the JSON endpoints take and give. Amounts go out as text with eight decimals and come in as text or number.

Whether a value makes sense is the services' to say: they name every wrong field in the same form. Here stands only
what a value must look like to be handed to them.
"""

from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from webapp.blueprints.api.fields import (
    ADDRESS,
    ESCROW_ID,
    MOMENT,
    PAYOUT_ID,
    AmountIn,
    AmountOut,
    Moment,
    MomentOut,
    Text,
    WalletId,
)
from webapp.blueprints.api.terms_documents import TermsDocument
from webapp.domain.escrow_states import Status
from webapp.services.idempotency import FIELD, MAX_KEY_LENGTH


class _Described(BaseModel):
    """What flask-openapi3 asks of how it looks, for each operation and with each request: it is worked out once."""

    @classmethod
    def model_json_schema(cls, *arguments: Any, **options: Any) -> dict[str, Any]:
        return _schema(cls, arguments, tuple(options.items()))


@cache
def _schema(
    model: type[_Described], arguments: tuple[Any, ...], options: tuple[tuple[str, Any], ...]
) -> dict[str, Any]:
    return super(_Described, model).model_json_schema(*arguments, **dict(options))


class RequestPart(_Described):
    """A part of a request: what it does not name is refused by its name."""

    model_config = ConfigDict(extra="forbid")


class Answer(_Described):
    """A part of an answer: exactly what it names."""

    model_config = ConfigDict(extra="forbid")


class IdempotencyHeader(_Described):
    """The header that makes a change happen once, however often it is sent."""

    idempotency_key: str | None = Field(
        None,
        alias=FIELD,
        min_length=1,
        max_length=MAX_KEY_LENGTH,
        description="Any text of yours. Sent again with the same request it brings the first answer "
        "(`Idempotent-Replayed: true`) and does nothing; with another request it is refused.",
    )


class EscrowPath(RequestPart):
    """An escrow's id in the address."""

    id: str = Field(description="The escrow's id", json_schema_extra={"example": ESCROW_ID})


class WalletPath(RequestPart):
    """A wallet's id in the address."""

    id: int = Field(description="The wallet's id", json_schema_extra={"example": 1})


class PayoutPath(RequestPart):
    """A payout's id in the address."""

    id: str = Field(description="The payout's id", json_schema_extra={"example": PAYOUT_ID})


class NewEscrow(RequestPart):
    """The terms of a new escrow."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "payer_wallet_id": 1,
                "provider_wallet_id": 2,
                "amount": "100",
                "service_name": "image_upscaler_v1",
                "task_id": "task_001",
                "metadata": {"image_size": "1024x1024"},
            }
        },
    )

    payer_wallet_id: WalletId = Field(description="Who pays: a wallet of the key")
    provider_wallet_id: WalletId = Field(description="Who is paid when it is released")
    amount: AmountIn
    service_name: Text = Field(examples=["image_upscaler_v1"])
    task_id: Text = Field(examples=["task_001"])
    metadata: dict[str, Any] | None = Field(None, description="Anything of yours, kept as it was sent")
    provider_node_id: Text | None = Field(None, description="Only this node's signature counts as delivery")
    verifier_key_id: Text | None = Field(None, description="A key that may accept or refuse the result, too")
    expected_result_hash: Text | None = Field(None, description="The only result that counts, if it is known")
    expires_at: Moment | None = Field(None, description="Until when it must be delivered", examples=[MOMENT])
    funding: Literal["balance", "deposit"] = Field(
        "balance",
        description="`balance` locks the amount at once. With `deposit` the escrow is `pending` until coins for it "
        "have arrived at its own `deposit_address`.",
    )
    fund_by: Moment | None = Field(
        None, description="Until when a deposit must be seen; before `expires_at`", examples=[MOMENT]
    )
    refund_address: Text | None = Field(
        None,
        description="Where coins of a deposit go that the escrow gives back or does not need; without it they stay "
        "in the payer's balance",
        examples=[ADDRESS],
    )
    terms: dict[str, Any] | None = Field(
        None,
        description="Instead of the usual ones, `release_when` and `refund_when`. They say when it ends, so that "
        "`expires_at` is left out. `POST /escrow/simulate` tries them out.",
    )


class Refund(RequestPart):
    """Why the amount goes back."""

    reason: str = Field(description="1 to 500 characters; both parties read it", examples=["Task timeout"])


class Withdrawal(RequestPart):
    """Where to, and how much."""

    address: str = Field(description="An address of the configured network", examples=[ADDRESS])
    amount: AmountIn


class EscrowDeposit(Answer):
    """A payment to an escrow's own address. `held` is what the escrow took of it; the rest is the payer's."""

    txid: str
    output_index: int
    amount: AmountOut
    held: AmountOut
    status: Literal["seen", "credited", "reversed"]
    disposition: Literal["part", "exact", "over", "double", "late"] | None = Field(
        description="What became of it when it was credited: not enough yet, just right, more than was missing, a "
        "further payment, or one after the time"
    )
    confirmations: int = Field(description="Below zero: another transaction took its place")
    confirmations_needed: int = Field(description="It is credited at this depth: more for larger amounts")
    first_seen_at: MomentOut


class EscrowDocument(Answer):
    """An escrow. `links` holds the addresses of what the reader may do to it now."""

    id: str = Field(examples=[ESCROW_ID])
    status: Status
    amount: AmountOut = Field(examples=["100.00000000"])
    provider_amount: AmountOut = Field(examples=["95.00000000"])
    community_amount: AmountOut = Field(examples=["5.00000000"])
    resolved_provider_amount: AmountOut | None = Field(
        description="What the provider got of one that was divided, as is the next one for the community fund; "
        "null unless it is `resolved`"
    )
    resolved_community_amount: AmountOut | None
    refunded_amount: AmountOut | None = Field(
        description="What the payer got back of what was held; null while it is open"
    )
    plan_id: str | None = Field(description="The plan that it is a part of; null for one of its own")
    part_number: int | None = Field(description="Which part, from 1 on")
    part_title: str | None
    payer_wallet_id: int
    provider_wallet_id: int
    service_name: str
    task_id: str
    metadata: dict[str, Any]
    provider_node_id: str | None
    verifier_key_id: str | None
    expected_result_hash: str | None
    result_hash: str | None
    funding: Literal["balance", "deposit"]
    fund_by: MomentOut | None = Field(description="Until when a deposit must be seen to count")
    deposited_amount: AmountOut | None = Field(description="What has been paid in; null without a deposit")
    deposit_address: str | None = Field(description="For the payer only, as are the next three")
    payment_uri: str | None = Field(
        description="BIP21, over what is still missing and not on its way; null when nothing is to be paid"
    )
    refund_address: str | None
    deposits: list[EscrowDeposit] | None = Field(description="Everything that was sent to the address")
    terms: TermsDocument | None = Field(description="Its own terms; null where the usual ones apply")
    accept_by: MomentOut | None = Field(description="When a delivery counts as accepted")
    expires_at: MomentOut = Field(examples=[MOMENT])
    created_at: MomentOut
    updated_at: MomentOut
    released_at: MomentOut | None
    refunded_at: MomentOut | None
    links: dict[str, str] = Field(
        examples=[{"self": f"/escrow/{ESCROW_ID}", "transactions": f"/escrow/{ESCROW_ID}/transactions"}]
    )


class EscrowPage(Answer):
    """Some escrows, the newest first."""

    items: list[EscrowDocument]
    next_cursor: str | None = Field(description="What to ask for the next page with; null on the last one")


class EscrowEvent(Answer):
    """One event of an escrow's audit trail. Each hash covers the event and the hash before it."""

    sequence: int
    kind: str = Field(examples=["created"])
    actor: str = Field(examples=["user:1"])
    amount: AmountOut | None
    detail: dict[str, Any]
    created_at: MomentOut
    previous_hash: str
    hash: str


class EscrowEvents(Answer):
    """The whole trail, the oldest event first. It is never long, so `next_cursor` is always null."""

    items: list[EscrowEvent]
    next_cursor: None = None


class WalletDocument(Answer):
    """A wallet. `incoming` is on its way in and not credited yet; `outgoing` left the balance and is not final."""

    wallet_id: int
    available: AmountOut = Field(examples=["250.00000000"])
    held: AmountOut = Field(examples=["100.00000000"])
    incoming: AmountOut = Field(examples=["0.00000000"])
    outgoing: AmountOut = Field(examples=["0.00000000"])
    deposit_address: str | None = Field(description="null while no address can be had", examples=[ADDRESS])


class PayoutDocument(Answer):
    """A payout. `fee` and `net` are known once it is signed, the rest of the chain's facts once it is sent."""

    id: str = Field(examples=[PAYOUT_ID])
    status: str = Field(examples=["queued"])
    gross: AmountOut = Field(examples=["50.00000000"])
    fee: AmountOut | None
    net: AmountOut | None
    address: str = Field(examples=[ADDRESS])
    txid: str | None
    output_index: int | None
    confirmations: int


class FieldError(_Described):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(_Described):
    """RFC 9457. `type` is stable; `detail` is for people."""

    type: str = Field(examples=["urn:duxos:problem:insufficient-funds"])
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldError] | None = Field(None, description="The fields that are wrong")
    current_status: Status | None = Field(None, description="Where an escrow stands that has moved on")
