"""No list, page or clock reads a whole table of what has ever happened, or sorts more than it shows.

The statements are those that the functions send, looked at with a history of few rows that seem to be millions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import pytest
from sqlalchemy.orm import Session

from bench import people
from bench.history import History
from tests.support.plans import costly_steps, listening, seem_large
from webapp.config import Settings
from webapp.domain.escrow_states import Party
from webapp.services import escrow_desk, wallet_statement
from webapp.services.escrow_queries import (
    Whose,
    every_escrow,
    latest_services,
    list_page,
    of_everybody,
    of_wallets,
)
from webapp.services.escrow_search import EscrowSearch, Sort

WALLETS, ESCROWS = 20, 1500


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
        for status in (None, "open", "active", "released", "refunded"):
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
    """What else is read of one wallet, or of everybody's past."""
    yield "desk", lambda: escrow_desk.desk(session, (wallet_id, wallet_id + 1))
    yield "any", lambda: escrow_desk.has_any(session, (wallet_id,))
    yield "statement", lambda: wallet_statement.list_statement(session, wallet_id, limit=20)


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
