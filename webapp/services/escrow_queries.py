"""Lists of escrows, newest first. Reads only; the wallets and the key that are asked for decide what is seen."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Select, select, union
from sqlalchemy.orm import Session

from webapp.domain.escrow_states import Party, Status
from webapp.domain.exceptions import NotFoundError, ValidationError
from webapp.domain.pagination import Page, checked_limit, decode_cursor
from webapp.domain.roles import Actor
from webapp.models import Escrow


def list_for_actor(
    session: Session,
    actor: Actor,
    *,
    wallet_id: int | None = None,
    status: str | None = None,
    service_name: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Escrow]:
    """The escrows that the actor pays, provides or (with its key) verifies; with `wallet_id` only that wallet's.

    Raises NotFoundError for a wallet that is not the actor's, ValidationError naming `status`, `limit` or `cursor`.
    """
    if wallet_id is not None and wallet_id not in actor.wallet_ids:
        raise NotFoundError(f"there is no wallet {wallet_id}, or it is not yours")
    return list_for_wallets(
        session,
        actor.wallet_ids if wallet_id is None else (wallet_id,),
        verifier_key_ids=actor.key_ids if wallet_id is None else (),
        status=status,
        service_name=service_name,
        limit=limit,
        cursor=cursor,
    )


def list_for_wallets(
    session: Session,
    wallet_ids: Collection[int],
    *,
    side: Party | None = None,
    verifier_key_ids: Collection[str] = (),
    status: str | None = None,
    service_name: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Escrow]:
    """The escrows of these wallets on either side (or on `side`), and those that one of the keys verifies; each once.

    Raises ValidationError naming `status`, `limit` or `cursor`.
    """
    size = checked_limit(limit)
    filters = _filters(status, service_name, decode_cursor(cursor, uuid.UUID))
    # One scan of an index for each wallet and side: an OR over two columns would read and sort all of them.
    scans = [
        select(select(Escrow.id).where(whose, *filters).order_by(Escrow.id.desc()).limit(size + 1).subquery())
        for whose in _sides(wallet_ids, side, verifier_key_ids)
    ]
    if not scans:
        return Page([], None)
    rows = session.scalars(_newest(scans, size + 1).execution_options(populate_existing=True))
    return Page.of(list(rows), size, lambda escrow: escrow.id)


def list_all(
    session: Session, *, status: str | None = None, limit: int | None = None, cursor: str | None = None
) -> Page[Escrow]:
    """Everybody's escrows, for staff. Raises ValidationError naming `status`, `limit` or `cursor`."""
    size = checked_limit(limit)
    filters = _filters(status, None, decode_cursor(cursor, uuid.UUID))
    statement = select(Escrow).where(*filters).order_by(Escrow.id.desc()).limit(size + 1)
    rows = session.scalars(statement.execution_options(populate_existing=True))
    return Page.of(list(rows), size, lambda escrow: escrow.id)


def _sides(
    wallet_ids: Collection[int], side: Party | None, verifier_key_ids: Collection[str]
) -> Iterator[ColumnElement[bool]]:
    for wallet_id in sorted(wallet_ids):
        if side is not Party.PROVIDER:
            yield Escrow.payer_wallet_id == wallet_id
        if side is not Party.PAYER:
            yield Escrow.provider_wallet_id == wallet_id
    for key_id in verifier_key_ids:
        yield Escrow.verifier_key_id == key_id


def _filters(
    status: str | None, service_name: str | None, after: uuid.UUID | None
) -> list[ColumnElement[bool]]:
    filters: list[ColumnElement[bool]] = []
    if status:
        filters.append(Escrow.status == _checked_status(status))
    if service_name:
        filters.append(Escrow.service_name == service_name)
    if after is not None:
        filters.append(Escrow.id < after)
    return filters


def _checked_status(status: str) -> str:
    if status not in {known.value for known in Status}:
        raise ValidationError.of("status", f"must be one of {', '.join(Status)}")
    return status


def _newest(scans: list[Select[Any]], count: int) -> Select[Any]:
    # UNION drops what two scans found: between two wallets of one owner an escrow is on both sides.
    found = (scans[0] if len(scans) == 1 else union(*scans)).subquery()
    return select(Escrow).where(Escrow.id.in_(select(found.c.id))).order_by(Escrow.id.desc()).limit(count)
