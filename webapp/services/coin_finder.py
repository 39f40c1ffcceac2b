"""Finding coins at addresses that were never given out, block by block, in the history of the daemon's wallet.

Our own change, merges and refills are none: the daemon lists no change, what it paid itself is listed as sent, too, and
refills go to addresses that were taken for them. An address of the stock that was paid before anybody had it is taken
out of the stock: whoever got it next would get somebody else's coins.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from webapp.models import DepositAddress, Reconciliation, UnexplainedCoin
from webapp.models.insert_once import insert_once
from webapp.services.daemon.answers import ChainEntry, OutPoint, Tip
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts.halts import raise_alert
from webapp.services.unit_of_work import unit_of_work

log = structlog.get_logger(__name__)

CHUNK = 200
# A block reward whose block was undone.
_ORPHAN = "orphan"


def read(session: Session, daemon: DaemonWallet) -> None:
    """List what came since the last block that was reconciled. May be repeated. Raises WalletIntegrationError."""
    newest = select(Reconciliation.block_hash).order_by(Reconciliation.id.desc()).limit(1)
    since = session.execute(newest).scalar()
    session.commit()
    tip = daemon.tip()
    entries, _ = daemon.list_since_block(since, 1)
    if daemon.tip() != tip:
        return  # Depths would be counted from two ends; the next tick reads it all again.
    sent = {_point(entry) for entry in entries if entry.category == "send"}
    # An output is listed again for each label or conflict; the last line is the newest.
    came = {
        _point(entry): entry
        for entry in entries
        if entry.address and entry.amount and (entry.is_incoming or entry.category == _ORPHAN)
    }
    strangers = [entry for point, entry in came.items() if point not in sent]
    strangers.sort(key=_depth, reverse=True)  # in the order in which they came
    for start in range(0, len(strangers), CHUNK):
        _note(session, _never_given_out(session, strangers[start : start + CHUNK]), tip)
    _deepen(session, tip)


def _point(entry: ChainEntry) -> OutPoint:
    return OutPoint(entry.txid, entry.vout)


def _never_given_out(session: Session, entries: Sequence[ChainEntry]) -> list[ChainEntry]:
    given = select(DepositAddress.address).where(
        DepositAddress.address.in_({entry.address for entry in entries}), DepositAddress.purpose != "stock"
    )
    given_out = set(session.scalars(given))
    session.commit()
    return [entry for entry in entries if entry.address not in given_out]


def _note(session: Session, entries: Sequence[ChainEntry], tip: Tip) -> None:
    """Record what is new or has moved; a listing of what is known costs no write."""
    if not entries:
        return
    rows = session.scalars(
        select(UnexplainedCoin)
        .where(UnexplainedCoin.txid.in_({entry.txid for entry in entries}))
        .execution_options(populate_existing=True)
    )
    known = {OutPoint(row.txid, row.vout): row for row in rows}
    session.commit()
    news = [entry for entry in entries if _is_news(known.get(_point(entry)), entry)]
    if not news:
        return
    with unit_of_work(session):
        for entry in news:
            _write(session, entry, tip)
        stock = {entry.address for entry in news}
        session.execute(
            delete(DepositAddress).where(DepositAddress.address.in_(stock), DepositAddress.purpose == "stock")
        )


def _is_news(row: UnexplainedCoin | None, entry: ChainEntry) -> bool:
    if row is None:
        return _depth(entry) > 0
    is_there = row.confirmations > 0
    return is_there != (_depth(entry) > 0) or (is_there and row.block_hash != entry.block_hash)


def _write(session: Session, entry: ChainEntry, tip: Tip) -> None:
    depth = max(_depth(entry), 0)
    where = {
        "confirmations": depth,
        "block_hash": entry.block_hash if depth else None,
        "block_height": tip.height - depth + 1 if depth else None,
    }
    made = {"txid": entry.txid, "vout": entry.vout, "address": entry.address, "amount": entry.amount}
    if depth and insert_once(session, UnexplainedCoin, {**made, **where}):
        detail = f"{entry.amount} FLOP came to {entry.address}, which was never given out ({entry.txid})"
        log.warning("unexplained_coin", txid=entry.txid, vout=entry.vout, amount=str(entry.amount))
        raise_alert(session, "unexplained_coins", "wallet", detail)
        return
    one = (UnexplainedCoin.txid == entry.txid, UnexplainedCoin.vout == entry.vout)
    session.execute(update(UnexplainedCoin).where(*one).values(**where))
    before, after = ("gone", "open") if depth else ("open", "gone")
    session.execute(
        update(UnexplainedCoin).where(*one, UnexplainedCoin.status == before).values(status=after)
    )


def _depth(entry: ChainEntry) -> int:
    return -1 if entry.category == _ORPHAN else entry.confirmations


def _deepen(session: Session, tip: Tip) -> None:
    """An open coin says how deep it is: what is listed once is not listed at every block."""
    depth = tip.height - UnexplainedCoin.block_height + 1
    is_shallow = (UnexplainedCoin.status == "open", UnexplainedCoin.confirmations != depth)
    is_any = session.execute(select(UnexplainedCoin.id).where(*is_shallow).limit(1)).first()
    session.commit()
    if is_any:
        with unit_of_work(session):
            session.execute(
                update(UnexplainedCoin)
                .where(*is_shallow)
                .values(confirmations=depth)
                .execution_options(synchronize_session=False)
            )
