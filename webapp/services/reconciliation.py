"""The books against the coins: what the daemon must hold, what it holds, and what happens when coins are missing.

Every coin that came in is in `chain` with a minus; what left is a plus, and `network_fees` went to miners. So

    must hold = -(chain) - network_fees + uncredited deposits that have confirmed - what the network has of ours

Coins that go to cold storage leave through `chain` like any others; the account `cold` says that they are ours.
More coins than that are unexplained but harmless (an operator's own, say); fewer are a gap.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field, replace

import structlog
from sqlalchemy import BigInteger, func, select, type_coerce
from sqlalchemy.orm import Session

from webapp.domain import accounts
from webapp.domain.exceptions import WalletIntegrationError
from webapp.domain.money import format_signed
from webapp.ledger import pooled
from webapp.ledger.integrity import Gap, check_books
from webapp.models import ChainCursor, ChainTransaction, Deposit, Payout
from webapp.services import audit_trail
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.payouts import halts as payout_halts
from webapp.services.unit_of_work import unit_of_work

log = structlog.get_logger(__name__)

HALT_CAUSE = "integrity"
SHORTAGE_LOOKS = 3
SECONDS_BETWEEN_LOOKS = 0.2


@dataclass(frozen=True, slots=True)
class Coins:
    """Base units that the daemon must hold and holds. `unexplained` is negative when coins are missing."""

    expected: int
    held: int

    @property
    def unexplained(self) -> int:
        """What is there beyond what must be."""
        return self.held - self.expected


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
    if coins.unexplained < 0:
        gaps.append(
            Gap("coins are missing", f"{format_signed(-coins.unexplained)} FLOP less than there must be")
        )
    return Report(gaps, coins)


def count_coins(session: Session, daemon: DaemonWallet) -> Coins | None:
    """What must be there and what is; None while the two do not speak of the same block. WalletIntegrationError.

    The books follow the chain by a tick, and a payment may move between two looks: a shortage counts only when three
    looks in a row find one, and the last of them with books that stand still and have read the daemon's last block.
    """
    shortage = None
    for look in range(SHORTAGE_LOOKS):
        if look:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        before = _expected(session)
        session.rollback()
        held = (daemon.balance() + daemon.immature_balance()).base_units
        has_read_all = _last_block_read(session) in (None, daemon.tip().hash)
        after = _expected(session)
        session.rollback()
        if held >= max(before, after):
            return Coins(after, held)
        shortage = Coins(after, held) if before == after and has_read_all else None
    return shortage


def _last_block_read(session: Session) -> str | None:
    cursor = session.get(ChainCursor, 1, populate_existing=True)
    return cursor.tip_hash if cursor else None


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


def _halt_on(session: Session, gaps: list[Gap]) -> None:
    session.rollback()
    if gaps:
        detail = "; ".join(f"{gap.check}: {gap.detail}" for gap in gaps)
        log.error("ledger_check_found_gaps", gaps=len(gaps), detail=detail[:500])
        with unit_of_work(session):
            payout_halts.halt(session, HALT_CAUSE, detail)


def _expected(session: Session) -> int:
    inside = -pooled.balance(session, accounts.CHAIN) - pooled.balance(session, accounts.NETWORK_FEES)
    return inside + _confirmed_uncredited(session) - _on_the_network(session)


def _confirmed_uncredited(session: Session) -> int:
    return _sum(session, Deposit.amount, Deposit.status != "credited", Deposit.confirmations > 0)


def _on_the_network(session: Session) -> int:
    # Signed and unknown ones may be on the network or not: counting them keeps the alarm quiet either way.
    # The fee is the transaction's own: dust change goes to the miners on top of what the payouts bear.
    on_their_way = ("signed", "broadcast", "unknown")
    # Upkeep fees are in the books from the storing on.
    paid = _sum(session, Payout.net, Payout.status.in_(on_their_way))
    is_on_its_way = ChainTransaction.status.in_(on_their_way)
    fees = _sum(session, ChainTransaction.fee, is_on_its_way, ChainTransaction.kind == "payouts")
    return paid + fees + _sum(session, ChainTransaction.amount, is_on_its_way)


def _sum(session: Session, column, *conditions) -> int:  # type: ignore[no-untyped-def]
    amount = type_coerce(column, BigInteger)
    return int(session.execute(select(func.coalesce(func.sum(amount), 0)).where(*conditions)).scalar_one())
