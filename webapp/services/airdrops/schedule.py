"""When the next automatic airdrop goes, and what keeps it from going. Reads the database alone: pages ask it too.

It is due when the fund has reached the threshold and the interval has passed since the last automatic airdrop was
posted; those that operators give do not count. What only the worker can find out (a registry out of reach, nobody who
may take part) it leaves in the one row of `AirdropWait`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.fund_rules import FundRules
from webapp.domain.money import Amount
from webapp.domain.said import said
from webapp.ledger import pooled
from webapp.models import Airdrop, AirdropWait, ChainCursor
from webapp.models.insert_once import insert_once
from webapp.services import daemon_figures, fund_rules
from webapp.services.payouts import halts
from webapp.services.unit_of_work import unit_of_work

ONLY_ROW = 1
# The chain is read at every tick, the daemon asked twice a minute.
CHAIN_IS_OLD_AFTER = timedelta(minutes=5)

HALTED = said("payouts are stopped until an operator has looked at the books")
CHAIN_UNREAD = said("the chain has not been read for minutes")
DAEMON_SILENT = said("the coin daemon has not answered for minutes")


@dataclass(frozen=True, slots=True)
class Outlook:
    """How it stands with the next automatic airdrop.

    `missing` is what the fund lacks to the threshold. `next_airdrop_at` is when the interval ends, None when there was
    no airdrop yet. `is_under_way`: its snapshot was taken, and nothing has moved. `blocked` says, as a sentence without
    its end, what keeps one from going that is due since `due_since`.
    """

    balance: Amount
    rules: FundRules
    next_airdrop_at: datetime | None
    is_due: bool
    is_under_way: bool
    due_since: datetime | None = None
    blocked_since: datetime | None = None
    blocked: str | None = None

    @property
    def missing(self) -> Amount:
        """Zero from the threshold on."""
        return max(self.rules.airdrop_threshold, self.balance) - self.balance


def look(session: Session, settings: Settings, now: datetime | None = None) -> Outlook:
    """The outlook at a moment: now, if none is named."""
    now = now or utcnow()
    rules = fund_rules.in_force(session, settings, now)
    balance = Amount(max(pooled.balance(session, accounts.FUND), 0))
    next_at = _interval_ends_at(session, rules)
    is_under_way = _is_under_way(session)
    is_due = balance >= rules.airdrop_threshold and not is_under_way and (next_at is None or next_at <= now)
    outlook = Outlook(balance, rules, next_at, is_due, is_under_way)
    wait = session.get(AirdropWait, ONLY_ROW, populate_existing=True)
    if not is_due or wait is None:
        return outlook
    blocked = hindrance(session, now) or wait.reason or None
    return Outlook(balance, rules, next_at, is_due, is_under_way, wait.due_since, wait.blocked_since, blocked)


def hindrance(session: Session, now: datetime) -> str | None:
    """What keeps any airdrop from being posted, as far as the database knows: doubts about the books or the chain."""
    if halts.standing(session):
        return HALTED
    read_at = session.execute(select(ChainCursor.read_at).where(ChainCursor.tip_hash != "")).scalar()
    if read_at is None or now - read_at > CHAIN_IS_OLD_AFTER:
        return CHAIN_UNREAD
    figures = daemon_figures.look(session)
    if figures is None or now - figures.recorded_at > CHAIN_IS_OLD_AFTER:
        return DAEMON_SILENT
    return None


def note(session: Session, *, is_due: bool, reason: str, now: datetime) -> None:
    """Keep what the worker found. Writes only when it is something new."""
    row = session.get(AirdropWait, ONLY_ROW, populate_existing=True)
    due_since = (row.due_since if row else None) or now
    blocked_since = (row.blocked_since if row else None) or now
    values = {
        "due_since": due_since if is_due else None,
        "blocked_since": blocked_since if is_due and reason else None,
        "reason": reason[:1000] if is_due else "",
    }
    stands = {name: getattr(row, name) for name in values} if row else dict.fromkeys(values)
    session.commit()
    if values == {**stands, "reason": stands["reason"] or ""}:
        return
    with unit_of_work(session):
        insert_once(session, AirdropWait, {"id": ONLY_ROW, **values})
        statement = update(AirdropWait).where(AirdropWait.id == ONLY_ROW).values(**values)
        session.execute(statement.execution_options(synchronize_session=False))


def _interval_ends_at(session: Session, rules: FundRules) -> datetime | None:
    last = session.execute(
        select(Airdrop.posted_at)
        .where(Airdrop.kind == "automatic", Airdrop.posted_at.is_not(None))
        .order_by(Airdrop.taken_at.desc())
        .limit(1)
    ).scalar()
    return None if last is None else last + timedelta(hours=rules.airdrop_interval_hours)


def _is_under_way(session: Session) -> bool:
    taken = exists().where(Airdrop.status == "snapshot", Airdrop.kind == "automatic")
    return bool(session.execute(select(taken)).scalar_one())
