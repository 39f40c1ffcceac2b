"""How deep a deposit must lie before it is credited: the more it is worth to undo it, the deeper.

What counts is all that one wallet receives in one block: a reorganisation undoes the block as a whole, so a deposit
that is split into many outputs must wait as long as one that is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import BigInteger, func, select, type_coerce
from sqlalchemy.orm import Session

from webapp.config.sections import ConfirmationStep, WalletSettings
from webapp.domain.money import Amount
from webapp.models import Deposit
from webapp.services.deposits.sightings import Sighting

# Base units by wallet (None: refills from cold storage) and block.
BlockTotals = Counter[tuple[int | None, str]]


def required_confirmations(settings: WalletSettings, amount: Amount) -> int:
    """The confirmations that `amount` needs; the steps of the settings may be in any order, and never shorten it."""
    reached = (step.confirmations for step in settings.confirmations_by_amount if amount >= step.amount)
    return max(settings.confirmations_required, *reached, 0)


def greatest_depth(settings: WalletSettings) -> int:
    """The confirmations that the largest deposit needs."""
    steps = (step.confirmations for step in settings.confirmations_by_amount)
    return max(settings.confirmations_required, *steps, 0)


def is_deep_enough(settings: WalletSettings, seen: Sighting, totals: BlockTotals) -> bool:
    """Whether it lies as deep as all that its wallet receives in its block must."""
    if seen.is_immature or seen.block_hash is None:
        return False
    together = Amount(totals[seen.owner.wallet_id, seen.block_hash])
    return seen.confirmations >= required_confirmations(settings, together)


def longer_waits(settings: WalletSettings) -> list[ConfirmationStep]:
    """The steps that make a deposit wait longer, the smallest amount first."""
    waits: list[ConfirmationStep] = []
    deepest = settings.confirmations_required
    for step in sorted(settings.confirmations_by_amount, key=lambda each: each.amount):
        if step.confirmations > deepest:
            waits.append(step)
            deepest = step.confirmations
    return waits


def totals_of(sightings: Iterable[Sighting]) -> BlockTotals:
    """What was seen, wallet by wallet and block by block."""
    totals: BlockTotals = Counter()
    for seen in sightings:
        if seen.block_hash is not None:
            totals[seen.owner.wallet_id, seen.block_hash] += seen.amount.base_units
    return totals


def stored_totals(session: Session, block_hashes: Collection[str]) -> BlockTotals:
    """The same of the deposits that are known. One query; at most some hundred blocks at a time."""
    return _totals(session, Deposit.block_hash, Deposit.block_hash.in_(block_hashes))


def confirmations_needed(
    session: Session, settings: WalletSettings, deposits: Sequence[Deposit]
) -> dict[int, int]:
    """Each deposit's own number, by its id, for showing it. What is in no block yet counts with its transaction."""
    wallets = Deposit.wallet_id.in_({deposit.wallet_id for deposit in deposits})
    hashes = {deposit.block_hash for deposit in deposits if deposit.block_hash}
    txids = {deposit.txid for deposit in deposits if not deposit.block_hash}
    in_blocks = _totals(session, Deposit.block_hash, wallets, Deposit.block_hash.in_(hashes))
    waiting = Deposit.block_hash.is_(None)
    in_transactions = _totals(session, Deposit.txid, wallets, waiting, Deposit.txid.in_(txids))
    totals = in_blocks | in_transactions
    return {
        deposit.id: required_confirmations(
            settings, Amount(totals[deposit.wallet_id, deposit.block_hash or deposit.txid])
        )
        for deposit in deposits
    }


def _totals(session: Session, group: Any, *conditions: Any) -> BlockTotals:
    total = func.sum(type_coerce(Deposit.amount, BigInteger))
    rows = session.execute(
        select(Deposit.wallet_id, group, total).where(*conditions).group_by(Deposit.wallet_id, group)
    )
    return Counter({(wallet_id, key): int(units) for wallet_id, key, units in rows})
