"""The books against each other and against the coins: at every block, on the worker's clock, and as a command.

A gap halts payouts and raises an alert; nothing else stops.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.clock import utcnow
from webapp.domain.exceptions import WalletIntegrationError
from webapp.domain.money import format_signed
from webapp.ledger.integrity import Gap, check_books
from webapp.models import ChainCursor, Reconciliation
from webapp.models.insert_once import insert_once
from webapp.services import audit_trail, coin_finder
from webapp.services.coin_count import Coins, count_coins
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts import halts as payout_halts
from webapp.services.unit_of_work import unit_of_work

log = structlog.get_logger(__name__)

HALT_CAUSE = "integrity"


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a check. `coins` is None when the daemon was not in reach: `coins_note` says why."""

    gaps: list[Gap] = field(default_factory=list)
    coins: Coins | None = None
    coins_note: str = ""

    def to_json(self) -> str:
        """One JSON object: `ok`, `gaps`, and the coins in FLOP."""
        coins = self.coins
        return json.dumps(
            {
                "ok": not self.gaps,
                "gaps": [asdict(gap) for gap in self.gaps],
                "coins_expected": format_signed(coins.expected) if coins else None,
                "coins_held": format_signed(coins.held) if coins else None,
                "coins_unexplained": format_signed(coins.unexplained) if coins else None,
                "coins_note": self.coins_note,
            }
        )

    def lines(self) -> list[str]:
        """The same for a reader."""
        lines = [f"GAP  {gap.check}: {gap.detail}" for gap in self.gaps] or ["The books agree."]
        if self.coins:
            lines.append(
                f"The daemon holds {format_signed(self.coins.held)} FLOP and must hold "
                f"{format_signed(self.coins.expected)}; {format_signed(self.coins.unexplained)} is unexplained."
            )
        else:
            lines.append(f"The coins were not counted: {self.coins_note}")
        return lines


def full_check(session: Session, daemon: DaemonWallet) -> Report:
    """Everything: the books, every audit trail, and the coins if the daemon is in reach."""
    report = check_money(session, daemon)
    return replace(report, gaps=report.gaps + check_trails(session))


def check_trails(session: Session) -> list[Gap]:
    """Every audit trail, link by link; takes as long as there is history."""
    return [Gap("broken audit trail", sentence) for sentence in audit_trail.broken_links(session)]


def check_money(session: Session, daemon: DaemonWallet) -> Report:
    """The books, and the coins if the daemon is in reach."""
    gaps = check_books(session)
    try:
        coins = count_coins(session, daemon)
    except WalletIntegrationError as error:
        return Report(gaps, None, error.detail)
    if coins is None:
        return Report(gaps, None, "the chain has moved on; the worker reads it first")
    return Report(gaps + _missing(coins), coins)


def check_and_halt(session: Session, daemon: DaemonWallet) -> Report:
    """The worker's check: a gap halts payouts and raises an alert; nothing else stops. It never lifts a halt."""
    report = check_money(session, daemon)
    _halt_on(session, report.gaps)
    return report


def check_trails_and_halt(session: Session) -> list[Gap]:
    """The same for the audit trails."""
    gaps = check_trails(session)
    _halt_on(session, gaps)
    return gaps


def reconcile_block(session: Session, daemon: DaemonWallet) -> None:
    """Once for every block that the watcher has read: list coins that nobody can explain, count, and keep the result.

    While the daemon is ahead of the watcher, or payments move, the block waits for the next tick: a row is exact to
    the base unit. Missing coins halt payouts. Raises WalletIntegrationError.
    """
    tip = _unreconciled_tip(session)
    if tip is None or daemon.tip().hash != tip:
        return
    coin_finder.read(session, daemon)
    coins = count_coins(session, daemon)
    if coins is None or not coins.is_exact or coins.books.tip_hash != tip:
        return
    _halt_on(session, _missing(coins))
    _record(session, coins)


def latest(session: Session) -> Reconciliation | None:
    """The last block that was reconciled."""
    return session.scalars(select(Reconciliation).order_by(Reconciliation.id.desc()).limit(1)).first()


def _unreconciled_tip(session: Session) -> str | None:
    """The last block that was read, unless it has its row."""
    row = select(Reconciliation.id).where(Reconciliation.block_hash == ChainCursor.tip_hash)
    found = session.execute(select(ChainCursor.tip_hash).where(~row.exists())).scalar()
    session.commit()
    return found or None


def _record(session: Session, coins: Coins) -> None:
    books = coins.books
    values = {
        "block_height": books.tip_height,
        "block_hash": books.tip_hash,
        "owed": books.owed,
        "in_flight": books.in_flight,
        "cold": books.cold,
        "expected": coins.expected,
        "held": coins.held,
        "unexplained": coins.unexplained,
        "checked_at": utcnow(),
    }
    with unit_of_work(session):
        insert_once(session, Reconciliation, values)


def _missing(coins: Coins) -> list[Gap]:
    if coins.unexplained >= 0:
        return []
    return [Gap("coins are missing", f"{format_signed(-coins.unexplained)} FLOP less than there must be")]


def _halt_on(session: Session, gaps: list[Gap]) -> None:
    session.rollback()
    if gaps:
        detail = "; ".join(f"{gap.check}: {gap.detail}" for gap in gaps)
        log.error("ledger_check_found_gaps", gaps=len(gaps), detail=detail[:500])
        with unit_of_work(session):
            payout_halts.halt(session, HALT_CAUSE, detail)
