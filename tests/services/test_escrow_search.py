"""Looking for escrows: every condition, and every order without a gap at the borders of pages."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date

import pytest
import sqlalchemy.orm
from sqlalchemy import select, text

from tests.support.escrow_rows import make_unpaid
from tests.support.money import credit
from tests.support.people import Pair, make_escrow, make_pair
from webapp.domain.escrow_states import Party
from webapp.domain.exceptions import ValidationError
from webapp.domain.pagination import encode_cursor
from webapp.models import Escrow
from webapp.services.container import Services
from webapp.services.escrow_queries import (
    Whose,
    every_escrow,
    latest_services,
    list_page,
    of_everybody,
    of_wallets,
)
from webapp.services.escrow_search import EscrowSearch, Sort
from webapp.services.unit_of_work import unit_of_work


@pytest.fixture
def pair(session: sqlalchemy.orm.Session, services: Services) -> Pair:
    return make_pair(session, services)


def _by_pages(session: sqlalchemy.orm.Session, whose: Whose, search: EscrowSearch) -> Iterator[uuid.UUID]:
    cursor = None
    while True:
        page = list_page(session, whose, search, limit=7, cursor=cursor)
        yield from (escrow.id for escrow in page.items)
        cursor = page.next_cursor
        if cursor is None:
            return


@pytest.mark.parametrize("sort", Sort)
def test_pages_in_every_order_join_without_a_gap(
    session: sqlalchemy.orm.Session, services: Services, pair: Pair, sort: Sort
) -> None:
    made = make_unpaid(session, pair.payer.wallet_id, pair.provider.wallet_id, 30)
    credit(session, pair.payer.wallet_id, "1")
    made.append(make_escrow(session, services, pair, "0.00000005").id)
    keys = {
        Sort.NEWEST: lambda row: -row.id.int,
        Sort.OLDEST: lambda row: row.id.int,
        Sort.AMOUNT: lambda row: (-row.amount.base_units, -row.id.int),
        # Two in three were cancelled: these have no deadline any more.
        Sort.DEADLINE: lambda row: (
            (True, row.id.int) if row.status == "refunded" else (False, row.expires_at, row.id.int)
        ),
    }
    expected = [row.id for row in sorted(session.scalars(select(Escrow)), key=keys[sort])]
    assert set(expected) == set(made)
    search = EscrowSearch(sort=sort)
    for whose in (of_wallets(pair.payer.actor.wallet_ids), of_everybody()):
        assert list(_by_pages(session, whose, search)) == expected
        assert [escrow.id for escrow in every_escrow(session, whose, search)] == expected
    is_open = {*made[:30:3], made[-1]}
    found = list(_by_pages(session, of_everybody(), EscrowSearch("open", sort=sort)))
    assert found == [each for each in expected if each in is_open]


def test_each_condition_narrows(session: sqlalchemy.orm.Session, services: Services, pair: Pair) -> None:
    made = make_unpaid(session, pair.payer.wallet_id, pair.provider.wallet_id, 30)
    make_unpaid(session, pair.provider.wallet_id, pair.payer.wallet_id, 1, task_id="100%", service_name="a_b")

    def found(side: Party | None = Party.PAYER, **sought: object) -> list[int]:
        whose = of_wallets(pair.payer.actor.wallet_ids, side)
        rows = list_page(session, whose, EscrowSearch(sort=Sort.OLDEST, **sought), limit=100).items  # type: ignore[arg-type]
        return [made.index(row.id) if row.id in made else -1 for row in rows]

    assert found(status="pending", service_name="gpu-render") == [0, 6, 12, 18, 24]
    assert found(text="scene_2") == [2, *range(20, 30)]
    assert found(text="FINE", created_to=date(2030, 1, 6)) == [1, 3, 5]
    assert found(created_from=date(2030, 1, 30)) == [29]
    assert found(created_from=date(2030, 1, 3), created_to=date(2030, 1, 3)) == [2]
    assert found(created_from=date.min, created_to=date.max) == list(range(30))
    assert found(text=str(made[4])) == found(text=made[4].hex[:12].upper()) == [4]
    assert found(text="01b8") == found(text="")[:0], "too short for the beginning of an id"
    # What has a meaning to the database stands for itself.
    assert found(side=None, text="%") == found(side=None, text="A_b") == [-1]
    assert found(side=Party.PROVIDER) == [-1]
    assert latest_services(session, of_everybody()) == ["a_b", "gpu-render", "llm-finetune"]
    assert latest_services(session, of_wallets(())) == []


@pytest.mark.parametrize("sort", Sort)
def test_what_is_rare_is_looked_for_piece_by_piece(
    session: sqlalchemy.orm.Session, pair: Pair, sort: Sort, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_unpaid(session, pair.payer.wallet_id, pair.provider.wallet_id, 60)
    rare = {made[3], made[57]}
    with unit_of_work(session):
        session.execute(text("UPDATE escrows SET task_id = 'rare' WHERE task_id IN ('Scene_3', 'Scene_57')"))
    monkeypatch.setattr("webapp.services.escrow_queries.LOOKED_THROUGH", 8)
    for whose in (of_wallets(pair.payer.actor.wallet_ids), of_everybody()):
        search = EscrowSearch(text="rare", sort=sort)
        in_order = [row for row in _by_pages(session, whose, EscrowSearch(sort=sort)) if row in rare]
        assert list(_by_pages(session, whose, search)) == in_order
        assert [escrow.id for escrow in every_escrow(session, whose, search)] == in_order
        first = list_page(session, whose, EscrowSearch(text="no such task", sort=sort))
        assert (first.items, first.next_cursor is None) == ([], False)
        assert list(_by_pages(session, whose, EscrowSearch(service_name="none", sort=sort))) == []


AN_ID = "0197a2b4-6c1d-7e3f-8a5b-9c0d1e2f3a4b"


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        (Sort.NEWEST, "5"),
        (Sort.AMOUNT, AN_ID),
        (Sort.AMOUNT, f"-1:{AN_ID}"),
        (Sort.NEWEST, f"ended:{AN_ID}"),
        (Sort.DEADLINE, f"5:{AN_ID}"),
        (Sort.DEADLINE, f"0001-01-01T00:00:00+23:00:{AN_ID}"),
    ],
)
@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_cursor_of_another_order_is_refused(session: sqlalchemy.orm.Session, sort: Sort, key: str) -> None:
    with pytest.raises(ValidationError) as refused:
        list_page(session, of_everybody(), EscrowSearch(sort=sort), cursor=encode_cursor(key))
    assert set(refused.value.fields) == {"cursor"}
    with pytest.raises(ValidationError):
        EscrowSearch(created_from=date(2030, 1, 2), created_to=date(2030, 1, 1))


def test_the_whole_list_is_of_one_moment(
    session: sqlalchemy.orm.Session, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.services.escrow_queries.PIECE", 2)
    make_unpaid(session, pair.payer.wallet_id, pair.provider.wallet_id, 5)
    names = (row.task_id for row in every_escrow(session, of_everybody(), EscrowSearch(sort=Sort.OLDEST)))
    first = next(names)
    with sqlalchemy.orm.Session(session.get_bind()) as other:
        make_unpaid(other, pair.payer.wallet_id, pair.provider.wallet_id, 7)
        with unit_of_work(other):
            other.execute(text("UPDATE escrows SET task_id = 'changed'"))
    assert [first, *names] == [f"Scene_{number}" for number in range(5)]
