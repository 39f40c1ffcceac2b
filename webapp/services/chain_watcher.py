"""The chain watcher: blocks become credited deposits, and reorganisations take credits back.

It reads the daemon's wallet history from a stored cursor that lies deep enough to see every deposit again until it
is credited. A credit is a journal entry; taking it back is another one with the ends swapped.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import WalletIntegrationError
from webapp.domain.failpoints import Step, step
from webapp.domain.money import Amount
from webapp.models import ChainCursor, Deposit, DepositAddress
from webapp.services.daemon.answers import ChainEntry, Tip
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.deposits import credits as deposit_credits
from webapp.services.unit_of_work import unit_of_work

log = structlog.get_logger(__name__)

CHUNK = 200
# Credits younger than this many blocks are looked at one by one when the chain was reorganised.
REORG_WATCH_DEPTH = 250
SPARE_DEPTH = 10


class ChainBehindError(WalletIntegrationError):
    """The daemon knows less of the chain than was read from it: nothing it says now undoes anything."""

    slug = "daemon-behind"
    title = "The coin daemon is behind what was read from it"


@dataclass(frozen=True, slots=True)
class Owner:
    """What an address was given to: a wallet, an escrow with its payer's wallet, or, with neither, refills."""

    wallet_id: int | None
    escrow_id: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Sighting:
    """An output that pays one of our addresses, as the daemon sees it now. `confirmations` < 0: replaced by another."""

    txid: str
    vout: int
    address: str
    owner: Owner
    amount: Amount
    confirmations: int
    block_hash: str | None
    is_immature: bool


class ChainWatcher:
    """One worker's watcher. `run` is one pass; it may be killed anywhere and run again."""

    def __init__(self, session: Session, settings: Settings, daemon: DaemonWallet) -> None:
        self._session = session
        self._required = settings.wallet.confirmations_required
        self._daemon = daemon

    def run(self) -> None:
        """Read what is new. Raises WalletIntegrationError when the daemon is not usable, or behind what was read."""
        self._daemon.require_network()
        cursor = self._session.get(ChainCursor, 1)
        since_block, last_tip = (cursor.since_block, cursor.tip_hash) if cursor else (None, None)
        self._session.commit()
        tip = self._daemon.tip()
        if cursor and tip.height < cursor.tip_height and self._is_behind(cursor.tip_hash):
            raise ChainBehindError(
                f"The daemon is at block {tip.height}, and block {cursor.tip_height} was read before: it is "
                "catching up, or its data was replaced. Deposits wait until it is there again."
            )
        with step(Step.DEPOSITS_LIST):
            entries, next_block = self._daemon.list_since_block(since_block, self._required + SPARE_DEPTH)
        sightings = self._sightings(entries)
        for start in range(0, len(sightings), CHUNK):
            self._apply(sightings[start : start + CHUNK], tip)
        if tip.hash != last_tip:
            self._recheck(sightings, tip, is_reorg=self._has_left_the_chain(last_tip))
        self._save_cursor(next_block, tip)

    def _sightings(self, entries: Iterable[ChainEntry]) -> list[Sighting]:
        incoming = [entry for entry in entries if entry.is_incoming and entry.address]
        owners = self._owners({entry.address for entry in incoming if entry.address})
        # An output is listed again for each label or conflict; the last line is the newest.
        found = {
            (entry.txid, entry.vout): Sighting(
                entry.txid,
                entry.vout,
                entry.address,
                owners[entry.address],
                entry.amount,
                entry.confirmations,
                entry.block_hash,
                entry.category == "immature",
            )
            for entry in incoming
            if entry.address in owners and entry.amount  # An output of nothing is no deposit.
        }
        return list(found.values())

    def _owners(self, addresses: set[str]) -> dict[str, Owner]:
        owners: dict[str, Owner] = {}
        wanted = sorted(addresses)
        for start in range(0, len(wanted), CHUNK):
            statement = select(
                DepositAddress.address, DepositAddress.wallet_id, DepositAddress.escrow_id
            ).where(
                DepositAddress.address.in_(wanted[start : start + CHUNK]), DepositAddress.purpose != "stock"
            )
            owners |= {
                row.address: Owner(row.wallet_id, row.escrow_id) for row in self._session.execute(statement)
            }
        self._session.commit()
        return owners

    def _apply(self, sightings: Sequence[Sighting], tip: Tip) -> None:
        """Record a chunk of sightings; what did not change costs no write."""
        known = self._known({sighting.txid for sighting in sightings})
        news = [
            seen
            for seen in sightings
            if not _is_as_known(known.get((seen.txid, seen.vout)), seen, self._required)
        ]
        self._session.commit()
        if not news:
            return
        # Wallets change in id order everywhere, so that nobody waits for each other.
        news.sort(key=lambda seen: (seen.owner.wallet_id or 0, seen.txid, seen.vout))
        with step(Step.DEPOSITS_RECORD), unit_of_work(self._session):
            for sighting in news:
                deposit = known.get((sighting.txid, sighting.vout)) or _new_deposit(self._session, sighting)
                self._session.refresh(deposit, with_for_update=True)
                _update_depth(deposit, sighting, tip)
                self._judge(deposit, sighting)

    def _judge(self, deposit: Deposit, sighting: Sighting) -> None:
        if deposit.status == "credited":
            if sighting.confirmations <= 0:
                with step(Step.DEPOSITS_TAKE_BACK):
                    deposit_credits.take_back(self._session, deposit)
        elif sighting.confirmations >= self._required and not sighting.is_immature:
            with step(Step.DEPOSITS_CREDIT):
                deposit_credits.credit(self._session, deposit)

    def _recheck(self, listed: list[Sighting], tip: Tip, *, is_reorg: bool) -> None:
        """Ask for deposits that a listing from the cursor may leave out: uncredited ones, and all after a reorg."""
        seen = {(sighting.txid, sighting.vout) for sighting in listed}
        statement = select(Deposit).where(Deposit.status == "seen", Deposit.block_height.is_not(None))
        deposits = list(self._session.scalars(statement.order_by(Deposit.block_height).limit(CHUNK)))
        if is_reorg:
            recent = Deposit.block_height >= tip.height - REORG_WATCH_DEPTH
            deposits += self._session.scalars(select(Deposit).where(Deposit.status == "credited", recent))
        self._session.commit()
        missed = [deposit for deposit in deposits if (deposit.txid, deposit.vout) not in seen]
        for start in range(0, len(missed), CHUNK):
            found = [self._look_up(deposit) for deposit in missed[start : start + CHUNK]]
            self._apply([sighting for sighting in found if sighting], tip)

    def _look_up(self, deposit: Deposit) -> Sighting | None:
        """None for a transaction that the daemon does not know: its wallet was exchanged, which says nothing."""
        known = self._daemon.get_transaction(deposit.txid)
        if known is None:
            log.warning("deposit_unknown_to_daemon", txid=deposit.txid)
            return None
        is_immature = any(part.get("category") == "immature" for part in known.get("details", ()))
        return Sighting(
            deposit.txid,
            deposit.vout,
            deposit.address,
            Owner(deposit.wallet_id, deposit.escrow_id),
            deposit.amount,
            known["confirmations"],
            known.get("blockhash"),
            is_immature,
        )

    def _is_behind(self, last_tip: str) -> bool:
        """Whether a shorter chain means that the daemon is still reading it, and not that blocks were undone."""
        return self._daemon.block_header(last_tip) is None or self._daemon.is_catching_up()

    def _has_left_the_chain(self, block_hash: str | None) -> bool:
        if block_hash is None:
            return False
        header = self._daemon.block_header(block_hash)
        return header is None or header["confirmations"] < 0

    def _known(self, txids: set[str]) -> dict[tuple[str, int], Deposit]:
        rows = self._session.scalars(
            select(Deposit).where(Deposit.txid.in_(txids)).execution_options(populate_existing=True)
        )
        return {(row.txid, row.vout): row for row in rows}

    def _save_cursor(self, since_block: str, tip: Tip) -> None:
        with step(Step.DEPOSITS_CURSOR), unit_of_work(self._session):
            cursor = self._session.get(ChainCursor, 1) or ChainCursor(id=1)
            cursor.since_block, cursor.tip_hash, cursor.tip_height = since_block, tip.hash, tip.height
            cursor.read_at = utcnow()
            self._session.add(cursor)


def _is_as_known(deposit: Deposit | None, seen: Sighting, required: int) -> bool:
    if deposit is None or deposit.block_hash != seen.block_hash:
        return False
    is_final = deposit.status == "credited" and seen.confirmations >= required
    return is_final or deposit.confirmations == seen.confirmations


def _new_deposit(session: Session, seen: Sighting) -> Deposit:
    deposit = Deposit(
        wallet_id=seen.owner.wallet_id,
        escrow_id=seen.owner.escrow_id,
        address=seen.address,
        txid=seen.txid,
        vout=seen.vout,
        amount=seen.amount,
    )
    session.add(deposit)
    session.flush()
    return deposit


def _update_depth(deposit: Deposit, seen: Sighting, tip: Tip) -> None:
    deposit.confirmations, deposit.block_hash = seen.confirmations, seen.block_hash
    deposit.block_height = tip.height - seen.confirmations + 1 if seen.confirmations > 0 else None
