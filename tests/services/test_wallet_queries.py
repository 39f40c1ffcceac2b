"""What a wallet's owner reads: the statement behind the balance, deposits and payouts page by page."""

from __future__ import annotations

import pytest
import sqlalchemy.orm

from tests.support.money import balances, credit
from tests.support.people import make_escrow, make_pair, make_person, manager, signature
from webapp.domain.exceptions import NotFoundError, ValidationError
from webapp.domain.money import Amount
from webapp.domain.pagination import encode_cursor
from webapp.services import wallet_queries, wallet_statement
from webapp.services.container import Services

ADDRESS = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"
FLOP = 100_000_000


def test_the_statement_adds_up_to_the_balance(session: sqlalchemy.orm.Session, services: Services) -> None:
    pair = make_pair(session, services)
    credit(session, pair.payer.wallet_id, "300")
    released, refunded = (make_escrow(session, services, pair) for _ in range(2))
    result = "ab" * 32
    manager(session, services, pair.payer).release_escrow(
        released.id, result, signature(pair, released, result)
    )
    manager(session, services, pair.provider).refund_escrow(refunded.id, "no")
    services.wallets(session).payouts.withdraw(pair.payer.wallet_id, ADDRESS, Amount.parse(50))

    lines, cursor = [], None
    while True:
        page = wallet_statement.list_statement(session, pair.payer.wallet_id, limit=2, cursor=cursor)
        lines += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    changes = [
        (line.kind, line.available_change // FLOP, line.held_change // FLOP) for line in reversed(lines)
    ]
    assert changes == [
        ("test_credit", 300, 0),
        ("escrow_create", -100, 100),
        ("escrow_create", -100, 100),
        ("escrow_release", 0, -95),
        ("escrow_release", 0, -5),
        ("escrow_refund", 100, -100),
        ("payout_queue", -50, 0),
    ]
    assert sum(line.available_change for line in lines) == 150 * FLOP
    assert sum(line.held_change for line in lines) == 0
    assert balances(session, pair.payer.wallet_id) == ("150.00000000", "0.00000000")
    assert lines[1].escrow_id == refunded.id
    (earned,) = wallet_statement.list_statement(session, pair.provider.wallet_id).items
    assert (earned.available_change, earned.escrow_id) == (95 * FLOP, released.id)


def test_payouts_are_listed_from_the_newest_for_their_owner(
    session: sqlalchemy.orm.Session, services: Services
) -> None:
    owner, other = make_person(session, services), make_person(session, services)
    credit(session, owner.wallet_id, "10")
    queue = services.wallets(session).payouts
    made = [queue.withdraw(owner.wallet_id, ADDRESS, Amount.parse(1)).id for _ in range(3)]
    first = wallet_queries.list_payouts(session, owner.wallet_id, limit=2)
    rest = wallet_queries.list_payouts(session, owner.wallet_id, limit=2, cursor=first.next_cursor)
    assert [payout.id for payout in first.items + rest.items] == made[::-1]
    assert wallet_queries.list_payouts(session, other.wallet_id).items == []
    assert wallet_queries.get_own_payout(session, owner.actor, made[0]).id == made[0]
    with pytest.raises(NotFoundError):
        wallet_queries.get_own_payout(session, other.actor, made[0])
    overview = wallet_queries.overview(session, owner.wallet_id)
    assert (str(overview.available), str(overview.outgoing)) == ("7.00000000", "3.00000000")


@pytest.mark.parametrize("cursor", ["garbage", "AAAA", encode_cursor(2**63), encode_cursor(-1)])
def test_a_cursor_of_somebody_elses_making_is_refused(
    session: sqlalchemy.orm.Session, services: Services, cursor: str
) -> None:
    owner = make_person(session, services)
    for listing in (
        wallet_statement.list_statement,
        wallet_queries.list_deposits,
        wallet_queries.list_payouts,
    ):
        with pytest.raises(ValidationError) as refused:
            listing(session, owner.wallet_id, cursor=cursor)
        assert set(refused.value.fields) == {"cursor"}
