"""How the escrows of nodes ended, as the journal tells it: what every count of reputation begins with. Reads only.

An outcome counts for the node that worked for the escrow, on the day (UTC) of its journal entry. It does not count when
payer and provider are wallets of one user, nor below `nodes.counted_from_amount`: both would be cheap ways to a name.
An escrow that was never paid for has no outcome, since nobody was to work for it yet.

A release costs its payer what the community fund gets of it. An escrow that comes back costs nothing, and a payer may
name any node: so what speaks against a node counts once for each payer and day, however often they did it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, Select, case, exists, func, or_, select, type_coerce
from sqlalchemy.orm import Session, aliased

from webapp.config import Settings
from webapp.domain.clock import first_moment_of
from webapp.domain.money import Amount
from webapp.domain.reputation import DayTally
from webapp.models import Dispute, Escrow, JournalEntry, Wallet
from webapp.models.limited_index import is_exactly

RELEASE, REFUND, RESOLVE = "escrow_release", "escrow_refund", "escrow_resolve"
KINDS = (RELEASE, REFUND, RESOLVE)

ONE_DAY = timedelta(days=1)

_payer, _provider = aliased(Wallet), aliased(Wallet)

# Names of the counts in DayTally and NodeDay. A dispute that was lost is one, however late it was. What an arbiter
# divided went back in part, and is a refund.
_IS_DISPUTED = exists().where(Dispute.escrow_id == Escrow.id)
_IS_LATE = Escrow.delivered_at.is_(None) & (Escrow.refunded_at >= Escrow.expires_at)
_OUTCOME: ColumnElement[str] = case(
    (JournalEntry.kind == RELEASE, "released"),
    (JournalEntry.kind == RESOLVE, "refunded"),
    (_IS_DISPUTED, "disputes_lost"),
    (_IS_LATE, "late"),
    else_="refunded",
)
# As the index of the outcomes by their time has it.
_IS_OUTCOME = or_(*(is_exactly(JournalEntry.kind, kind) for kind in KINDS))
_WAS_PAID_FOR = or_(Escrow.funding == "balance", Escrow.deposited_amount == Escrow.amount)

# Terms of its own may give an escrow back for what is not the node's to do: without a dispute that tells nothing of it.
_SAYS_SOMETHING = or_(JournalEntry.kind != REFUND, Escrow.has_own_terms.is_(False), _IS_DISPUTED)


def of_day(session: Session, settings: Settings, day: date) -> dict[str, DayTally]:
    """What counts on one day: node id to its tally."""
    base_units = func.sum(type_coerce(Escrow.amount, BigInteger))
    payers = func.count(_payer.user_id.distinct())
    counted = (
        _outcomes(settings)
        .add_columns(func.count().label("escrows"), payers.label("payers"), base_units.label("base_units"))
        .where(
            JournalEntry.created_at >= first_moment_of(day),
            JournalEntry.created_at < first_moment_of(day + ONE_DAY),
        )
        .group_by("node_id", "outcome")
    )
    by_node: defaultdict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for row in session.execute(counted):
        times = row.escrows if row.outcome == "released" else row.payers
        by_node[row.node_id].append((row.outcome, times, row.base_units))
    return {node_id: _tally(day, parts) for node_id, parts in by_node.items()}


def of_node(session: Session, settings: Settings, node_id: str, since: date) -> list[DayTally]:
    """What counts of one node from a day on, one tally for each day that has any."""
    counted = (
        _outcomes(settings)
        .add_columns(
            JournalEntry.created_at,
            _payer.user_id,
            type_coerce(Escrow.amount, BigInteger).label("base_units"),
        )
        .where(Escrow.worked_by_node_id == node_id, JournalEntry.created_at >= first_moment_of(since))
    )
    by_day: defaultdict[date, list[tuple[str, int, int]]] = defaultdict(list)
    seen = set()
    for row in session.execute(counted):
        day = row.created_at.date()
        counts = row.outcome == "released" or (day, row.outcome, row.user_id) not in seen
        seen.add((day, row.outcome, row.user_id))
        by_day[day].append((row.outcome, int(counts), row.base_units))
    return [_tally(day, parts) for day, parts in sorted(by_day.items())]


def are_any(session: Session, settings: Settings, since: date, until: date) -> bool:
    """Whether anything counts on the days from `since` on, before `until`."""
    within = (
        JournalEntry.created_at >= first_moment_of(since),
        JournalEntry.created_at < first_moment_of(until),
    )
    return session.execute(_outcomes(settings).where(*within).limit(1)).first() is not None


def first_day(session: Session) -> date | None:
    """The day of the first outcome of any escrow."""
    first: datetime | None = session.scalar(select(func.min(JournalEntry.created_at)).where(_IS_OUTCOME))
    return first and first.date()


def _outcomes(settings: Settings) -> Select[str | None, str]:
    """Every outcome that counts: whose work it was, and how it ended."""
    return (
        select(Escrow.worked_by_node_id.label("node_id"), _OUTCOME.label("outcome"))
        .select_from(JournalEntry)
        .join(Escrow, Escrow.id == JournalEntry.escrow_id)
        .join(_payer, _payer.id == Escrow.payer_wallet_id)
        .join(_provider, _provider.id == Escrow.provider_wallet_id)
        .where(
            _IS_OUTCOME,
            Escrow.worked_by_node_id.is_not(None),
            Escrow.amount >= settings.nodes.counted_from_amount,
            _payer.user_id != _provider.user_id,
            _WAS_PAID_FOR,
            _SAYS_SOMETHING,
        )
    )


def _tally(day: date, parts: Iterable[tuple[str, int, int]]) -> DayTally:
    """From (outcome, how many, base units)."""
    counts: Counter[str] = Counter()
    released = 0
    for outcome, count, base_units in parts:
        counts[outcome] += count
        released += int(base_units) if outcome == "released" else 0
    return DayTally(day, released_amount=Amount(released), **counts)
