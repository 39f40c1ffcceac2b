"""Lists of escrows in any order, page by page or whole. Reads only; who asks decides what is seen."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select, true, union
from sqlalchemy.orm import Session

from webapp.domain.escrow_states import Party
from webapp.domain.exceptions import NotFoundError
from webapp.domain.pagination import Page, checked_limit
from webapp.domain.roles import Actor
from webapp.domain.said import said
from webapp.models import Escrow
from webapp.services.escrow_search import EVERYTHING, EscrowSearch
from webapp.services.snapshot import snapshot

# How many rows of a whole list are in memory at once.
PIECE = 500
# How many of the latest escrows tell which services somebody uses.
_LATEST = 200

Whose = Sequence[ColumnElement[bool]]


def list_for_actor(
    session: Session,
    actor: Actor,
    search: EscrowSearch = EVERYTHING,
    *,
    wallet_id: int | None = None,
    side: Party | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Escrow]:
    """The escrows that the actor pays, provides or (with its key) verifies; with `wallet_id` only that wallet's, with
    `side` only those that it pays or provides.

    Raises NotFoundError for a wallet that is not the actor's, ValidationError naming `limit` or `cursor`.
    """
    if wallet_id is not None and wallet_id not in actor.wallet_ids:
        raise NotFoundError(said("there is no wallet {wallet_id}, or it is not yours", wallet_id=wallet_id))
    wallet_ids = actor.wallet_ids if wallet_id is None else (wallet_id,)
    keys = actor.key_ids if wallet_id is None and side is None else ()
    return list_page(session, of_wallets(wallet_ids, side, keys), search, limit=limit, cursor=cursor)


def of_wallets(
    wallet_ids: Collection[int], side: Party | None = None, verifier_key_ids: Collection[str] = ()
) -> Whose:
    """The escrows of these wallets on either side (or on `side`), and those that one of the keys verifies."""
    return list(_sides(wallet_ids, side, verifier_key_ids))


def of_everybody() -> Whose:
    """All escrows, for staff."""
    return [true()]


def list_page(
    session: Session,
    whose: Whose,
    search: EscrowSearch = EVERYTHING,
    *,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Escrow]:
    """What is looked for among these escrows; each once. Raises ValidationError naming `limit` or `cursor`."""
    size = checked_limit(limit)
    rows = _read(session, whose, search, size + 1, cursor)
    return Page.of(rows, size, search.key)


def every_escrow(session: Session, whose: Whose, search: EscrowSearch = EVERYTHING) -> Iterator[Escrow]:
    """All that is looked for, of one moment, read in pieces: a read-only transaction lasts until the end."""
    if not whose:
        return
    either = or_(*(and_(true(), *scan) for scan in search.scans()))
    statement = select(Escrow).where(or_(*whose), either).order_by(*search.order())
    with snapshot(session):
        yield from session.scalars(statement, execution_options={"yield_per": PIECE})


def latest_services(session: Session, whose: Whose) -> list[str]:
    """The names of the services of the latest of these escrows, in the order of the alphabet."""
    found = _found(whose, EVERYTHING, _LATEST, None)
    if found is None:
        return []
    newest = found.order_by(Escrow.id.desc()).limit(_LATEST).with_only_columns(Escrow.service_name).subquery()
    return sorted(session.scalars(select(newest.c.service_name).distinct()))


def _read(
    session: Session, whose: Whose, search: EscrowSearch, count: int, cursor: str | None
) -> list[Escrow]:
    found = _found(whose, search, count, cursor)
    if found is None:
        return []
    statement = found.order_by(*search.order()).limit(count)
    return list(session.scalars(statement.execution_options(populate_existing=True)))


def _found(whose: Whose, search: EscrowSearch, count: int, cursor: str | None) -> Select[Any] | None:
    """At least the first `count`, in no order; None when there is nothing to look through."""
    after = search.after(cursor)
    conditions = [(side, *scan, *after) for side in whose for scan in search.scans()]
    if len(conditions) <= 1:
        return select(Escrow).where(*conditions[0]) if conditions else None
    # One scan of an index for each wallet, side and state: an OR over columns would read and sort all of them.
    scans: list[Select[Any]] = [
        select(select(Escrow.id).where(*each).order_by(*search.order()).limit(count).subquery())
        for each in conditions
    ]
    # UNION drops what two scans found: between two wallets of one owner an escrow is on both sides.
    ids: Any = union(*scans).subquery()
    return select(Escrow).where(Escrow.id.in_(select(ids.c.id)))


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
