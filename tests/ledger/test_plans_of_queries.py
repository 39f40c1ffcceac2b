"""No list, page or clock reads a whole table of what has ever happened, or sorts more than it shows.

The statements are those that the functions send, looked at with a history of few rows that seem to be millions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import islice

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bench import people
from bench.history import History
from tests.support.plans import costly_steps, listening, seem_large
from webapp.config import Settings
from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.escrow_states import Party
from webapp.domain.roles import WORKER
from webapp.ledger import pooled
from webapp.models import Escrow, Outage
from webapp.services import audit_trail, escrow_desk, held_back_refunds, wallet_statement
from webapp.services.container import Services
from webapp.services.escrow_clock import EscrowClock
from webapp.services.escrow_queries import (
    Whose,
    every_escrow,
    latest_services,
    list_page,
    of_everybody,
    of_wallets,
)
from webapp.services.escrow_search import EscrowSearch, Sort
from webapp.services.fair_clocks import FairClocks
from webapp.services.live.reader import Reader
from webapp.services.nodes import outcomes
from webapp.services.notices.deadlines import Reminders
from webapp.services.notices.trail import TrailReader
from webapp.services.pooled_accounts import CheckpointFolder
from webapp.services.terms.clock import TermsClock
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_statement import Period

WALLETS, ESCROWS = 20, 500


@pytest.fixture
def wallet_id(session: Session, settings: Settings) -> int:
    """A wallet with some of a history that seems to be long."""
    pairs = people.pairs(people.settle(session, settings, WALLETS))
    History(pairs, ESCROWS, seed=1).load(session.get_bind().engine)
    seem_large(session)
    return pairs[0].payer.wallet_id


def all_lists(session: Session, wallet_id: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """Every list of escrows by whose it is, what it is narrowed to, and its order: two pages of each."""
    whose: dict[str, Whose] = {
        "payer": of_wallets((wallet_id,), Party.PAYER),
        "both sides": of_wallets((wallet_id, wallet_id + 1)),
        "verifier": of_wallets((), None, ("key",)),
        "everybody": of_everybody(),
    }
    for name, of in whose.items():
        for status in (None, "open", "released", "refunded"):
            for sort in Sort:
                search = EscrowSearch(status, sort=sort)

                def read(of: Whose = of, search: EscrowSearch = search) -> None:
                    page = list_page(session, of, search, limit=20)
                    if page.next_cursor:
                        list_page(session, of, search, limit=20, cursor=page.next_cursor)

                yield f"{name} {status} {sort}", read
        yield f"{name}, services", lambda of=of: latest_services(session, of)  # type: ignore[misc]
        yield f"{name}, all", lambda of=of: list(islice(every_escrow(session, of), 3))  # type: ignore[misc]


def all_reads(
    session: Session, settings: Settings, wallet_id: int
) -> Iterator[tuple[str, Callable[[], object]]]:
    """What else is read of one wallet or one escrow, or by the clocks of the worker."""
    services = Services.of(settings)
    escrow = session.scalars(select(Escrow).where(Escrow.payer_wallet_id == wallet_id).limit(1)).one()
    today = utcnow().date()
    day, week = Period(today, today), timedelta(days=7)
    session.rollback()
    yield "desk", lambda: escrow_desk.desk(session, (wallet_id, wallet_id + 1))
    yield "any", lambda: escrow_desk.has_any(session, (wallet_id,))
    yield "nobody's", lambda: escrow_desk.has_any(session, (10**6,))
    yield "statement", lambda: wallet_statement.list_statement(session, wallet_id, limit=20)
    yield "statement of a day", lambda: wallet_statement.list_statement(session, wallet_id, day, limit=20)
    yield "held back", lambda: held_back_refunds.waiting(session, wallet_id)
    yield "fund", lambda: pooled.totals(session, accounts.FUND)
    yield "trail", lambda: audit_trail.entries(session, escrow.id)
    yield "reputation", lambda: outcomes.of_day(session, settings, today)
    yield "reputation of a node", lambda: outcomes.of_node(session, settings, "node", today - week)
    yield "first outcome", lambda: outcomes.first_day(session)
    yield "uncounted", lambda: outcomes.are_any(session, settings, date.min, today)
    yield "checkpoints", CheckpointFolder(session).run
    yield "clock", EscrowClock(session, services.escrow_manager(session, WORKER), settings).run
    yield "own terms", TermsClock(session, settings, services.wallets(session)).run
    yield "reminders", Reminders(session, settings).run
    yield "news", TrailReader(session).run
    yield "open pages", lambda: open_pages(session)
    yield "outages", lambda: fair_clocks(session)


def fair_clocks(session: Session) -> None:
    """What an outage of a moment ago asks for: which escrows are to be given more time."""
    with unit_of_work(session):
        ended = utcnow()
        outage = Outage(parts="site", started_at=ended - timedelta(hours=1), ended_at=ended)
        session.add(outage)
    FairClocks(session)._due(outage)


def open_pages(session: Session) -> None:
    """What a process asks for all the pages that are open."""
    with session.get_bind().engine.connect() as connection:
        Reader(connection).read()


def test_nothing_reads_a_whole_table_or_sorts_all_that_it_finds(
    session: Session, settings: Settings, wallet_id: int
) -> None:
    problems: list[str] = []
    for reads in (all_lists(session, wallet_id), all_reads(session, settings, wallet_id)):
        for name, read in reads:
            with listening(session) as sent:
                read()
            assert sent, name
            for statement, parameters in sent:
                for step in costly_steps(session, statement, parameters):
                    problems.append(f"{name}: {step}\n{statement}")
            session.rollback()
    assert not problems, "\n\n".join(problems[:3])
    for unwanted in ("SELECT id FROM escrows WHERE task_id = 'x'", "SELECT id FROM escrows ORDER BY task_id"):
        assert costly_steps(session, unwanted, ()), "the look itself sees nothing"
