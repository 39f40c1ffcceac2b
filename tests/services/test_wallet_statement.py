"""The statement of a wallet: what was available after every line, whatever page, days or file it is read in."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy.orm
import time_machine

from tests.support.money import balances, credit
from tests.support.people import RESULT_HASH, make_escrow, make_pair, manager, signature
from webapp.domain import accounts
from webapp.domain.exceptions import ValidationError
from webapp.domain.money import Amount
from webapp.ledger.journal import Move, post
from webapp.services import wallet_statement
from webapp.services.container import Services
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_statement import Period, StatementLine, every_line, list_statement

ADDRESS = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"
BEGINNING = datetime(2040, 1, 1, 23, 59, tzinfo=UTC)


def _by_pages(
    session: sqlalchemy.orm.Session, wallet_id: int, period: Period, limit: int
) -> list[StatementLine]:
    lines: list[StatementLine] = []
    cursor = None
    while True:
        page = list_statement(session, wallet_id, period, limit=limit, cursor=cursor)
        lines += page.items
        cursor = page.next_cursor
        if cursor is None:
            return lines


def _live(session: sqlalchemy.orm.Session, services: Services) -> int:
    """A wallet with every kind of movement, one a day, with figures that no float could hold."""
    pair = make_pair(session, services)
    wallet_id = pair.payer.wallet_id
    escrows = []
    steps = [
        lambda: credit(session, wallet_id, "9000000000.00000001"),
        lambda: escrows.append(make_escrow(session, services, pair, "0.1")),
        lambda: escrows.append(make_escrow(session, services, pair, "8999999999.12345678")),
        lambda: manager(session, services, pair.payer).release_escrow(
            escrows[0].id, RESULT_HASH, signature(pair, escrows[0])
        ),
        lambda: manager(session, services, pair.provider).refund_escrow(escrows[1].id, "no"),
        lambda: services.wallets(session).payouts.withdraw(wallet_id, ADDRESS, Amount.parse("2.5")),
        lambda: credit(session, wallet_id, "0.00000001"),
    ]
    with time_machine.travel(BEGINNING, tick=False) as clock:
        for step in steps:
            step()
            clock.shift(timedelta(days=1))
    return wallet_id


def test_the_balance_after_every_line_is_exact_on_every_page(
    session: sqlalchemy.orm.Session, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet_id = _live(session, services)
    whole = _by_pages(session, wallet_id, Period(), 100)
    balance = 0
    for line in reversed(whole):
        balance += line.available_change
        assert line.balance.base_units == balance, line
    assert str(whole[0].balance) == balances(session, wallet_id)[0]
    assert "8999999997.40000002" in str(whole[0].balance)
    monkeypatch.setattr(wallet_statement, "PIECE", 3)
    for limit in (1, 2, 3):
        assert _by_pages(session, wallet_id, Period(), limit) == whole
    assert list(every_line(session, wallet_id)) == whole

    second, fifth = date(2040, 1, 2), date(2040, 1, 5)
    for period in (Period(second, fifth), Period(since=second), Period(until=fifth), Period(second, second)):
        first_day, last_day = period.since or date.min, period.until or date.max
        within = [line for line in whole if first_day <= line.at.date() <= last_day]
        assert len(within) >= 1
        for today in (BEGINNING, BEGINNING + timedelta(days=400)):
            with time_machine.travel(today, tick=False):
                assert _by_pages(session, wallet_id, period, 2) == within
                assert list(every_line(session, wallet_id, period)) == within
    assert list_statement(session, wallet_id, Period(date(2041, 1, 1))).items == []
    with pytest.raises(ValidationError):
        Period(fifth, second)


def test_lines_that_the_days_leave_out_in_between_still_count(
    session: sqlalchemy.orm.Session, services: Services
) -> None:
    """Two of one wallet at midnight: the one that began first had to wait for the other."""
    wallet_id = make_pair(session, services).payer.wallet_id
    for number, seconds in enumerate((0, 2, -1, 3, 1)):
        with time_machine.travel(BEGINNING + timedelta(minutes=1, seconds=seconds), tick=False):
            move = Move(accounts.CHAIN, accounts.available(wallet_id), Amount(10**number))
            with unit_of_work(session):
                post(session, f"test:{number}", "test_credit", [move])
    for limit in (1, 5):
        of_day = _by_pages(session, wallet_id, Period(since=date(2040, 1, 2)), limit)
        assert [line.balance.base_units for line in of_day] == [11111, 1111, 11, 1]
    (before,) = list_statement(session, wallet_id, Period(until=date(2040, 1, 1))).items
    assert before.balance.base_units == 111


def test_what_happens_meanwhile_is_not_in_the_whole_statement(
    session: sqlalchemy.orm.Session, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wallet_statement, "PIECE", 2)
    wallet_id = make_pair(session, services).payer.wallet_id
    for _ in range(5):
        credit(session, wallet_id, "1")
    lines = every_line(session, wallet_id)
    first = next(lines)
    with sqlalchemy.orm.Session(session.get_bind()) as other:
        credit(other, wallet_id, "7")
    assert [str(line.balance)[:2] for line in (first, *lines)] == ["5.", "4.", "3.", "2.", "1."]
