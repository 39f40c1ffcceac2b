"""The chain watcher: blocks become credited deposits, and reorganisations take credits back.

It reads the daemon's wallet history from a stored cursor that lies deep enough to see every ordinary deposit again
until it is credited; larger ones, which wait longer, are asked for one by one. A credit is a journal entry; taking it
back is another one with the ends swapped. Only the reading that began last may write: an older view of the chain,
held up on its way, must not undo what a newer one has done.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import structlog
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.exceptions import WalletIntegrationError
from webapp.domain.failpoints import Step, step
from webapp.domain.said import said
from webapp.models import Deposit
from webapp.services import chain_cursor
from webapp.services.chain_cursor import NewerReadingError, Reading
from webapp.services.daemon.answers import OutPoint, Tip
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.deposits import depth, losses, sightings
from webapp.services.deposits.depth import BlockTotals
from webapp.services.deposits.intake import Intake, Known
from webapp.services.deposits.sightings import CHUNK, Sighting
from webapp.services.escrow_funding import lock_escrows
from webapp.services.unit_of_work import unit_of_work

log = structlog.get_logger(__name__)

SPARE_DEPTH = 10


class ChainBehindError(WalletIntegrationError):
    """The daemon knows less of the chain than was read from it: nothing it says now undoes anything."""

    slug = "daemon-behind"
    title = said("The coin daemon is behind what was read from it")


class ChainWatcher:
    """One worker's watcher. `run` is one pass; it may be killed anywhere and run again."""

    def __init__(self, session: Session, settings: Settings, daemon: DaemonWallet) -> None:
        self._session = session
        self._settings = settings.wallet
        self._watch_depth = max(chain_cursor.WATCH_DEPTH, 2 * depth.greatest_depth(settings.wallet))
        self._daemon = daemon
        self._intake = Intake(session, settings)
        self._reading = Reading(0, "", "", 0)

    def run(self) -> None:
        """Read what is new. Raises WalletIntegrationError when the daemon is not usable, or behind what was read."""
        self._daemon.require_network()
        reading = chain_cursor.begin(self._session)
        try:
            self._read(reading)
        except NewerReadingError:
            log.info("reading_overtaken", number=reading.number)

    def _read(self, reading: Reading) -> None:
        self._reading, tip = reading, self._daemon.tip()
        if chain_cursor.is_behind(self._daemon, tip, Tip(reading.tip_height, reading.tip_hash)):
            raise ChainBehindError(
                said(
                    "The daemon is at block {height}, and block {tip_height} was read before: it is "
                    "catching up, or its data was replaced. Deposits wait until it is there again.",
                    height=tip.height,
                    tip_height=reading.tip_height,
                )
            )
        with step(Step.DEPOSITS_LIST):
            entries, next_block = self._daemon.list_since_block(
                reading.since_block, self._settings.confirmations_required + SPARE_DEPTH
            )
        listed = sightings.of_entries(self._session, entries)
        # What was undone comes before what takes its place, and the listing leaves some of it out.
        if tip.hash != reading.tip_hash:
            self._ask_for_unlisted(listed, tip, is_reorg=self._has_left_the_chain(reading.tip_hash))
        self._apply(listed, tip, depth.totals_of(listed))
        with step(Step.DEPOSITS_CURSOR), unit_of_work(self._session):
            chain_cursor.save(self._session, reading, next_block, tip)
        losses.recover(self._session)

    def _apply(self, seen: Sequence[Sighting], tip: Tip, totals: BlockTotals) -> None:
        for start in range(0, len(seen), CHUNK):
            self._apply_chunk(seen[start : start + CHUNK], tip, totals)

    def _apply_chunk(self, seen: Sequence[Sighting], tip: Tip, totals: BlockTotals) -> None:
        """Record a chunk of sightings; what did not change costs no write."""
        known = self._known({sighting.txid for sighting in seen})
        news = [each for each in seen if not self._is_as_known(known.get(each.point), each, totals)]
        self._session.commit()
        if not news:
            return
        # What was undone comes before what takes its place.
        news.sort(key=lambda each: (each.owner.wallet_id or 0, each.confirmations > 0, each.txid, each.vout))
        with step(Step.DEPOSITS_RECORD), unit_of_work(self._session):
            chain_cursor.require_newest(self._session, self._reading)
            lock_escrows(self._session, (each.owner.escrow_id for each in news))
            self._intake.take_in(news, known, tip, totals)

    def _is_as_known(self, deposit: Deposit | None, seen: Sighting, totals: BlockTotals) -> bool:
        """Whether there is nothing to write: a credited deposit stays where it is, another one waits at this depth."""
        if deposit is None or deposit.block_hash != seen.block_hash:
            return False
        if deposit.status == "credited":
            return seen.confirmations > 0
        return deposit.confirmations == seen.confirmations and not self._intake.is_due(deposit, seen, totals)

    def _ask_for_unlisted(self, listed: Iterable[Sighting], tip: Tip, *, is_reorg: bool) -> None:
        """Ask for deposits that the listing may leave out: those that wait longer, and the undone after a reorg."""
        seen = {sighting.point for sighting in listed}
        waiting = self._deposits(Deposit.status.in_(("seen", "reversed")), Deposit.block_height.is_not(None))
        undone = self._undone(tip) if is_reorg else []
        missed = [each for each in waiting + undone if OutPoint(each.txid, each.vout) not in seen]
        for start in range(0, len(missed), CHUNK):
            found = self._look_up(missed[start : start + CHUNK])
            totals = depth.stored_totals(
                self._session, {each.block_hash for each in found if each.block_hash}
            )
            self._session.commit()
            self._apply(found, tip, totals | depth.totals_of(found))

    def _undone(self, tip: Tip) -> list[Deposit]:
        """Recent credited deposits whose block is not in the chain any more."""
        credited = self._deposits(
            Deposit.status == "credited", Deposit.block_height >= tip.height - self._watch_depth
        )
        blocks = sorted({deposit.block_hash for deposit in credited if deposit.block_hash})
        gone = self._daemon.blocks_off_the_chain(blocks)
        return [deposit for deposit in credited if deposit.block_hash in gone]

    def _deposits(self, *conditions: ColumnElement[bool]) -> list[Deposit]:
        statement = select(Deposit).where(*conditions).order_by(Deposit.block_height, Deposit.id)
        rows = list(self._session.scalars(statement.execution_options(populate_existing=True)))
        self._session.commit()
        return rows

    def _look_up(self, deposits: Sequence[Deposit]) -> list[Sighting]:
        """Without those that the daemon does not know: its wallet was exchanged, which says nothing."""
        known = self._daemon.get_transactions({deposit.txid for deposit in deposits})
        unknown = {deposit.txid for deposit in deposits} - known.keys()
        if unknown:
            log.warning("deposits_unknown_to_daemon", txids=sorted(unknown)[:10])
        return [sightings.of_deposit(each, known[each.txid]) for each in deposits if each.txid in known]

    def _has_left_the_chain(self, block_hash: str) -> bool:
        return bool(block_hash and self._daemon.blocks_off_the_chain([block_hash]))

    def _known(self, txids: set[str]) -> Known:
        rows = self._session.scalars(
            select(Deposit).where(Deposit.txid.in_(txids)).execution_options(populate_existing=True)
        )
        return {OutPoint(row.txid, row.vout): row for row in rows}
