"""What a batch takes and gives. Each operation is read by itself, so that a wrong one is its own affair."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator

from webapp.blueprints.api.fields import ESCROW_ID
from webapp.blueprints.api.operations import storable
from webapp.blueprints.api.result_schemas import AcceptedHash, SignedHash
from webapp.blueprints.api.schemas import Answer, EscrowDocument, NewEscrow, Problem, Refund, RequestPart
from webapp.blueprints.api.wrong_fields import wrong_fields
from webapp.domain.exceptions import ValidationError
from webapp.services.batches import operations
from webapp.services.batches.operations import MAX_OPERATIONS, Asked
from webapp.services.funding_terms import DEPOSIT


class _OnEscrow(RequestPart):
    escrow_id: str = Field(description="The escrow's id", examples=[ESCROW_ID])


class BatchedCreation(NewEscrow):
    """`POST /escrow/create`, out of the balance."""

    do: Literal["create"]


class BatchedDelivery(_OnEscrow, SignedHash):
    """`POST /escrow/{id}/deliver`, without the result itself."""

    do: Literal["deliver"]


class BatchedRelease(_OnEscrow, AcceptedHash):
    """`POST /escrow/{id}/release`, without the result itself."""

    do: Literal["release"]


class BatchedRefund(_OnEscrow, Refund):
    """`POST /escrow/{id}/refund`."""

    do: Literal["refund"]


def _later(value: Any, _read: ValidatorFunctionWrapHandler) -> Any:
    return value


BatchedOperation = Annotated[
    BatchedCreation | BatchedDelivery | BatchedRelease | BatchedRefund, Field(discriminator="do")
]


class Batch(RequestPart):
    """Operations, which are done in their order."""

    together: Annotated[bool, Field(strict=True)] = Field(
        False, description="All or none: the first one that fails undoes the others, and is the answer"
    )
    operations: list[Annotated[BatchedOperation, WrapValidator(_later)]] = Field(
        min_length=1, max_length=MAX_OPERATIONS
    )

    def read(self) -> list[Asked]:
        """Each operation, or in its place the error that its own endpoint would have answered."""
        return [_read(each) for each in self.operations]


class BatchResult(Answer):
    """What came of one operation: its escrow as it stood when it was done, or what its own endpoint would answer."""

    status: int = Field(description="The HTTP status that its own endpoint would answer", examples=[201])
    escrow: EscrowDocument | None = Field(None, description="Left out when it failed")
    problem: Problem | None = Field(None, description="Left out when it was done")


class BatchAnswer(Answer):
    """The results in the order of the operations, and how many of them there are of each kind."""

    results: list[BatchResult]
    done: int
    failed: int


_MODELS: dict[str, type[RequestPart]] = {
    "create": BatchedCreation,
    "deliver": BatchedDelivery,
    "release": BatchedRelease,
    "refund": BatchedRefund,
}


def _read(sent: Any) -> Asked:
    try:
        return _operation(sent)
    except pydantic.ValidationError as error:
        return wrong_fields(error)
    except ValidationError as error:
        return error


def _operation(sent: Any) -> operations.Operation:
    if not isinstance(sent, dict):
        raise ValidationError.of("body", "must be a JSON object")
    name = sent.get("do")
    if not isinstance(name, str) or name not in _MODELS:
        raise ValidationError.of("do", "must be create, deliver, release or refund")
    _refuse_what_takes_more(sent)
    match _MODELS[name].model_validate(sent):
        case BatchedCreation() as asked:
            terms = {field: value for field, value in asked if field != "do"}
            return operations.Create(terms | {"metadata": storable("metadata", asked.metadata)})
        case BatchedDelivery() as asked:
            return operations.Deliver(asked.escrow_id, asked.result_hash, asked.provider_signature)
        case BatchedRelease() as asked:
            return operations.Release(asked.escrow_id, asked.result_hash, asked.provider_signature)
        case BatchedRefund() as asked:
            return operations.Refund(asked.escrow_id, asked.reason)
        case _:
            raise AssertionError("every model has its case")


def _refuse_what_takes_more(sent: dict[str, Any]) -> None:
    """A payment needs the daemon, and a result is decoded: neither has its place in a transaction of a thousand."""
    if sent.get("funding") == DEPOSIT:
        message = "must be from the balance in a batch: ask for a payment with POST /escrow/create"
        raise ValidationError.of("funding", message)
    for field in ("result", "result_json"):
        if field in sent:
            raise ValidationError.of(
                field, "cannot come in a batch: hand it in by the endpoint of the escrow itself"
            )
