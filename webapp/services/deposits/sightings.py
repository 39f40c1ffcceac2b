"""Outputs that pay addresses of ours, as the daemon's wallet shows them at one moment."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.money import Amount
from webapp.models import Deposit, DepositAddress
from webapp.services.daemon.answers import ChainEntry, OutPoint

CHUNK = 200
# A block reward whose block was undone: nothing that can be waited for, unless the block itself comes back.
_ORPHAN = "orphan"


@dataclass(frozen=True, slots=True)
class Owner:
    """What an address was given to: a wallet, an escrow with its payer's wallet, or, with neither, refills."""

    wallet_id: int | None
    escrow_id: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Sighting:
    """An output that pays one of our addresses. `confirmations` < 0: another transaction took its place.

    `conflicts` are the txids of transactions that spend the same coins; `seen_at` is when it was seen first.
    """

    txid: str
    vout: int
    address: str
    owner: Owner
    amount: Amount
    confirmations: int
    block_hash: str | None
    is_immature: bool
    conflicts: tuple[str, ...]
    seen_at: datetime

    @property
    def point(self) -> OutPoint:
        """The output."""
        return OutPoint(self.txid, self.vout)


def of_entries(session: Session, entries: Iterable[ChainEntry]) -> list[Sighting]:
    """The lines of a listing that pay addresses which were given out. Ends the session's transaction."""
    incoming = [
        entry for entry in entries if entry.address and (entry.is_incoming or entry.category == _ORPHAN)
    ]
    owners = _owners(session, {entry.address for entry in incoming if entry.address})
    # An output is listed again for each label or conflict; the last line is the newest.
    found = {
        (entry.txid, entry.vout): Sighting(
            entry.txid,
            entry.vout,
            entry.address,
            owners[entry.address],
            entry.amount,
            _depth(entry.confirmations, entry.category),
            entry.block_hash,
            entry.category == "immature",
            entry.conflicts,
            entry.seen_at,
        )
        for entry in incoming
        if entry.address in owners and entry.amount  # An output of nothing is no deposit.
    }
    return list(found.values())


def of_deposit(deposit: Deposit, known: Mapping[str, Any]) -> Sighting:
    """A deposit again, from the wallet's answer about its transaction."""
    categories = {part.get("category", "") for part in known.get("details", ())}
    return Sighting(
        deposit.txid,
        deposit.vout,
        deposit.address,
        Owner(deposit.wallet_id, deposit.escrow_id),
        deposit.amount,
        _depth(known["confirmations"], _ORPHAN if _ORPHAN in categories else ""),
        known.get("blockhash"),
        "immature" in categories,
        tuple(known.get("walletconflicts", ())),
        deposit.first_seen_at,
    )


def _depth(confirmations: int, category: str) -> int:
    return min(confirmations, -1) if category == _ORPHAN else confirmations


def _owners(session: Session, addresses: set[str]) -> dict[str, Owner]:
    owners: dict[str, Owner] = {}
    wanted = sorted(addresses)
    for start in range(0, len(wanted), CHUNK):
        rows = session.execute(
            select(DepositAddress.address, DepositAddress.wallet_id, DepositAddress.escrow_id).where(
                DepositAddress.address.in_(wanted[start : start + CHUNK]), DepositAddress.purpose != "stock"
            )
        )
        owners |= {row.address: Owner(row.wallet_id, row.escrow_id) for row in rows}
    session.commit()
    return owners
