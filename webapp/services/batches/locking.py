"""The rows that a batch is going to change, locked in the order in which everybody takes them.

A single operation takes its escrow and then wallets in id order. One transaction that did this again and again would
hold wallets while it waits for the next escrow, and could meet somebody who holds that one and waits for a wallet. So a
batch takes all it needs ahead: the escrows, the key whose spend limit counts, the wallets. Nobody can be made to wait
for a stranger's batch: what the actor has no part in is left alone.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.orm import Session

from webapp.domain.exceptions import NotFoundError
from webapp.domain.roles import Actor
from webapp.models import Escrow, SigningKey, Wallet
from webapp.services.batches.operations import Asked, Create, Deliver, Refund, Release
from webapp.services.escrow_terms import parsed_escrow_id


def lock_ahead(session: Session, actor: Actor, operations: Sequence[Asked]) -> None:
    """Wait for everybody who holds one of the rows, inside the caller's unit of work.

    A unit of work on SQLite has the only write lock already.
    """
    if session.connection().dialect.name == "sqlite":
        return
    wallet_ids = set(_lock_escrows(session, actor, _named(operations)))
    payers = {each.terms["payer_wallet_id"] for each in operations if isinstance(each, Create)}
    if own := payers & actor.wallet_ids:
        wallet_ids |= own
        _lock_key(session, actor)
    if wallet_ids:
        statement = select(Wallet.id).where(Wallet.id.in_(wallet_ids)).order_by(Wallet.id)
        session.execute(statement.with_for_update(key_share=True))


def _lock_key(session: Session, actor: Actor) -> None:
    """Only a key with a spend limit is changed by what is spent with it."""
    limited = (SigningKey.id == actor.first_key_id, SigningKey.spend_limit.is_not(None))
    session.execute(select(SigningKey.id).where(*limited).with_for_update(key_share=True))


def _named(operations: Sequence[Asked]) -> dict[uuid.UUID, set[type[Asked]]]:
    """The escrows that are named, and what is asked to be done with each."""
    named: defaultdict[uuid.UUID, set[type[Asked]]] = defaultdict(set)
    for operation in operations:
        if isinstance(operation, Deliver | Release | Refund):
            with suppress(NotFoundError):  # it is told when its turn comes
                named[parsed_escrow_id(operation.escrow_id)].add(type(operation))
    return named


def _lock_escrows(session: Session, actor: Actor, named: dict[uuid.UUID, set[type[Asked]]]) -> Iterator[int]:
    """Lock them, and name the wallets that the operations on them may change."""
    if not named:
        return
    rows = session.execute(
        select(Escrow.id, Escrow.payer_wallet_id, Escrow.provider_wallet_id, Escrow.has_own_terms)
        .where(Escrow.id.in_(named), _is_of(actor))
        .order_by(Escrow.id)
        .with_for_update(key_share=True)
    )
    for escrow_id, payer, provider, has_own_terms in rows:
        # A delivery moves money only where the escrow's own terms wait for nothing else.
        if has_own_terms or named[escrow_id] != {Deliver}:
            yield payer
        if has_own_terms or Release in named[escrow_id]:
            yield provider


def _is_of(actor: Actor) -> ColumnElement[bool]:
    if actor.is_program:
        return true()
    return or_(
        Escrow.payer_wallet_id.in_(actor.wallet_ids),
        Escrow.provider_wallet_id.in_(actor.wallet_ids),
        Escrow.verifier_key_id.in_(actor.key_ids),
    )
