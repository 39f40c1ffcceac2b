"""Events of many escrows written together: the same chains as one by one, whatever is told in them."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from tests.support.escrow_rows import make_unpaid
from tests.support.people import make_pair
from webapp.domain.money import Amount
from webapp.models import EscrowTransaction
from webapp.services import audit_trail
from webapp.services.audit_trail import Event
from webapp.services.container import Services
from webapp.services.unit_of_work import unit_of_work

AWKWARD = 'a tab\t, a line\nand another\r\n, \\N, \\., "quotes", ünïcödé \U0001f600, \x7f'


@pytest.fixture
def escrows(session: Session, services: Services) -> list:
    pair = make_pair(session, services)
    return make_unpaid(session, pair.payer.wallet_id, pair.provider.wallet_id, 3)


def test_each_trail_goes_on_from_where_it_was_in_the_order_of_the_events(
    session: Session, escrows: list
) -> None:
    first, second, third = escrows
    with unit_of_work(session):
        audit_trail.append(session, first, "created", "somebody", amount=Amount(7), is_first=True)
    events = [
        Event(second, "one", "worker", None, {}),
        Event(
            first, "two", "worker", Amount(2), {"text": AWKWARD, "number": 2**53 - 1, "list": [None, True]}
        ),
        Event(first, "three", AWKWARD, None, {"nested": {"b": 1, "a": AWKWARD}}),
        Event(third, "four", "worker", Amount(10**18), {}),
        Event(second, "five", "worker", None, {}),
    ]
    with unit_of_work(session):
        audit_trail.append_all(session, events)
        audit_trail.append_all(session, [])
        audit_trail.append(session, third, "six", "worker")
    session.expunge_all()

    def told(escrow_id: object) -> list[tuple[int, str, str, Amount | None, dict[str, object]]]:
        rows: list[EscrowTransaction] = audit_trail.entries(session, escrow_id)  # type: ignore[arg-type]
        return [(row.sequence, row.kind, row.actor, row.amount, row.detail) for row in rows]

    assert told(first) == [
        (1, "created", "somebody", Amount(7), {}),
        (2, "two", "worker", Amount(2), events[1].detail),
        (3, "three", AWKWARD, None, events[2].detail),
    ]
    assert [row[:2] for row in told(second)] == [(1, "one"), (2, "five")]
    assert [row[:2] for row in told(third)] == [(1, "four"), (2, "six")]
    broken = [line for line in audit_trail.broken_links(session) if "does not tell" not in line]
    assert broken == []
