"""Entries: balanced by construction, once, refused by the database when a wallet cannot give."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tests.support.money import balances, credit
from webapp.domain import accounts
from webapp.domain.exceptions import (
    DuplicateEntryError,
    FrozenWalletError,
    InsufficientFundsError,
    NotFoundError,
)
from webapp.domain.money import ZERO, Amount
from webapp.ledger import pooled
from webapp.ledger.journal import Move, post
from webapp.models import JournalEntry, Posting, Wallet
from webapp.services.unit_of_work import unit_of_work

pytestmark = pytest.mark.broken_books  # money is held here without an escrow
MakeWallet = Callable[[], int]


def flop(text: str) -> Amount:
    return Amount.parse(text)


def lock(session: Session, wallet_id: int, amount: str, key: str = "lock") -> None:
    move = Move(accounts.available(wallet_id), accounts.held(wallet_id), flop(amount))
    with unit_of_work(session):
        post(session, key, "test", [move])


def count(session: Session) -> tuple[int, int]:
    """(entries, postings)."""
    session.rollback()
    return len(session.scalars(select(JournalEntry.id)).all()), len(session.scalars(select(Posting.id)).all())


def test_a_move_takes_from_one_account_and_gives_to_the_other(
    session: Session, make_wallet: MakeWallet
) -> None:
    wallet = make_wallet()
    credit(session, wallet, "10")
    lock(session, wallet, "4")
    assert balances(session, wallet) == ("6.00000000", "4.00000000")
    assert pooled.balance(session, accounts.CHAIN) == -10_00000000


def test_an_entry_with_the_same_key_happens_once(session: Session, make_wallet: MakeWallet) -> None:
    wallet = make_wallet()
    credit(session, wallet, "10")
    lock(session, wallet, "4")
    before = count(session)
    with pytest.raises(DuplicateEntryError):
        lock(session, wallet, "4")
    with pytest.raises(DuplicateEntryError):
        lock(session, wallet, "1")
    assert balances(session, wallet) == ("6.00000000", "4.00000000")
    assert count(session) == before


def test_an_overdraft_is_refused_and_leaves_nothing(session: Session, make_wallet: MakeWallet) -> None:
    wallet = make_wallet()
    credit(session, wallet, "10")
    before = count(session)
    with pytest.raises(InsufficientFundsError):
        lock(session, wallet, "10.00000001")
    assert balances(session, wallet) == ("10.00000000", "0.00000000")
    assert count(session) == before
    lock(session, wallet, "10")


def test_held_money_cannot_be_given_twice(session: Session, make_wallet: MakeWallet) -> None:
    wallet = make_wallet()
    credit(session, wallet, "10")
    lock(session, wallet, "10")
    back = Move(accounts.available(wallet), accounts.held(wallet), flop("10")).reversed()
    with unit_of_work(session):
        post(session, "back", "test", [back])
    with pytest.raises(InsufficientFundsError), unit_of_work(session):
        post(session, "again", "test", [back])
    assert balances(session, wallet) == ("10.00000000", "0.00000000")


def test_several_moves_of_one_entry_are_judged_together(session: Session, make_wallet: MakeWallet) -> None:
    """What comes in with an entry may go out with it; the sum decides."""
    wallet, other = make_wallet(), make_wallet()
    with unit_of_work(session):
        post(
            session,
            "through",
            "test",
            [
                Move(accounts.CHAIN, accounts.available(wallet), flop("3")),
                Move(accounts.available(wallet), accounts.available(other), flop("3")),
            ],
        )
    assert balances(session, wallet) == ("0.00000000", "0.00000000")
    assert balances(session, other) == ("3.00000000", "0.00000000")


def test_an_unknown_wallet_and_an_empty_entry_are_refused(session: Session) -> None:
    with pytest.raises(NotFoundError), unit_of_work(session):
        post(session, "a", "test", [Move(accounts.CHAIN, accounts.available(404), flop("1"))])
    with pytest.raises(ValueError, match="moves nothing"), unit_of_work(session):
        post(session, "b", "test", [Move(accounts.CHAIN, accounts.FUND, ZERO)])
    assert count(session) == (0, 0)


def test_nothing_leaves_a_frozen_wallet_but_what_is_held_and_what_the_chain_takes(
    session: Session, make_wallet: MakeWallet
) -> None:
    wallet, other = make_wallet(), make_wallet()
    credit(session, wallet, "10")
    lock(session, wallet, "4")
    with unit_of_work(session):
        session.execute(update(Wallet).where(Wallet.id == wallet).values(is_frozen=True))
    leave = Move(accounts.available(wallet), accounts.available(other), flop("1"))
    with pytest.raises(FrozenWalletError), unit_of_work(session):
        post(session, "leave", "test", [leave])
    with pytest.raises(FrozenWalletError):
        lock(session, wallet, "1", key="lock again")
    with unit_of_work(session):
        post(session, "release", "test", [Move(accounts.held(wallet), accounts.available(other), flop("1"))])
        post(session, "refund", "test", [Move(accounts.held(wallet), accounts.available(wallet), flop("3"))])
        post(
            session,
            "undo",
            "test",
            [Move(accounts.available(wallet), accounts.CHAIN, flop("9"))],
            even_if_frozen=True,
        )
    credit(session, wallet, "1")
    assert balances(session, wallet) == ("1.00000000", "0.00000000")
    assert balances(session, other) == ("1.00000000", "0.00000000")


def test_an_entry_that_fails_in_the_middle_of_a_larger_work_takes_all_of_it_back(
    session: Session, make_wallet: MakeWallet
) -> None:
    wallet = make_wallet()
    credit(session, wallet, "10")
    with pytest.raises(InsufficientFundsError), unit_of_work(session):
        lock(session, wallet, "4", key="first")
        lock(session, wallet, "7", key="second")
    assert balances(session, wallet) == ("10.00000000", "0.00000000")
