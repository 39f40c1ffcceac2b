"""What a node's work came to week by week, and what the community fund gave it. Reads only, a query each."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.money import Amount
from webapp.domain.reputation import DayTally
from webapp.models import Airdrop, AirdropRecipient, NodeDay


@dataclass(frozen=True, slots=True)
class GivenShare:
    """A node's share of one airdrop. `reason` says why it is not where it was to go."""

    airdrop_id: uuid.UUID
    number: int
    taken_at: datetime
    amount: Amount
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class Weeks:
    """Outcomes summed up by week (`day` is its Monday), the newest first; those before, in one sum if there are any."""

    latest: list[DayTally]
    earlier: list[DayTally]


def weeks_of(session: Session, node_id: str, since: date, most: int) -> Weeks:
    """The node's outcomes from `since` on: the `most` latest weeks that had any, and what was before them."""
    days = session.scalars(
        select(NodeDay).where(NodeDay.node_id == node_id, NodeDay.day >= since).order_by(NodeDay.day.desc())
    )
    weeks = [_sum(monday, members) for monday, members in groupby(days, _monday_before)]
    rest = weeks[most:]
    return Weeks(weeks[:most], [_sum(rest[0].day, rest)] if rest else [])


def _monday_before(day: NodeDay) -> date:
    return day.day - timedelta(days=day.day.weekday())


def _sum(day: date, members: Iterable[NodeDay | DayTally]) -> DayTally:
    whole = DayTally(day)
    for each in members:
        whole = DayTally(
            day,
            released=whole.released + each.released,
            released_amount=whole.released_amount + each.released_amount,
            refunded=whole.refunded + each.refunded,
            late=whole.late + each.late,
            disputes_lost=whole.disputes_lost + each.disputes_lost,
        )
    return whole


def latest_shares(session: Session, node_id: str, count: int) -> list[GivenShare]:
    """The node's shares of the airdrops that were given, the newest first."""
    rows = session.execute(
        select(
            Airdrop.id,
            Airdrop.number,
            Airdrop.taken_at,
            AirdropRecipient.amount,
            AirdropRecipient.status,
            AirdropRecipient.reason,
        )
        .join(Airdrop, Airdrop.id == AirdropRecipient.airdrop_id)
        .where(AirdropRecipient.node_id == node_id, Airdrop.status.in_(("paying", "done")))
        .order_by(Airdrop.number.desc())
        .limit(count)
    )
    return [GivenShare(*row) for row in rows]
