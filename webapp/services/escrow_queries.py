"""Lists of escrows in any order, page by page or whole. Reads only; who asks decides what is seen."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import Session

from webapp.domain.escrow_states import Party
from webapp.domain.exceptions import NotFoundError
from webapp.domain.pagination import Page, checked_limit
from webapp.domain.roles import Actor
from webapp.domain.said import said
from webapp.models import Escrow
from webapp.services.escrow_scans import first_escrows, first_ids
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
    rows = first_escrows(session, search.scans(whose, cursor), size + 1)
    return Page.of(rows, size, search.key)


def every_escrow(session: Session, whose: Whose, search: EscrowSearch = EVERYTHING) -> Iterator[Escrow]:
    """All that is looked for, of one moment, read in pieces: a read-only transaction lasts until the end."""
    with snapshot(session):
        cursor = None
        while True:
            rows = first_escrows(session, search.scans(whose, cursor), PIECE + 1)
            piece = Page.of(rows, PIECE, search.key)
            yield from piece.items
            if piece.next_cursor is None:
                return
            cursor = piece.next_cursor


def latest_services(session: Session, whose: Whose) -> list[str]:
    """The names of the services of the latest of these escrows, in the order of the alphabet."""
    scans = EVERYTHING.scans(whose)
    if not scans:
        return []
    ids = first_ids(scans, _LATEST)
    names = select(Escrow.service_name).join(ids, ids.c.id == Escrow.id).distinct()
    return sorted(session.scalars(names))


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
