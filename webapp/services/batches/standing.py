"""How everything stands that a batch is about: its rows, locked in the order in which everybody takes them, and read.

A single operation takes its escrow and then wallets in id order. One transaction that did this again and again would
hold wallets while it waits for the next escrow, and could meet somebody who holds that one and waits for a wallet. So a
batch takes all it needs ahead: the escrows, the key whose spend limit counts, the wallets. Nobody can be made to wait
for a stranger's batch: what the actor has no part in is left alone.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import BigInteger, ColumnElement, or_, select, true, type_coerce
from sqlalchemy.orm import Session

from webapp.domain.exceptions import NotFoundError
from webapp.domain.money import Amount
from webapp.domain.roles import Actor
from webapp.ledger.balances import Purse
from webapp.models import CatalogueService, Escrow, EscrowTransaction, SigningKey, Wallet
from webapp.models.many_rows import among
from webapp.services.batches.operations import Asked, Create, Deliver, Refund, Release
from webapp.services.escrow_terms import parsed_escrow_id
from webapp.services.express.plans import Place
from webapp.services.express.rows import NAMES, EscrowRow

# What an escrow that is paid for from the balance has not, or only when it has ended.
_EMPTY = {
    "resolved_provider_amount", "resolved_community_amount", "deposited_amount", "deposit_address", "refund_address",
    "fund_by", "refund_reason", "released_at", "refunded_at",
}  # fmt: skip
_READ = [name for name in NAMES if name not in _EMPTY]
_COLUMNS = [getattr(Escrow, name) for name in _READ]
_TRAIL = (EscrowTransaction.escrow_id, EscrowTransaction.sequence, EscrowTransaction.hash)
_BALANCES = (
    type_coerce(Wallet.available, BigInteger),
    type_coerce(Wallet.held, BigInteger),
    Wallet.is_frozen,
)


@dataclass(slots=True)
class Allowance:
    """The spend limit of a key (of the first one, if it replaced others), and how many base units are left of it."""

    key_id: str
    limit: Amount
    left: int


@dataclass
class Standing:
    """Escrows by id, with the last event of each one's trail; wallets that operations change, by id.

    `paid_out` are the wallets whose earnings leave for the chain at once. Of what new escrows name, `providers` are the
    wallets that exist, and `offered` the pairs of wallet and name that stand for a service of the catalogue.
    `allowance` is what the actor's key may spend, if that is limited.
    """

    escrows: dict[uuid.UUID, EscrowRow] = field(default_factory=dict)
    trails: dict[uuid.UUID, Place] = field(default_factory=dict)
    purses: dict[int, Purse] = field(default_factory=dict)
    paid_out: set[int] = field(default_factory=set)
    providers: set[int] = field(default_factory=set)
    offered: set[tuple[int, str]] = field(default_factory=set)
    allowance: Allowance | None = None


def lock_and_read(session: Session, actor: Actor, operations: Sequence[Asked]) -> Standing:
    """Wait for everybody who holds one of the rows, inside the caller's unit of work.

    A unit of work on SQLite has the only write lock already.
    """
    standing = Standing()
    wallet_ids = set(_lock_escrows(session, actor, _named(operations), standing))
    creations = [each.terms for each in operations if isinstance(each, Create)]
    if payers := {terms["payer_wallet_id"] for terms in creations} & actor.wallet_ids:
        wallet_ids |= payers
        read_allowance(session, standing, actor)
        _read_providers(session, {terms["provider_wallet_id"] for terms in creations}, standing)
    read_purses(session, standing, wallet_ids)
    return standing


def read_purses(session: Session, standing: Standing, wallet_ids: Collection[int]) -> None:
    """Lock the wallets, and have their balances as they are now."""
    if not wallet_ids:
        return
    statement = select(Wallet.id, Wallet.payout_address, *_BALANCES).where(
        among(session.connection(), Wallet.id, wallet_ids)
    )
    locked = statement.order_by(Wallet.id).with_for_update(key_share=True)
    for wallet_id, payout_address, available, held, is_frozen in session.execute(locked):
        standing.purses[wallet_id] = Purse(available, held, is_frozen)
        if payout_address:
            standing.paid_out.add(wallet_id)


def read_allowance(session: Session, standing: Standing, actor: Actor) -> None:
    """Lock the key if what is spent with it counts against a limit: only then is it changed."""
    limited = (SigningKey.id == actor.first_key_id, SigningKey.spend_limit.is_not(None))
    statement = select(SigningKey.id, SigningKey.spend_limit, SigningKey.spent).where(*limited)
    found = session.execute(statement.with_for_update(key_share=True)).first()
    if found is not None and found.spend_limit is not None:
        left = found.spend_limit.base_units - found.spent.base_units
        standing.allowance = Allowance(found.id, found.spend_limit, left)


def _read_providers(session: Session, wallet_ids: Collection[int], standing: Standing) -> None:
    connection = session.connection()
    standing.providers = set(
        session.scalars(select(Wallet.id).where(among(connection, Wallet.id, wallet_ids)))
    )
    services = select(CatalogueService.provider_wallet_id, CatalogueService.name).where(
        among(connection, CatalogueService.provider_wallet_id, wallet_ids), CatalogueService.is_active
    )
    standing.offered = {(row[0], row[1]) for row in session.execute(services)}


def _named(operations: Sequence[Asked]) -> dict[uuid.UUID, set[type[Asked]]]:
    """The escrows that are named, and what is asked to be done with each."""
    named: defaultdict[uuid.UUID, set[type[Asked]]] = defaultdict(set)
    for operation in operations:
        if isinstance(operation, Deliver | Release | Refund):
            with suppress(NotFoundError):  # it is told when its turn comes
                named[parsed_escrow_id(operation.escrow_id)].add(type(operation))
    return named


def _lock_escrows(
    session: Session, actor: Actor, named: dict[uuid.UUID, set[type[Asked]]], standing: Standing
) -> Iterator[int]:
    """Lock and read them, and name the wallets that the operations on them may change."""
    if not named:
        return
    connection = session.connection()
    own = select(*_COLUMNS).where(among(connection, Escrow.id, named), _is_of(actor)).order_by(Escrow.id)
    for row in session.execute(own.with_for_update(key_share=True)):
        escrow = EscrowRow(**dict(zip(_READ, row, strict=True)))
        standing.escrows[escrow.id] = escrow
        # A delivery moves money only where the escrow's own terms wait for nothing else.
        if escrow.has_own_terms or named[escrow.id] != {Deliver}:
            yield escrow.payer_wallet_id
        if escrow.has_own_terms or Release in named[escrow.id]:
            yield escrow.provider_wallet_id
    # Only now nobody else can add to a trail. The last event of each stays.
    trails = select(*_TRAIL).where(among(connection, EscrowTransaction.escrow_id, standing.escrows))
    for event in session.execute(trails.order_by(EscrowTransaction.sequence)):
        standing.trails[event[0]] = Place(event[1] + 1, event[2])


def _is_of(actor: Actor) -> ColumnElement[bool]:
    if actor.is_program:
        return true()
    return or_(
        Escrow.payer_wallet_id.in_(actor.wallet_ids),
        Escrow.provider_wallet_id.in_(actor.wallet_ids),
        Escrow.verifier_key_id.in_(actor.key_ids),
    )
