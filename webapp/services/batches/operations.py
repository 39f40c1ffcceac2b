"""What a batch is made of, and what comes of it: plain values, with no word of how they were sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from webapp.domain.exceptions import DuxosError

MAX_OPERATIONS = 1000


@dataclass(frozen=True, slots=True)
class Create:
    """`terms` are the arguments of `EscrowManager.create_escrow`; it is paid for out of the balance."""

    terms: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Deliver:
    """`EscrowManager.deliver_escrow`, of a result that is known by its hash alone."""

    escrow_id: str
    result_hash: str
    provider_signature: str


@dataclass(frozen=True, slots=True)
class Release:
    """`EscrowManager.release_escrow`, of a result that is known by its hash alone."""

    escrow_id: str
    result_hash: str | None
    provider_signature: str | None


@dataclass(frozen=True, slots=True)
class Refund:
    """`EscrowManager.refund_escrow`."""

    escrow_id: str
    reason: str


Operation = Create | Deliver | Release | Refund
# What could not be read stands in the place of the operation that it should have been.
Asked = Operation | DuxosError


@dataclass(frozen=True, slots=True)
class Done:
    """`document` tells, in the form that the caller wanted, how the escrow stood when the operation was done."""

    is_new: bool
    document: str


Outcome = Done | DuxosError


def placed(error: DuxosError, number: int) -> DuxosError:
    """The same error, told of the operation in this place (from 0 on): `operations.3.amount`."""
    where = f"operations.{number}"
    error.fields = {f"{where}.{name}": message for name, message in error.fields.items()} or {
        where: error.detail
    }
    error.detail = f"{where}: {error.detail}"
    return error
