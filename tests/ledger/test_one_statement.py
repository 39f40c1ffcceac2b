"""Several changes in one statement: all of them or none, whatever stops them, on both databases."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import bindparam, func, literal_column, select, update
from sqlalchemy.orm import Session

from tests.support.money import balances, credit
from tests.support.people import Pair, make_pair
from webapp.domain.accounts import FUND, available, held
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.ledger.journal import Move
from webapp.ledger.steps import movement, values_of
from webapp.models import JournalEntry, Posting, RequestNonce, Wallet
from webapp.models.one_statement import Before, NotDoneError, OneStatement, Step
from webapp.models.plain_connection import plain_connection
from webapp.services.container import Services

_NONCES: Any = RequestNonce.__table__
_WALLETS: Any = Wallet.__table__


def _noted(before: Before) -> Any:
    row = select(*(bindparam(column.name, type_=column.type) for column in _NONCES.c))
    names = [column.name for column in _NONCES.c]
    return before.insert(_NONCES).from_select(names, row.where(before.is_done), include_defaults=False)


def _nothing_to_change(before: Before) -> Any:
    nowhere = _WALLETS.c.id == literal_column("-1")
    return update(_WALLETS).where(nowhere, before.is_done).values(name="nobody's")


def _below_zero(before: Before) -> Any:
    """What the database itself refuses."""
    return update(_WALLETS).where(before.is_done).values(held=literal_column("-1"))


def _too_large(before: Before) -> Any:
    """What no column takes: SQLite would, but for the constraint that it breaks."""
    return update(_WALLETS).where(before.is_done).values(held=literal_column("-9223372036854775807 - 1"))


@pytest.fixture
def pair(session: Session, services: Services) -> Pair:
    """Payer and provider; the payer has 10."""
    made = make_pair(session, services)
    credit(session, made.payer.wallet_id, "10")
    return made


def _run(session: Session, moves: list[Move], *more: Step, wallets: int = 1, **values: Any) -> None:
    session.commit()
    given = values_of(f"test:{uuid.uuid4()}", "test", moves, utcnow())
    given |= {"escrow_id": None, "key_id": "key", "nonce": "nonce", "expires_at": utcnow()} | values
    statement = OneStatement(Step("noted", _noted), *movement(wallets, len(moves)), *more)
    with plain_connection(session.get_bind().engine) as connection:
        statement.run(connection, given)


def _counts(session: Session) -> tuple[int, ...]:
    found = tuple(
        session.execute(select(func.count()).select_from(model)).scalar_one()
        for model in (JournalEntry, Posting, RequestNonce)
    )
    session.rollback()
    return found


def test_all_of_it_is_done_and_nothing_is_posted_that_moves_nothing(session: Session, pair: Pair) -> None:
    payer, provider = pair.payer.wallet_id, pair.provider.wallet_id
    before = _counts(session)
    _run(session, [Move(available(payer), held(payer), Amount.parse(4))])
    assert (balances(session, payer), _counts(session)) == (
        ("6.00000000", "4.00000000"),
        (before[0] + 1, before[1] + 1, before[2] + 1),
    )
    moves = [Move(held(payer), available(provider), Amount.parse(4)), Move(held(payer), FUND, Amount(0))]
    _run(session, moves, wallets=2, nonce="other")
    assert (balances(session, payer), balances(session, provider)) == (
        ("6.00000000", "0.00000000"),
        ("4.00000000", "0.00000000"),
    )
    assert _counts(session) == (before[0] + 2, before[1] + 2, before[2] + 2)


@pytest.mark.parametrize("last", [_nothing_to_change, _below_zero, _too_large])
def test_what_stops_the_last_step_undoes_every_other(
    session: Session, pair: Pair, last: Callable[[Before], Any]
) -> None:
    payer = pair.payer.wallet_id
    before = _counts(session)
    for _ in range(2):  # the connection is as good as before
        with pytest.raises(NotDoneError):
            _run(session, [Move(available(payer), held(payer), Amount.parse(4))], Step("last", last))
        assert (balances(session, payer), _counts(session)) == (("10.00000000", "0.00000000"), before)


def test_what_a_wallet_cannot_give_is_not_taken(session: Session, pair: Pair) -> None:
    payer, provider = pair.payer.wallet_id, pair.provider.wallet_id
    before = _counts(session)
    for moves, wallets in (
        ([Move(available(payer), held(payer), Amount.parse("10.00000001"))], 1),
        ([Move(held(payer), available(payer), Amount(1))], 1),
        ([Move(available(provider), available(payer), Amount(1))], 2),
        ([Move(available(99_999), available(payer), Amount(1))], 2),
    ):
        with pytest.raises(NotDoneError):
            _run(session, moves, wallets=wallets)
    session.execute(update(Wallet).where(Wallet.id == payer).values(is_frozen=True))
    with pytest.raises(NotDoneError):
        _run(session, [Move(available(payer), held(payer), Amount(1))])
    assert (balances(session, payer), _counts(session)) == (("10.00000000", "0.00000000"), before)


def test_an_event_happens_once(session: Session, pair: Pair) -> None:
    payer = pair.payer.wallet_id
    moves = [Move(available(payer), FUND, Amount.parse(1))]
    _run(session, moves, entry_key="test:once")
    with pytest.raises(NotDoneError):
        _run(session, moves, entry_key="test:once", nonce="other")
    with pytest.raises(NotDoneError):
        _run(session, moves)  # the same nonce
    assert balances(session, payer) == ("9.00000000", "0.00000000")


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
def test_text_that_postgresql_cannot_keep_is_refused_and_not_cut_off(session: Session, pair: Pair) -> None:
    moves = [Move(available(pair.payer.wallet_id), FUND, Amount.parse(1))]
    before = _counts(session)
    with pytest.raises(NotDoneError):
        _run(session, moves, nonce="cut\0off")
    assert _counts(session) == before
