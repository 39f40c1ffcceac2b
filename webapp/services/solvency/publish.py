"""Making and publishing a statement: figures of one moment, the tree, the signatures, and what is kept.

Owed and held belong to one block and to books that stand still: both are read until they do. A statement that would
not stand its own check is not published.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.addresses import P2PKH_VERSIONS
from webapp.domain.clock import to_rfc3339, utcnow
from webapp.domain.exceptions import DuxosError
from webapp.domain.said import said
from webapp.domain.solvency import CoinsAt, Statement, Tree, message_of, verify
from webapp.domain.solvency.reading import flop
from webapp.domain.solvency.signed_messages import MAGICS, find_magic
from webapp.models import Reconciliation, SolvencyLeaf, SolvencyStatement
from webapp.services.coin_count import Books, books_of, change_in_limbo
from webapp.services.daemon.answers import Tip
from webapp.services.daemon.messages import sign_text
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts.halts import raise_alert
from webapp.services.snapshot import snapshot
from webapp.services.solvency import liabilities, proofs, reserves, small_change
from webapp.services.solvency.liabilities import Owed, OwnedLeaf
from webapp.services.solvency.reserves import HotCoins
from webapp.services.unit_of_work import unit_of_work

log = structlog.get_logger(__name__)

LOOKS = 5
SECONDS_BETWEEN_LOOKS = 0.2
KEPT_PROOFS = 60
# A new service has its first statement soon, and not before a block was reconciled.
FIRST_AFTER = timedelta(hours=1)
ALERT = "reserves_short"
_PROBE = "DuxOS Escrow: which of your addresses can sign?"


class StatementNotMadeError(DuxosError):
    """Nothing was published: the books and the chain moved, or what was found does not add up."""

    status = 409
    slug = "statement-not-made"
    title = said("No statement could be made")


class ReservesShortError(StatementNotMadeError):
    """More is owed than is there. Nothing was published, and the operators were told."""

    slug = "reserves-short"
    title = said("The reserves do not cover what is owed")


@dataclass(frozen=True, slots=True)
class _Found:
    """What was owed and held at one block."""

    tip: Tip
    owed: list[Owed]
    hot: HotCoins
    cold: tuple[CoinsAt, ...]


@dataclass(frozen=True, slots=True)
class _Written:
    """What the books say, from one snapshot."""

    books: Books
    owed: list[Owed]
    cold: tuple[CoinsAt, ...]

    @property
    def fingerprint(self) -> tuple[object, ...]:
        """What changes when coins move, whichever way; money that only changes hands here leaves it as it is."""
        return self.books.tip_hash, self.books.expected, sum(each.amount for each in self.owed), self.cold


class Publisher:
    """Publishes for one instance."""

    def __init__(self, session: Session, settings: Settings, daemon: DaemonWallet) -> None:
        self._session = session
        self._settings = settings
        self._daemon = daemon

    def publish_if_due(self) -> None:
        """The worker's task: once every custody.solvency_interval_hours. Raises what `publish` raises."""
        newest = self._session.execute(select(func.max(SolvencyStatement.published_at))).scalar()
        first_block = self._session.execute(select(func.min(Reconciliation.checked_at))).scalar()
        self._session.commit()
        interval = timedelta(hours=self._settings.custody.solvency_interval_hours)
        if newest is not None:
            is_due = newest + interval <= utcnow()
        else:
            is_due = first_block is not None and first_block + FIRST_AFTER <= utcnow()
        if is_due:
            self.publish()

    def publish(self) -> SolvencyStatement:
        """Make a statement and keep it. Raises StatementNotMadeError, ReservesShortError, or a WalletIntegrationError.

        The wallet is open for the signing alone; no transaction is open while the daemon is asked.
        """
        small_change.charge_to_fund(self._session)
        found = self._look()
        leaves = liabilities.leaves_of(found.owed)
        tree = Tree([owned.leaf.node for owned in leaves])
        statement = self._state(found, tree)
        if statement.reserves < statement.liabilities:
            raise self._shortage(statement)
        document = self._sign(statement)
        kept = self._keep(statement, document, tree, leaves)
        log.info("solvency_published", statement=kept.id, block=kept.block_height, leaves=len(leaves))
        return kept

    def _look(self) -> _Found:
        for look in range(LOOKS):
            if look:
                time.sleep(SECONDS_BETWEEN_LOOKS)
            before = self._read_books()
            hot = reserves.hot_coins(self._session, self._daemon)
            tip = self._daemon.tip()
            after = self._read_books()
            is_still = before.fingerprint == after.fingerprint and after.books.tip_hash == tip.hash
            if is_still and hot.listed_total <= hot.total:
                return _Found(tip, after.owed, hot, after.cold)
        raise StatementNotMadeError(
            said(
                "the books and the chain did not stand still, or the worker has not read the last "
                "block; it is tried again"
            )
        )

    def _read_books(self) -> _Written:
        with snapshot(self._session):
            return _Written(
                books_of(self._session),
                liabilities.read(self._session),
                reserves.cold_coins(self._session, self._settings.custody.cold_address),
            )

    def _state(self, found: _Found, tree: Tree) -> Statement:
        """The statement. Only addresses that can sign are listed: each is asked once what it can do."""
        version = P2PKH_VERSIONS[self._daemon.network]
        signed = sign_text(self._daemon, [coins.address for coins in found.hot.listed], _PROBE)
        magics = {address: find_magic(address, version, each, _PROBE) for address, each in signed.items()}
        magic = next((each for each in magics.values() if each), MAGICS[0])
        listed = tuple(coins for coins in found.hot.listed if magics.get(coins.address) == magic)
        return Statement(
            network=self._daemon.network,
            made_at=to_rfc3339(utcnow()) or "",
            block_height=found.tip.height,
            block_hash=found.tip.hash,
            root=tree.root,
            coins=listed,
            other_coins=found.hot.total - sum(coins.amount for coins in listed),
            cold_storage=found.cold,
            message_magic=magic,
            address_version=version,
        )

    def _sign(self, statement: Statement) -> dict[str, Any]:
        addresses = [coins.address for coins in statement.coins]
        document = statement.document(sign_text(self._daemon, addresses, message_of(statement)), {})
        verdict = verify(document)
        if not verdict.is_good:
            raise StatementNotMadeError(
                said("it would not stand its own check: {lines}", lines=verdict.lines[-1])
            )
        return document

    def _keep(
        self, statement: Statement, document: dict[str, Any], tree: Tree, leaves: list[OwnedLeaf]
    ) -> SolvencyStatement:
        with unit_of_work(self._session) as session:
            kept = SolvencyStatement(
                block_height=statement.block_height,
                block_hash=statement.block_hash,
                root_hash=statement.root.hash.hex(),
                liabilities=statement.liabilities,
                reserves=statement.reserves,
                document=document,
                subtrees=proofs.subtrees_of(tree),
            )
            session.add(kept)
            session.flush()
            rows = [leaf_row(kept.id, position, owned) for position, owned in enumerate(leaves)]
            if rows:
                session.execute(insert(SolvencyLeaf), rows)
            _prune(session)
        return kept

    def _shortage(self, statement: Statement) -> StatementNotMadeError:
        if change_in_limbo(self._session, self._daemon):
            return StatementNotMadeError(
                said("a transaction of ours is in no block and in no mempool; it is sent again")
            )
        owed, missing = statement.liabilities, statement.liabilities - statement.reserves
        detail = (
            f"{flop(missing)} of {flop(owed)} FLOP that is owed is missing at block {statement.block_height}"
        )
        with unit_of_work(self._session):
            raise_alert(self._session, ALERT, "reserves", f"{detail}; no proof of solvency is published")
        return ReservesShortError(detail)


def leaf_row(statement_id: int, position: int, owned: OwnedLeaf) -> dict[str, Any]:
    """A leaf as it is kept."""
    return {
        "statement_id": statement_id,
        "position": position,
        "wallet_id": owned.wallet_id,
        "label": owned.leaf.label,
        "amount": owned.leaf.amount,
        "nonce": owned.leaf.nonce.hex(),
    }


def _prune(session: Session) -> None:
    """Statements stay for ever; the leaves behind them, which are many, only of the newest ones."""
    kept = select(SolvencyStatement.id).order_by(SolvencyStatement.id.desc()).limit(KEPT_PROOFS)
    session.execute(delete(SolvencyLeaf).where(SolvencyLeaf.statement_id.not_in(kept)))
