"""Airdrops that were given, and who got what of them. Reads only, and nothing personal: no wallet, no address.

Lists go by keyset. `every_...` reads all there is in pieces and holds no transaction between them, so that whoever
takes it slowly keeps nobody waiting.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import BigInteger, cast, func, select, type_coerce
from sqlalchemy.orm import Session

from webapp.domain.exceptions import NotFoundError
from webapp.domain.money import Amount
from webapp.domain.pagination import Page, checked_limit, decode_cursor, row_id
from webapp.domain.said import said
from webapp.models import Airdrop, AirdropRecipient, AirdropSnapshot, ChainTransaction, Payout
from webapp.models.types import Total

# How many rows a piece of a whole list has.
PIECE = 500
# Those whose journal entry was posted: the fund has given.
GIVEN = ("paying", "done")


@dataclass(frozen=True, slots=True)
class RecipientLine:
    """What a node got. `txid` and `output_index` are those of its payout, once that is in a transaction."""

    position: int
    node_id: str
    amount: Amount
    pay_to: str
    status: str
    reason: str
    payout_status: str | None
    txid: str | None
    output_index: int | None
    confirmations: int


@dataclass(frozen=True, slots=True)
class Part:
    """The recipients of an airdrop that are in one state: how many, and what they get together."""

    status: str
    count: int
    amount: Amount


@dataclass(frozen=True, slots=True)
class Given:
    """All airdrops that were given, together: how many, and how many shares they had."""

    airdrops: int
    recipients: int


def get(session: Session, airdrop_id: uuid.UUID) -> Airdrop:
    """One airdrop. Raises NotFoundError."""
    found = session.get(Airdrop, airdrop_id, populate_existing=True)
    if found is None:
        raise NotFoundError(said("there is no such airdrop"))
    return found


def document_of(session: Session, airdrop_id: uuid.UUID) -> str:
    """The facts that it was decided from, byte for byte as published. Raises NotFoundError."""
    found = session.get(AirdropSnapshot, airdrop_id)
    if found is None:
        raise NotFoundError(said("there is no such airdrop"))
    return found.document


def last_given(session: Session) -> Airdrop | None:
    """The newest airdrop that the fund has given, of either kind."""
    return next(iter(latest_given(session, 1)), None)


def latest_given(session: Session, count: int) -> list[Airdrop]:
    """The newest airdrops that the fund has given, the newest first."""
    given = select(Airdrop).where(Airdrop.status.in_(GIVEN)).order_by(Airdrop.number.desc()).limit(count)
    return list(session.scalars(given.execution_options(populate_existing=True)))


def given(session: Session) -> Given:
    """How many airdrops there were, and how many shares."""
    counts = select(func.count(), func.coalesce(func.sum(Airdrop.recipient_count), 0))
    row = session.execute(counts.where(Airdrop.status.in_(GIVEN))).one()
    return Given(int(row[0]), int(row[1]))


def list_airdrops(session: Session, *, limit: int | None = None, cursor: str | None = None) -> Page[Airdrop]:
    """The airdrops, the newest first. Raises ValidationError naming `limit` or `cursor`."""
    size, after = checked_limit(limit), decode_cursor(cursor, row_id)
    return Page.of(_airdrops(session, after, size + 1), size, lambda airdrop: airdrop.number)


def list_recipients(
    session: Session, airdrop_id: uuid.UUID, *, limit: int | None = None, cursor: str | None = None
) -> Page[RecipientLine]:
    """Who gets what of an airdrop, in the order of the decision. Raises ValidationError like `list_airdrops`."""
    size, after = checked_limit(limit), decode_cursor(cursor, row_id)
    return Page.of(_recipients(session, airdrop_id, after, size + 1), size, lambda line: line.position)


def parts(session: Session, airdrop_id: uuid.UUID) -> list[Part]:
    """How the shares of an airdrop stand, state by state."""
    total = cast(func.sum(type_coerce(AirdropRecipient.amount, BigInteger)), Total)
    rows = session.execute(
        select(AirdropRecipient.status, func.count(), total)
        .where(AirdropRecipient.airdrop_id == airdrop_id)
        .group_by(AirdropRecipient.status)
        .order_by(AirdropRecipient.status)
    )
    return [Part(status, count, Amount(int(amount))) for status, count, amount in rows]


def under_way(session: Session) -> Airdrop | None:
    """The airdrop whose shares are being paid, the newest of them; None when every share is where it was to go."""
    paying = select(Airdrop).where(Airdrop.status == "paying").order_by(Airdrop.number.desc()).limit(1)
    return session.scalars(paying.execution_options(populate_existing=True)).first()


def every_airdrop(session: Session) -> Iterator[Airdrop]:
    """All airdrops, the newest first."""
    after: int | None = None
    while piece := _airdrops(session, after, PIECE):
        after = piece[-1].number
        for airdrop in piece:
            session.expunge(airdrop)
        session.rollback()
        yield from piece


def every_recipient(session: Session, airdrop_id: uuid.UUID) -> Iterator[RecipientLine]:
    """All recipients of an airdrop, in the order of the decision."""
    after: int | None = None
    while piece := _recipients(session, airdrop_id, after, PIECE):
        after = piece[-1].position
        session.rollback()
        yield from piece


def _airdrops(session: Session, after: int | None, count: int) -> list[Airdrop]:
    statement = select(Airdrop).order_by(Airdrop.number.desc()).limit(count)
    if after is not None:
        statement = statement.where(Airdrop.number < after)
    return list(session.scalars(statement.execution_options(populate_existing=True)))


def _recipients(
    session: Session, airdrop_id: uuid.UUID, after: int | None, count: int
) -> list[RecipientLine]:
    one, payout, transaction = AirdropRecipient, Payout, ChainTransaction
    statement = (
        select(one, payout.status, payout.output_index, transaction.txid, transaction.confirmations)
        .outerjoin(payout, payout.id == one.payout_id)
        .outerjoin(transaction, transaction.id == payout.transaction_id)
        .where(one.airdrop_id == airdrop_id)
    )
    if after is not None:
        statement = statement.where(one.position > after)
    rows = session.execute(
        statement.order_by(one.position).limit(count).execution_options(populate_existing=True)
    )
    return [_line(*row) for row in rows]


def _line(
    recipient: AirdropRecipient,
    payout_status: str | None,
    output_index: int | None,
    txid: str | None,
    confirmations: int | None,
) -> RecipientLine:
    return RecipientLine(
        position=recipient.position,
        node_id=recipient.node_id,
        amount=recipient.amount,
        pay_to=recipient.pay_to,
        status=recipient.status,
        reason=recipient.reason,
        payout_status=payout_status,
        txid=txid,
        output_index=output_index,
        confirmations=max(confirmations or 0, 0),
    )
