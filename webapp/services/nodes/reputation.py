"""The reputation of nodes and the work that they were paid for, from the days that were counted. Reads only."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import CTE, BigInteger, Date, column, func, select, type_coerce, values
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain import reputation as rules
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.domain.reputation import DayTally
from webapp.models import Node, NodeDay
from webapp.services.nodes import outcomes

# Of more nodes than this the sums of all are asked for, and the wanted ones taken.
FEW = 200


@dataclass(frozen=True, slots=True)
class Work:
    """Escrows of a node that were released, and what they held."""

    escrows: int
    amount: Amount


def of_nodes(
    session: Session, settings: Settings, node_ids: Collection[str] | None, today: date | None = None
) -> dict[str, int]:
    """The reputation of these registered nodes (None: of all), 0 to 1000, from one query.

    A node without outcomes has the neutral start value. One that is not registered is not in the answer.
    """
    at, half_life = today or utcnow().date(), settings.nodes.reputation_half_life_days
    if node_ids is not None and len(node_ids) <= FEW:
        return _of_few(session, node_ids, at, half_life)
    found = _of_all(session, at, half_life)
    return found if node_ids is None else {each: found[each] for each in node_ids if each in found}


def _of_few(session: Session, node_ids: Collection[str], today: date, half_life_days: int) -> dict[str, int]:
    """From their days, which are not many."""
    counts = (NodeDay.released, NodeDay.refunded, NodeDay.late, NodeDay.disputes_lost)
    weighs = NodeDay.day.between(rules.first_day(today, half_life_days), today)
    rows = session.execute(
        select(Node.id, NodeDay.day, *counts)
        .outerjoin(NodeDay, (NodeDay.node_id == Node.id) & weighs)
        .where(Node.id.in_(node_ids))
    )
    days: defaultdict[str, list[DayTally]] = defaultdict(list)
    for node_id, day, released, refunded, late, disputes_lost in rows:
        # A node without outcomes has one row, without a day.
        tally = DayTally(day, released, refunded=refunded, late=late, disputes_lost=disputes_lost)
        days[node_id] += [tally] if day else []
    return {node_id: rules.score(tallies, today, half_life_days) for node_id, tallies in days.items()}


def _of_all(session: Session, today: date, half_life_days: int) -> dict[str, int]:
    """From sums that the database makes: there may be millions of days."""
    weight = _weights(today, half_life_days)
    against = (
        rules.REFUNDED * NodeDay.refunded
        + rules.LATE * NodeDay.late
        + rules.DISPUTE_LOST * NodeDay.disputes_lost
    )
    sums = (
        select(
            NodeDay.node_id,
            func.sum(weight.c.weight * NodeDay.released).label("good"),
            func.sum(weight.c.weight * against).label("bad"),
        )
        .join(weight, weight.c.day == NodeDay.day)
        .group_by(NodeDay.node_id)
        .subquery()
    )
    rows = session.execute(
        select(Node.id, sums.c.good, sums.c.bad).outerjoin(sums, sums.c.node_id == Node.id)
    )
    return {node_id: rules.score_of(int(good or 0), int(bad or 0)) for node_id, good, bad in rows}


def settled_work(
    session: Session, within_days: int, today: date | None = None, node_id: str | None = None
) -> dict[str, Work]:
    """What each node (or only this one) was paid for today and in the `within_days` days before.

    Nodes without any are left out.
    """
    until = today or utcnow().date()
    amount = func.sum(type_coerce(NodeDay.released_amount, BigInteger))
    statement = (
        select(NodeDay.node_id, func.sum(NodeDay.released), amount)
        .where(NodeDay.day.between(until - timedelta(days=within_days), until), NodeDay.released > 0)
        .group_by(NodeDay.node_id)
    )
    rows = session.execute(statement if node_id is None else statement.where(NodeDay.node_id == node_id))
    return {node_id: Work(int(escrows), Amount(int(total))) for node_id, escrows, total in rows}


def recount(session: Session, settings: Settings, node_id: str) -> int:
    """The node's reputation from the journal itself. Equal to the tallied one as soon as today was counted."""
    days = counted_days(session, settings, node_id)
    return rules.score(days, utcnow().date(), settings.nodes.reputation_half_life_days)


def counted_days(session: Session, settings: Settings, node_id: str) -> list[DayTally]:
    """What the node's reputation is made of, from the journal itself: the days that weigh something."""
    oldest = rules.first_day(utcnow().date(), settings.nodes.reputation_half_life_days)
    return outcomes.of_node(session, settings, node_id, oldest)


def _weights(today: date, half_life_days: int) -> CTE:
    """The days that count, each with its weight, as a table to be joined with."""
    by_age = rules.weights(half_life_days)
    rows = [(today - timedelta(days=age), weight) for age, weight in enumerate(by_age)]
    return values(column("day", Date), column("weight", BigInteger), name="weights").data(rows).cte("weights")
