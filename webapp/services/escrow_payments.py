"""What has been paid to the addresses of escrows, and what is still missing. Reads only."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, func, select, type_coerce
from sqlalchemy.orm import Session

from webapp.domain.escrow_states import Status, Terms
from webapp.domain.money import ZERO, Amount
from webapp.domain.payment_uri import payment_uri
from webapp.models import Deposit, Escrow

# The disposition of a payment that has not been judged.
UNJUDGED = "balance"


@dataclass(frozen=True, slots=True)
class Payments:
    """The deposits at one escrow's address, oldest first. `missing` is neither held nor on its way in time."""

    deposits: Sequence[Deposit]
    missing: Amount

    @property
    def is_moving(self) -> bool:
        """Whether something has been seen and is not credited."""
        return any(deposit.status != "credited" and deposit.confirmations >= 0 for deposit in self.deposits)


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """What the payer of a pending escrow is asked for now, and the same as one link."""

    address: str
    amount: Amount
    uri: str


def request_of(
    escrow: Escrow, terms: Terms, payments: Payments, dust_limit: Amount, now: datetime
) -> PaymentRequest | None:
    """None when nothing is to be paid: it is all there or on its way, or the time is over.

    No wallet sends dust: where less is missing, that much is asked for, and the surplus goes home.
    """
    is_open = terms.status is Status.PENDING and not terms.funding_is_over(now)
    if not (is_open and payments.missing and escrow.deposit_address):
        return None
    amount = max(payments.missing, dust_limit)
    label = f"{escrow.service_name}, {escrow.task_id}"
    return PaymentRequest(escrow.deposit_address, amount, payment_uri(escrow.deposit_address, amount, label))


def payments_of(session: Session, escrows: Collection[Escrow]) -> dict[uuid.UUID, Payments]:
    """The payments of those of the escrows that are funded by a deposit, from one query."""
    wanted = {escrow.id: escrow for escrow in escrows if escrow.deposit_address}
    if not wanted:
        return {}
    found: defaultdict[uuid.UUID, list[Deposit]] = defaultdict(list)
    statement = select(Deposit).where(Deposit.escrow_id.in_(wanted)).order_by(Deposit.id)
    for deposit in session.scalars(statement.execution_options(populate_existing=True)):
        assert deposit.escrow_id is not None, "they were asked for by it"
        found[deposit.escrow_id].append(deposit)
    return {
        escrow_id: Payments(found[escrow_id], _missing(escrow, found[escrow_id]))
        for escrow_id, escrow in wanted.items()
    }


def _missing(escrow: Escrow, deposits: Sequence[Deposit]) -> Amount:
    if escrow.status != Status.PENDING:
        return ZERO
    coming = sum(deposit.amount.base_units for deposit in deposits if _is_coming(escrow, deposit))
    missing = escrow.amount.base_units - escrow.deposited_amount.base_units - coming
    return Amount(max(missing, 0))


def _is_coming(escrow: Escrow, deposit: Deposit) -> bool:
    """`amount_coming`, in Python."""
    is_open = deposit.status != "credited" and deposit.confirmations >= 0 and deposit.disposition == UNJUDGED
    return is_open and escrow.fund_by is not None and deposit.first_seen_at <= escrow.fund_by


def amount_coming() -> ColumnElement[int]:
    """Base units that were seen in time at an escrow's address and are not credited: for a query of escrows.

    A negative number of confirmations means that another transaction took its place.
    """
    total = func.coalesce(func.sum(type_coerce(Deposit.amount, BigInteger)), 0)
    return (
        select(total)
        .where(
            Deposit.escrow_id == Escrow.id,
            Deposit.status != "credited",
            Deposit.confirmations >= 0,
            Deposit.disposition == UNJUDGED,
            Deposit.first_seen_at <= Escrow.fund_by,
        )
        .correlate(Escrow)
        .scalar_subquery()
    )


def is_short() -> ColumnElement[bool]:
    """Whether what an escrow holds and what is coming do not make up its amount: for a query of escrows."""
    there = type_coerce(Escrow.deposited_amount, BigInteger) + amount_coming()
    return there < type_coerce(Escrow.amount, BigInteger)
