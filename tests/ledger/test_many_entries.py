"""Many entries at once: what one after the other would have done, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tests.support.money import balances, credit
from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import (
    DuplicateEntryError,
    FrozenWalletError,
    InsufficientFundsError,
    NotFoundError,
)
from webapp.domain.money import ZERO, Amount
from webapp.ledger import pooled
from webapp.ledger.journal import Move, post
from webapp.ledger.many_entries import Entry, post_all
from webapp.models import JournalEntry, Posting, Wallet
from webapp.services.unit_of_work import unit_of_work

MakeWallet = Callable[[], int]


def entry(key: str, *moves: Move) -> Entry:
    return Entry(key, "test", None, utcnow(), moves)


def deposit(wallet_id: int, amount: str, key: str) -> Entry:
    return entry(
        key, Move(accounts.CHAIN, accounts.available(wallet_id), Amount.parse(amount, allow_zero=True))
    )


def payment(wallet_id: int, amount: str, key: str) -> Entry:
    return entry(key, Move(accounts.available(wallet_id), accounts.FUND, Amount.parse(amount)))


def post_together(session: Session, entries: Sequence[Entry]) -> None:
    with unit_of_work(session):
        post_all(session, entries)


def journal(session: Session) -> list[tuple[str, str, str, int]]:
    """(key, source, destination, base units) of every posting, in the order in which they were written."""
    session.rollback()
    rows = session.execute(
        select(JournalEntry.key, Posting.source, Posting.destination, Posting.amount)
        .join(Posting, Posting.journal_entry_id == JournalEntry.id)
        .order_by(Posting.id)
    )
    return [(row.key, row.source, row.destination, row.amount.base_units) for row in rows]


def test_many_entries_say_what_each_of_them_would_have_said(
    session: Session, make_wallet: MakeWallet
) -> None:
    wallets = [make_wallet() for _ in range(3)]
    credit(session, wallets[0], "5")
    entries = [
        deposit(wallet, f"{number}.00000001", f"in:{number}") for number, wallet in enumerate(wallets, 1)
    ]
    entries.append(
        entry(
            "split",
            Move(accounts.available(wallets[0]), accounts.FUND, Amount.parse("2")),
            Move(accounts.available(wallets[0]), accounts.available(wallets[1]), Amount.parse("0.5")),
            Move(accounts.CHAIN, accounts.FUND, ZERO),
        )
    )
    post_together(session, entries)
    assert [balances(session, wallet)[0] for wallet in wallets] == ["3.50000001", "2.50000001", "3.00000001"]
    assert pooled.balance(session, accounts.FUND) == 2_00000000
    assert journal(session)[1:] == [
        ("in:1", "chain", f"available:{wallets[0]}", 1_00000001),
        ("in:2", "chain", f"available:{wallets[1]}", 2_00000001),
        ("in:3", "chain", f"available:{wallets[2]}", 3_00000001),
        ("split", f"available:{wallets[0]}", "fund", 2_00000000),
        ("split", f"available:{wallets[0]}", f"available:{wallets[1]}", 50000000),
    ]
    with unit_of_work(session):  # and single ones go on after them
        post(session, "after", "test", [Move(accounts.CHAIN, accounts.FUND, Amount.parse("1"))])
    post_together(session, [])
    assert len(journal(session)) == 7


@pytest.mark.parametrize("keys", [("new", "old"), ("same", "same")])
def test_a_key_that_stands_already_keeps_all_of_them_out(
    session: Session, make_wallet: MakeWallet, keys: tuple[str, str]
) -> None:
    wallet = make_wallet()
    post_together(session, [deposit(wallet, "1", "old")])
    with pytest.raises(DuplicateEntryError):
        post_together(session, [deposit(wallet, "2", key) for key in keys])
    assert balances(session, wallet)[0] == "1.00000000"
    assert len(journal(session)) == 1


def test_an_overdraft_of_one_wallet_keeps_all_of_them_out_and_is_named(
    session: Session, make_wallet: MakeWallet
) -> None:
    rich, poor = make_wallet(), make_wallet()
    credit(session, rich, "10")
    credit(session, poor, "1")
    entries = [payment(rich, "3", "a"), payment(poor, "1.00000001", "b"), deposit(rich, "1", "c")]
    with pytest.raises(InsufficientFundsError, match=f"wallet {poor} has 1.00000000 FLOP available"):
        post_together(session, entries)
    assert [balances(session, wallet)[0] for wallet in (rich, poor)] == ["10.00000000", "1.00000000"]
    assert len(journal(session)) == 2
    post_together(session, [payment(poor, "1.00000001", "b"), deposit(poor, "0.00000001", "c")])
    assert balances(session, poor)[0] == "0.00000000", "the sum decides, in whichever order they stand"


def test_nothing_leaves_a_frozen_wallet_and_what_comes_in_does(
    session: Session, make_wallet: MakeWallet
) -> None:
    wallet, other = make_wallet(), make_wallet()
    credit(session, wallet, "10")
    with unit_of_work(session):
        session.execute(update(Wallet).where(Wallet.id == wallet).values(is_frozen=True))
    with pytest.raises(FrozenWalletError, match=f"wallet {wallet} is frozen"):
        post_together(session, [deposit(other, "1", "in"), payment(wallet, "2", "out")])
    post_together(session, [deposit(other, "1", "in"), deposit(wallet, "5", "here")])
    assert [balances(session, each)[0] for each in (wallet, other)] == ["15.00000000", "1.00000000"]


def test_unknown_wallets_and_entries_that_move_nothing_are_refused(
    session: Session, make_wallet: MakeWallet
) -> None:
    wallet = make_wallet()
    with pytest.raises(NotFoundError):
        post_together(session, [deposit(wallet, "1", "a"), deposit(404, "1", "b")])
    with pytest.raises(ValueError, match="b moves nothing"):
        post_together(session, [deposit(wallet, "1", "a"), deposit(wallet, "0", "b")])
    assert journal(session) == []
