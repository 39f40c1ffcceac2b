"""Lists of escrows: whose they are, each once, by index and page by page."""

from __future__ import annotations

import uuid

import pytest
import sqlalchemy.orm

from tests.support.money import credit
from tests.support.people import make_escrow, make_key, make_pair, make_person, manager
from webapp.domain.escrow_states import Party
from webapp.domain.exceptions import NotFoundError, ValidationError
from webapp.models import Wallet
from webapp.services.container import Services
from webapp.services.escrow_desk import desk, has_any
from webapp.services.escrow_queries import list_for_actor, list_page, of_everybody, of_wallets
from webapp.services.escrow_search import EscrowSearch
from webapp.services.signing_keys import actor_of
from webapp.services.unit_of_work import unit_of_work


def _ids(page: object) -> list[uuid.UUID]:
    return [escrow.id for escrow in page.items]  # type: ignore[attr-defined]


def test_an_escrow_between_two_wallets_of_one_owner_comes_once(
    session: sqlalchemy.orm.Session, services: Services
) -> None:
    person = make_person(session, services)
    with unit_of_work(session):
        second = Wallet(user_id=person.user.id, name="Second")
        session.add(second)
    credit(session, person.wallet_id, "10")
    made = [
        manager(session, services, person).create_escrow(person.wallet_id, second.id, 1, "service", "task").id
        for _ in range(5)
    ]
    wallets = (person.wallet_id, second.id)
    first = list_page(session, of_wallets(wallets), limit=3)
    rest = list_page(session, of_wallets(wallets), limit=3, cursor=first.next_cursor)
    assert _ids(first) + _ids(rest) == made[::-1]
    assert rest.next_cursor is None
    assert _ids(list_page(session, of_wallets(wallets), limit=5)) == made[::-1]
    assert list_page(session, of_wallets(wallets), limit=5).next_cursor is None


def test_sides_strangers_verifiers_and_staff_see_what_is_theirs(
    session: sqlalchemy.orm.Session, services: Services
) -> None:
    pair, stranger = make_pair(session, services), make_person(session, services)
    credit(session, pair.payer.wallet_id, "10")
    verifier = make_key(session, services, stranger)
    escrow = make_escrow(session, services, pair, "1", verifier_key_id=verifier.key_id)
    payer = pair.payer.actor
    assert _ids(list_page(session, of_wallets(payer.wallet_ids, Party.PAYER))) == [escrow.id]
    assert _ids(list_page(session, of_wallets(payer.wallet_ids, Party.PROVIDER))) == []
    assert _ids(list_for_actor(session, stranger.actor)) == []
    assert _ids(list_page(session, of_wallets(()))) == []
    found = services.signing_keys(session).find_usable(verifier.key_id)
    assert found is not None
    assert _ids(list_for_actor(session, actor_of(found[0]))) == [escrow.id]
    assert _ids(list_page(session, of_everybody(), EscrowSearch("active"))) == [escrow.id]
    with pytest.raises(NotFoundError):
        list_for_actor(session, stranger.actor, wallet_id=pair.payer.wallet_id)
    with pytest.raises(ValidationError):
        EscrowSearch(status="done")


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_nothing_waits_for_somebody_without_a_wallet(session: sqlalchemy.orm.Session) -> None:
    found = desk(session, ())
    assert found.is_empty and not found.to_wait_for
    assert not has_any(session, ())
