"""No page asks the database more often because there is more in it: with a thousand rows as often as with ten."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import insert
from sqlalchemy.orm import Session

from tests.support.airdrops import make_nodes
from tests.support.browsing import Browser
from tests.support.escrow_rows import make_unpaid
from tests.support.money import credit
from tests.support.people import Pair, make_escrow
from webapp.domain import accounts
from webapp.domain.money import Amount
from webapp.ledger.journal import Move, post
from webapp.models import CatalogueService, Notice
from webapp.services.container import Services
from webapp.services.unit_of_work import unit_of_work

PAGES = {
    "payer": (
        "/",
        "/escrows",
        "/escrows?sort=amount&status=open&text=scene",
        "/escrows?sort=deadline&created_from=2030-01-01",
        "/escrows/{escrow}",
        "/escrows/new",
        "/wallet",
        "/wallet/statement",
        "/wallet/statement?since=2020-01-01",
        "/wallet/addresses",
        "/catalogue",
        "/network",
        "/network?mine=yes",
        "/fund",
        "/notices",
        "/account",
        "/disputes/statistics",
    ),
    "provider": ("/", "/escrows", "/catalogue?mine=yes", "/escrows/{escrow}"),
    "operator": ("/", "/escrows", "/operations", "/disputes", "/network", "/escrows/{escrow}"),
    "arbiter": ("/", "/disputes", "/escrows"),
}


def _grow(session: Session, pair: Pair, count: int) -> None:
    """`count` more of everything that is listed somewhere."""
    payer, provider = pair.payer.wallet_id, pair.provider.wallet_id
    make_unpaid(session, payer, provider, count)
    make_nodes(session, [payer, provider] * (count // 2))
    with unit_of_work(session):
        moves = [Move(accounts.CHAIN, accounts.available(payer), Amount(1))] * count
        post(session, f"test:{count}", "test_credit", moves)
        services = [
            {"name": f"service {count} {number}", "kind": "hash", "provider_wallet_id": provider}
            for number in range(count)
        ]
        session.execute(insert(CatalogueService), services)
        told = {
            "user_id": pair.payer.user.id,
            "kind": "delivered",
            "subject_type": "escrow",
            "is_in_inbox": True,
            "is_by_mail": False,
            "is_urgent": False,
        }
        session.execute(
            insert(Notice), [{**told, "source": f"test:{count}:{number}"} for number in range(count)]
        )


def test_a_thousand_rows_ask_the_database_as_often_as_ten(
    visitors: dict[str, Browser],
    pair: Pair,
    session: Session,
    services: Services,
    count_queries: Callable[[Callable[[], object]], int],
) -> None:
    credit(session, pair.payer.wallet_id, "1")
    escrow = make_escrow(session, services, pair)

    def ask() -> dict[tuple[str, str], int]:
        asked = {}
        for role, pages in PAGES.items():
            for page in pages:
                path = page.format(escrow=escrow.id)
                asked[role, page] = count_queries(
                    lambda path=path, role=role: _open(visitors[role], path)  # type: ignore[misc]
                )
        return asked

    _grow(session, pair, 10)
    ask()
    few = ask()
    _grow(session, pair, 990)
    many = ask()
    assert {place: (few[place], many[place]) for place in few if few[place] != many[place]} == {}


def _open(browser: Browser, path: str) -> None:
    assert browser.get(path).status_code == 200, path
