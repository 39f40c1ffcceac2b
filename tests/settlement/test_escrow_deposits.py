"""Escrows that are paid for by coins sent to an address of their own: every coin ends where it belongs, by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select, update

from tests.support.malleation import malleated
from tests.support.market import Market
from tests.support.people import RESULT_HASH, manager, signature
from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.exceptions import (
    EscrowStateError,
    FrozenWalletError,
    NoDepositAddressError,
    PermissionDeniedError,
    SpendLimitError,
    ValidationError,
)
from webapp.domain.money import Amount
from webapp.domain.roles import AT_TERMINAL, WORKER
from webapp.ledger import pooled
from webapp.ledger.journal import Move, post
from webapp.models import Deposit, DepositAddress, Escrow, Wallet
from webapp.services import escrow_creation
from webapp.services.chain_watcher import ChainWatcher
from webapp.services.custody import freezes
from webapp.services.deposits import addresses as deposit_addresses
from webapp.services.escrow_clock import EscrowClock
from webapp.services.escrow_payments import payments_of
from webapp.services.signing_keys import actor_of
from webapp.services.unit_of_work import unit_of_work

HOUR = timedelta(hours=1)
# What is about the chain or the clock, and not about the database, is looked at once.
on_sqlite = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
NOTHING = ("0.00000000", "0.00000000")


def unpaid(market: Market, amount: str = "10", **terms: Any) -> Escrow:
    """An escrow that waits for its payment."""
    deposit_addresses.fill_stock(market.session, market.services.daemon, 1)
    return market.escrow(amount, funding="deposit", **terms)


def look(market: Market) -> None:
    """What of a round of the worker concerns deposits: it reads the chain, and the clocks run."""
    market.session.rollback()
    session, services = market.session, market.services
    ChainWatcher(session, services.settings, services.daemon).run()
    EscrowClock(session, services.escrow_manager(session, WORKER), services.settings).run()


def pay(market: Market, escrow: Escrow, amount: str, confirmations: int = 2) -> str:
    """Send coins to the escrow's address, mine, and let the worker see them; the txid."""
    assert escrow.deposit_address
    txid = market.chain.deposit(escrow.deposit_address, amount, confirmations)
    look(market)
    return txid


def now(market: Market, escrow: Escrow) -> Escrow:
    """The escrow as it stands."""
    market.session.rollback()
    return market.session.get_one(Escrow, escrow.id, populate_existing=True)


def stands(market: Market, escrow: Escrow) -> tuple[str, str]:
    """(status, what has been paid in)."""
    found = now(market, escrow)
    return found.status, str(found.deposited_amount)


def deposits(market: Market) -> list[tuple[str, str, str]]:
    """(status, disposition, held) of each deposit, the first one first."""
    market.session.rollback()
    rows = market.session.scalars(
        select(Deposit).order_by(Deposit.id).execution_options(populate_existing=True)
    )
    found = [(row.status, row.disposition, str(row.held_amount)) for row in rows]
    market.session.rollback()
    return found


def losses(market: Market) -> int:
    found = pooled.balance(market.session, accounts.LOSSES)
    market.session.commit()
    return found


@contextmanager
def after_its_time(escrow: Escrow) -> Iterator[None]:
    """A minute after the time to pay for it."""
    assert escrow.fund_by
    with time_machine.travel(escrow.fund_by + timedelta(minutes=1), tick=False):
        yield


def test_an_exact_payment_makes_it_an_escrow_like_any_other(market: Market) -> None:
    escrow = unpaid(market, "10")
    assert (escrow.status, escrow.funding, market.balances(market.payer)) == ("pending", "deposit", NOTHING)
    assert escrow.fund_by == pytest.approx(utcnow() + 24 * HOUR, abs=timedelta(minutes=1))
    assert escrow.deposit_address != market.address_of(market.payer)
    as_payer, as_provider = (
        manager(market.session, market.services, each) for each in (market.payer, market.provider)
    )
    signed = signature(market.pair, escrow)
    for refused in (
        lambda: as_provider.deliver_escrow(escrow.id, RESULT_HASH, signed),
        lambda: as_payer.release_escrow(escrow.id, RESULT_HASH, signed),
        lambda: as_payer.dispute_escrow(escrow.id, "why"),
    ):
        with pytest.raises(EscrowStateError, match="waits for its payment"):
            refused()

    market.chain.send(escrow.deposit_address, "10")
    look(market)
    (payments,) = payments_of(market.session, [now(market, escrow)]).values()
    assert (payments.missing, payments.is_moving) == (Amount(0), True)
    assert stands(market, escrow) == ("pending", "0.00000000")
    market.chain.mine(2)
    look(market)

    assert stands(market, escrow) == ("active", "10.00000000")
    assert deposits(market) == [("credited", "exact", "10.00000000")]
    assert market.balances(market.payer) == ("0.00000000", "10.00000000")
    assert market.trail(escrow) == ["created", "deposit_credited", "funded"]
    market.release(escrow)
    assert market.balances(market.payer) == NOTHING
    assert market.balances(market.provider) == ("9.50000000", "0.00000000")
    assert market.fund() == "0.50000000"


def test_parts_add_up_a_surplus_and_a_second_payment_go_home_at_once(market: Market) -> None:
    home = market.chain.new_outside_address()
    escrow = unpaid(market, "10", refund_address=home)
    pay(market, escrow, "4")
    assert stands(market, escrow) == ("pending", "4.00000000")
    assert market.balances(market.payer) == ("0.00000000", "4.00000000")
    pay(market, escrow, "7")
    assert stands(market, escrow) == ("active", "10.00000000")
    pay(market, escrow, "2.5")
    pay(market, escrow, "0.05")
    assert deposits(market) == [
        ("credited", "part", "4.00000000"),
        ("credited", "over", "6.00000000"),
        ("credited", "double", "0.00000000"),
        ("credited", "double", "0.00000000"),
    ]
    # What is too little to be sent stays in the balance.
    assert market.balances(market.payer) == ("0.05000000", "10.00000000")
    market.settle()
    assert [(str(each.gross), each.status) for each in market.payouts()] == [
        ("1.00000000", "confirmed"),
        ("2.50000000", "confirmed"),
    ]
    sent = [each.net for each in market.payouts() if each.net]
    assert market.chain.received(home) == str(sent[0] + sent[1])
    assert market.trail(escrow).count("refund_queued") == 2

    manager(market.session, market.services, market.provider).refund_escrow(escrow.id, "the card broke")
    assert stands(market, escrow) == ("refunded", "10.00000000")
    assert market.balances(market.payer) == ("0.05000000", "0.00000000"), "what it held goes home, too"


def test_too_little_goes_home_when_the_time_is_over_and_so_does_what_comes_a_year_later(
    market: Market,
) -> None:
    home = market.chain.new_outside_address()
    escrow = unpaid(market, "10", fund_by=utcnow() + HOUR, refund_address=home)
    nothing_came = unpaid(market, "3", fund_by=utcnow() + HOUR)
    pay(market, escrow, "4")
    with after_its_time(escrow):
        look(market)
    assert stands(market, escrow) == ("refunded", "4.00000000")
    assert stands(market, nothing_came) == ("refunded", "0.00000000")
    assert now(market, escrow).refund_reason == "it was not paid for in time"
    assert market.balances(market.payer) == NOTHING
    assert [str(each.gross) for each in market.payouts()] == ["4.00000000"]

    with time_machine.travel(utcnow() + 366 * 24 * HOUR, tick=True):
        pay(market, escrow, "5")
        pay(market, nothing_came, "2")
        assert deposits(market)[1:] == [("credited", "late", "0.00000000")] * 2
        assert [str(each.gross) for each in market.payouts()] == ["4.00000000", "5.00000000"]
    assert market.balances(market.payer) == ("2.00000000", "0.00000000")
    assert market.trail(nothing_came) == ["created", "refunded", "deposit_credited"]


@on_sqlite
def test_what_was_seen_in_time_counts_whenever_it_confirms_and_is_waited_for(market: Market) -> None:
    soon = utcnow() + HOUR
    unseen, coming, too_little = (unpaid(market, fund_by=soon) for _ in range(3))
    never_confirmed = unpaid(market, fund_by=soon, expires_at=soon + HOUR)
    # The worker sleeps: it sees the first one after the deadline. Its daemon saw it in time, and dates it.
    market.chain.deposit(unseen.deposit_address or "", "10", 2)
    for escrow, amount in ((coming, "10"), (too_little, "9.99999999"), (never_confirmed, "10")):
        market.chain.send(escrow.deposit_address or "", amount)
    with after_its_time(unseen):
        look(market)
    all_four = (unseen, coming, too_little, never_confirmed)
    assert [now(market, each).status for each in all_four] == ["active", "pending", "refunded", "pending"]

    # Beyond the moment the result is due nothing is waited for: the money could not be earned any more.
    with time_machine.travel(never_confirmed.expires_at, tick=False):
        look(market)
        market.chain.mine(2)
        look(market)
    assert [now(market, each).status for each in all_four] == ["active", "active", "refunded", "refunded"]
    assert sorted(each[1] for each in deposits(market)) == ["exact", "exact", "late", "late"]
    assert market.balances(market.payer) == ("19.99999999", "20.00000000")


def test_either_side_cancels_and_a_payment_on_its_way_then_comes_home(market: Market) -> None:
    home = market.chain.new_outside_address()
    by_payer, by_provider = unpaid(market, refund_address=home), unpaid(market)
    pay(market, by_provider, "1")
    assert by_payer.deposit_address
    market.chain.send(by_payer.deposit_address, "10")
    look(market)
    manager(market.session, market.services, market.payer).refund_escrow(by_payer.id, "changed my mind")
    manager(market.session, market.services, market.provider).refund_escrow(by_provider.id, "too busy")
    assert market.balances(market.payer) == ("1.00000000", "0.00000000")
    with pytest.raises(EscrowStateError):
        manager(market.session, market.services, market.payer).refund_escrow(by_payer.id, "again")
    market.chain.mine(2)
    look(market)
    assert deposits(market)[1:] == [("credited", "late", "0.00000000")]
    assert market.balances(market.payer) == ("1.00000000", "0.00000000")
    assert [str(each.gross) for each in market.payouts()] == ["10.00000000"]
    market.settle()


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
def test_what_a_frozen_wallet_kept_back_goes_home_when_it_is_given_back(market: Market) -> None:
    home = market.chain.new_outside_address()
    small, large = unpaid(market, "10", refund_address=home), unpaid(market, "20", refund_address=home)
    pay(market, small, "3")
    pay(market, large, "20")
    wallet_id, settings = market.payer.wallet_id, market.services.settings
    freezes.freeze(market.session, AT_TERMINAL, wallet_id, "a call")
    for escrow in (small, large):
        manager(market.session, market.services, market.provider).refund_escrow(escrow.id, "too busy")
    pay(market, large, "2")
    assert (market.balances(market.payer), market.payouts()) == (("25.00000000", "0.00000000"), [])
    assert market.trail(large)[-4:] == [
        "refunded", "refund_held_back", "deposit_credited", "refund_held_back",
    ]  # fmt: skip

    # Something of it has gone another way since, as when a loss is made good.
    with unit_of_work(market.session):
        move = Move(accounts.available(wallet_id), accounts.FUND, Amount.parse("4"))
        post(market.session, "test:gone", "test", [move], even_if_frozen=True)
    for _ in range(2):
        freezes.unfreeze(market.session, settings, AT_TERMINAL, wallet_id, "it was them")
    assert [str(payout.gross) for payout in market.payouts()] == ["3.00000000", "18.00000000"]
    assert {payout.address for payout in market.payouts()} == {home}
    assert market.balances(market.payer) == NOTHING

    # Too little to be sent is not sent at another time, and what is sent once is not sent again.
    freezes.freeze(market.session, AT_TERMINAL, wallet_id, "another call")
    pay(market, small, "1")
    with unit_of_work(market.session):
        move = Move(accounts.available(wallet_id), accounts.FUND, Amount.parse("0.99999999"))
        post(market.session, "test:gone again", "test", [move], even_if_frozen=True)
    freezes.unfreeze(market.session, settings, AT_TERMINAL, wallet_id, "it was them again")
    freezes.freeze(market.session, AT_TERMINAL, wallet_id, "one more")
    freezes.unfreeze(market.session, settings, AT_TERMINAL, wallet_id, "the last one")
    assert (len(market.payouts()), market.trail(small)[-2:]) == (2, ["refund_held_back", "refund_kept"])
    assert market.balances(market.payer) == ("0.00000001", "0.00000000")
    market.settle()
    assert [payout.status for payout in market.payouts()] == ["confirmed"] * 2


def test_a_reorganisation_while_it_waits_is_undone_and_done_again(market: Market) -> None:
    escrow = unpaid(market, "10", fund_by=utcnow() + HOUR)
    pay(market, escrow, "4")
    market.chain.reorganise(2)
    look(market)
    assert stands(market, escrow) == ("pending", "0.00000000")
    assert deposits(market) == [("reversed", "balance", "0.00000000")]
    assert market.balances(market.payer) == NOTHING
    assert market.report().gaps == []

    with after_its_time(
        escrow
    ):  # It is on its way again, and was seen in time; what lacks came in time, too.
        market.chain.send(escrow.deposit_address or "", "6")
        market.chain.mine(2)
        look(market)
    assert stands(market, escrow) == ("active", "10.00000000")
    assert sorted(each[1] for each in deposits(market)) == ["exact", "part"]
    assert market.balances(market.payer) == ("0.00000000", "10.00000000")
    assert (losses(market), market.alerts()) == (0, [])


def test_a_reorganisation_after_it_was_paid_for_is_the_payers_loss_and_never_the_providers(
    market: Market,
) -> None:
    home = market.chain.new_outside_address()
    market.deposit(market.payer, "3", confirmations=5)
    escrow = unpaid(market, "10", refund_address=home)
    pay(market, escrow, "10")
    market.chain.reorganise(2)
    look(market)
    assert stands(market, escrow) == ("active", "10.00000000")
    assert deposits(market)[1] == ("reversed", "exact", "10.00000000")
    assert market.balances(market.payer) == ("0.00000000", "10.00000000")
    assert losses(market) == -7_00000000
    assert market.alerts() == ["deposit_lost"]
    assert market.report().gaps == []

    market.chain.mine(2)
    look(market)
    assert deposits(market)[1] == ("credited", "exact", "10.00000000")
    # What was taken is back, the loss is made good, and nothing is paid out or counted a second time.
    assert market.balances(market.payer) == ("3.00000000", "10.00000000")
    assert (losses(market), market.payouts()) == (0, [])
    assert market.trail(escrow) == [
        "created", "deposit_credited", "funded", "deposit_reversed", "deposit_returned",
    ]  # fmt: skip
    with pytest.raises(FrozenWalletError):
        unpaid(market, "1")
    market.release(escrow)
    assert market.balances(market.provider) == ("9.50000000", "0.00000000")


@on_sqlite
def test_the_same_payment_under_another_id_is_the_same_payment(market: Market) -> None:
    """A payment that was judged is undone, and a mutated twin of it confirms: it is not a second one."""
    escrow = unpaid(market, "10", fund_by=utcnow() + HOUR)
    txid = pay(market, escrow, "10")
    chain = market.chain
    original = chain.miner.rpc("gettransaction", txid)["hex"]
    first_undone = chain.miner.rpc("getblockhash", chain.miner.rpc("getblockcount") - 1)
    for daemon in (chain.custody, chain.miner):
        daemon.rpc("invalidateblock", first_undone)
    address = chain.new_outside_address()
    chain.miner.rpc("generateblock", address, [malleated(original)])
    for _ in range(3):
        chain.miner.rpc("generateblock", address, [])
    chain.sync()
    with after_its_time(escrow):
        look(market)
    assert stands(market, escrow) == ("active", "10.00000000")
    assert sorted(deposits(market)) == [
        ("credited", "exact", "10.00000000"),
        ("reversed", "balance", "0.00000000"),
    ]
    assert market.balances(market.payer) == ("0.00000000", "10.00000000")
    assert losses(market) == 0


@on_sqlite
def test_what_it_is_asked_to_be_is_checked(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    start = utcnow()
    for terms, field in (
        ({"funding": "gift"}, "funding"),
        ({"funding": "balance", "fund_by": start + HOUR}, "fund_by"),
        ({"funding": "balance", "refund_address": "x"}, "refund_address"),
        ({"fund_by": start}, "fund_by"),
        ({"fund_by": (start + HOUR).replace(tzinfo=None)}, "fund_by"),
        ({"fund_by": start + 2 * HOUR, "expires_at": start + 2 * HOUR}, "fund_by"),
        ({"refund_address": market.address_of(market.payer)[:-1]}, "refund_address"),
        ({"amount": "0.00099999"}, "amount"),
    ):
        with pytest.raises(ValidationError) as refused:
            market.escrow(**{"amount": "1", "funding": "deposit", **terms})
        assert set(refused.value.fields) == {field}
    with pytest.raises(NoDepositAddressError):
        market.escrow("1", funding="deposit")
    market.work()
    short = market.escrow("1", funding="deposit", expires_at=start + 10 * HOUR)
    assert short.fund_by == pytest.approx(start + 5 * HOUR, abs=timedelta(minutes=1))
    monkeypatch.setattr(escrow_creation, "MAX_UNPAID_PER_DAY", 1)
    with pytest.raises(ValidationError, match="not paid"):
        market.escrow("1", funding="deposit")
    monkeypatch.undo()
    with unit_of_work(market.session):
        market.session.execute(
            update(DepositAddress).values(purpose="refill", wallet_id=None, escrow_id=None)
        )
    market.services.wallets(market.session).stock_address()
    assert market.escrow("1", funding="deposit").deposit_address, "the daemon is in reach, so one was fetched"


@on_sqlite
def test_nothing_moves_but_a_keys_limit_counts_and_a_frozen_wallet_makes_none(market: Market) -> None:
    deposit_addresses.fill_stock(market.session, market.services.daemon, 1)
    keys = market.services.signing_keys(market.session)
    issued = keys.create(market.payer.wallet_id, ["escrow:create"], spend_limit=Amount.parse("10"))
    found = keys.find_usable(issued.key_id)
    assert found is not None
    by_key = market.services.escrow_manager(market.session, actor_of(found[0]))
    terms = (market.payer.wallet_id, market.provider.wallet_id, "6", "service", "task")
    escrow = by_key.create_escrow(*terms, funding="deposit")
    with pytest.raises(SpendLimitError):
        by_key.create_escrow(*terms, funding="deposit")
    with pytest.raises(PermissionDeniedError):
        manager(market.session, market.services, market.provider).create_escrow(*terms, funding="deposit")
    with unit_of_work(market.session):
        market.session.get_one(Wallet, market.payer.wallet_id).is_frozen = True
    with pytest.raises(FrozenWalletError):
        unpaid(market)
    pay(market, escrow, "8")
    # What it needs it takes; the surplus stays in the frozen balance.
    assert stands(market, escrow) == ("active", "6.00000000")
    assert market.balances(market.payer) == ("2.00000000", "6.00000000")
