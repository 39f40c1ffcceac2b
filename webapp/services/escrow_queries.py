"""Lists of escrows in any order, page by page or whole. Reads only; who asks decides what is seen."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from webapp.domain.escrow_states import Party
from webapp.domain.exceptions import NotFoundError
from webapp.domain.pagination import Page, checked_limit, decode_cursor, encode_cursor
from webapp.domain.roles import Actor
from webapp.domain.said import said
from webapp.models import Escrow
from webapp.services.escrow_orders import ORDERS, Place, Sort
from webapp.services.escrow_scans import Scan, first_escrows, first_ids, is_in, nearest_end
from webapp.services.escrow_search import CONDITIONS, EVERYTHING, EscrowSearch
from webapp.services.snapshot import snapshot

# How many rows of a whole list are in memory at once.
PIECE = 500
# How many of the latest escrows tell which services somebody uses.
_LATEST = 100
# How many of each side and state are looked through for a page when what is looked for may be rare.
LOOKED_THROUGH = 500


class Side(NamedTuple):
    """Escrows with this value in this column; all of them, without a column."""

    column: str = ""
    value: int | str | None = None


Whose = tuple[Side, ...]


class Shape(NamedTuple):
    """What the statement of a list depends on, beside its parameters.

    `after` and `until` tell of a place whether it is among those that have ended, as `Order.scan` takes them.
    """

    columns: tuple[str, ...]
    statuses: tuple[str, ...]
    sort: Sort
    narrowed: tuple[str, ...] = ()
    after: bool | None = None
    until: bool | None = None

    def scans(self) -> list[Scan]:
        """What to scan, for one side and state after the other."""
        narrowed = [CONDITIONS[name] for name in self.narrowed]
        found = (
            ORDERS[self.sort].scan(
                status,
                (*_is_of(number, column), is_in(status), *narrowed),
                after=self.after,
                until=self.until,
            )
            for number, column in enumerate(self.columns)
            for status in self.statuses
        )
        return [scan for scan in found if scan is not None]


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
    return tuple(_sides(wallet_ids, side, verifier_key_ids))


def of_everybody() -> Whose:
    """All escrows, for staff."""
    return (Side(),)


def list_page(
    session: Session,
    whose: Whose,
    search: EscrowSearch = EVERYTHING,
    *,
    limit: int | None = None,
    cursor: str | None = None,
) -> Page[Escrow]:
    """What is looked for among these escrows; each once. Raises ValidationError naming `limit` or `cursor`.

    A page has fewer than `limit` although others follow, even none, when what is looked for is rare: so many are
    looked through for it, whatever is found.
    """
    return _page(session, whose, search, checked_limit(limit), cursor)


def every_escrow(session: Session, whose: Whose, search: EscrowSearch = EVERYTHING) -> Iterator[Escrow]:
    """All that is looked for, of one moment, read in pieces: a read-only transaction lasts until the end."""
    with snapshot(session):
        cursor = None
        while True:
            piece = _page(session, whose, search, PIECE, cursor)
            yield from piece.items
            if piece.next_cursor is None:
                return
            cursor = piece.next_cursor


def latest_services(session: Session, whose: Whose) -> list[str]:
    """The names of the services of the latest of these escrows, in the order of the alphabet."""
    shape = Shape(tuple(side.column for side in whose), EVERYTHING.statuses, EVERYTHING.sort)
    return sorted(session.scalars(_services(shape), _values(whose))) if whose else []


def _page(
    session: Session, whose: Whose, search: EscrowSearch, size: int, cursor: str | None
) -> Page[Escrow]:
    order = search.order
    after = decode_cursor(cursor, order.parse)
    shape = Shape(
        tuple(side.column for side in whose), search.statuses, search.sort, after=order.has_ended(after)
    )
    values = _values(whose) | _place_values("after", after)
    until = None
    if search.may_be_rare and (end := _statement(shape, LOOKED_THROUGH, nearest_end)) is not None:
        row = session.execute(end, values).first()
        until = Place(getattr(row, "rank", None), row.id) if row else None
    shape = shape._replace(narrowed=search.narrowed, until=order.has_ended(until))
    statement = _statement(shape, size + 1, first_escrows)
    if statement is None:
        return Page([], None)
    values |= search.values() | _place_values("until", until)
    rows = list(session.scalars(statement, values))
    page = Page.of(rows, size, lambda escrow: order.text(order.place(escrow)))
    if page.next_cursor is None and until is not None:
        return Page(page.items, encode_cursor(order.text(until)))
    return page


@lru_cache(maxsize=500)
def _statement(shape: Shape, count: int, of: Any) -> Select[Any] | None:
    """What `of` makes of the scans of this shape, once; None when there is nothing to scan."""
    scans = shape.scans()
    return of(scans, count) if scans else None


@lru_cache(maxsize=100)
def _services(shape: Shape) -> Select[str]:
    ids = first_ids(shape.scans(), _LATEST).subquery()
    return select(Escrow.service_name).join(ids, ids.c.id == Escrow.id).distinct()


def _is_of(number: int, column: str) -> tuple[Any, ...]:
    return (getattr(Escrow, column) == bindparam(f"side_{number}"),) if column else ()


def _values(whose: Whose) -> dict[str, Any]:
    return {f"side_{number}": side.value for number, side in enumerate(whose) if side.column}


def _place_values(name: str, place: Place | None) -> dict[str, Any]:
    return {} if place is None else {f"{name}_value": place.value, f"{name}_id": place.id}


def _sides(
    wallet_ids: Collection[int], side: Party | None, verifier_key_ids: Collection[str]
) -> Iterator[Side]:
    for wallet_id in sorted(wallet_ids):
        if side is not Party.PROVIDER:
            yield Side("payer_wallet_id", wallet_id)
        if side is not Party.PAYER:
            yield Side("provider_wallet_id", wallet_id)
    for key_id in verifier_key_ids:
        yield Side("verifier_key_id", key_id)
