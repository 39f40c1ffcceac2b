"""What leaving costs: batches, hard maxima, many small coins, and who bears the last unit of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from embit import base58
from sqlalchemy import update

from tests.settlement.test_payouts import make_due, pooled_balance, transactions
from tests.support.market import Market
from tests.support.small_coins import give_small_coins
from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.models import ChainTransaction, DaemonFigures, Payout
from webapp.services import daemon_figures
from webapp.services.payouts import halts as payout_halts
from webapp.services.payouts.claims import WAITS_FOR_FUND, WAITS_FOR_MERGES
from webapp.services.payouts.upkeep import CoinUpkeep
from webapp.services.settlement import Settlement
from webapp.services.unit_of_work import unit_of_work

one_database = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)


def outside(number: int) -> str:
    """An address of nobody's: as many of them as wanted, at no cost."""
    return base58.encode_check(bytes([111]) + number.to_bytes(20, "big"))


def statuses(market: Market) -> list[str]:
    return [payout.status for payout in market.payouts()]


def reasons(market: Market) -> set[str]:
    return {payout.reason for payout in market.payouts() if payout.status == "queued"}


def merges(market: Market) -> list[ChainTransaction]:
    return [each for each in transactions(market) if each.kind == "merge"]


def coins_of(market: Market) -> int:
    return len(market.chain.custody.rpc("listunspent", 0))


def forget_figures(market: Market) -> None:
    """Let the worker look at the daemon's figures again, as it does every half minute."""
    market.session.rollback()
    with unit_of_work(market.session):
        market.session.execute(update(DaemonFigures).values(recorded_at=utcnow() - timedelta(minutes=1)))


def age(market: Market, seconds: int) -> None:
    """Let the queued payouts have been asked for that long ago."""
    market.session.rollback()
    with unit_of_work(market.session):
        market.session.execute(update(Payout).values(created_at=utcnow() - timedelta(seconds=seconds)))


def fill_fund(market: Market, amount: str) -> None:
    """Give the fund its five per cent of an escrow of `amount`."""
    market.deposit(market.payer, amount)
    market.release(market.escrow(amount))


def pay(market: Market) -> None:
    """The worker's round as far as payouts and coins are concerned."""
    market.session.rollback()
    settings, daemon = market.services.settings, market.services.daemon
    Settlement(market.session, settings, daemon).run()
    CoinUpkeep(market.session, settings, daemon).run()


def settle(market: Market) -> None:
    """Send what is queued and mine it until it is final."""
    pay(market)
    market.chain.mine(2)
    pay(market)


@contextmanager
def halted(market: Market) -> Iterator[None]:
    with unit_of_work(market.session):
        payout_halts.halt(market.session, "operator", "a look at something")
    yield
    with unit_of_work(market.session):
        payout_halts.clear(market.session, "operator", "user:1")


@one_database
@pytest.mark.settings(wallet={"max_payouts_per_transaction": 1000})
def test_a_thousand_payouts_in_one_transaction_cost_less_than_a_sixth_of_single_ones(market: Market) -> None:
    market.deposit(market.payer, "3000")
    for number in range(3):
        market.withdraw(market.payer, outside(number), "1")
        settle(market)
    single = max(each.fee.base_units for each in transactions(market))

    for number in range(1000):
        market.withdraw(market.payer, outside(number), "1")
    market.work()

    batch = transactions(market)[-1]
    paid = [payout for payout in market.payouts() if payout.transaction_id == batch.id]
    assert len(paid) == 1000
    assert all(payout.fee and payout.fee.base_units <= 0.16 * single for payout in paid)
    assert batch.fee.base_units <= 0.16 * 1000 * single


@pytest.mark.settings(wallet={"batch_min_payouts": 3, "batch_max_wait_seconds": 600})
def test_payouts_wait_until_they_are_worth_a_transaction_but_not_for_ever(market: Market) -> None:
    market.deposit(market.payer, "100")
    for number in range(2):
        market.withdraw(market.payer, outside(number), "1")
        pay(market)
    assert statuses(market) == ["queued"] * 2
    assert transactions(market) == []

    market.withdraw(market.payer, outside(2), "1")
    pay(market)
    assert statuses(market) == ["broadcast"] * 3
    assert len(transactions(market)) == 1

    market.withdraw(market.payer, outside(3), "1")
    age(market, 590)
    pay(market)
    assert statuses(market)[3] == "queued"
    age(market, 601)
    pay(market)
    assert statuses(market)[3] == "broadcast"
    market.chain.mine(2)
    pay(market)


def at_most(**maxima: str) -> pytest.MarkDecorator:
    return pytest.mark.settings(wallet=maxima)


@one_database
@pytest.mark.parametrize(
    "key",
    [
        pytest.param("max_fee_per_transaction", marks=at_most(max_fee_per_transaction="0.002")),
        pytest.param("max_fee_per_payout", marks=at_most(max_fee_per_payout="0.002")),
    ],
)
def test_nothing_is_sent_above_a_maximum_and_the_money_goes_back(market: Market, key: str) -> None:
    market.deposit(market.payer, "100")
    market.withdraw(market.payer, outside(1), "20")
    for _ in range(10):
        make_due(market)
        pay(market)
        assert transactions(market) == []
    (payout,) = market.payouts()
    assert payout.status == "failed"
    assert key in payout.reason
    assert market.balances(market.payer) == ("100.00000000", "0.00000000")


@one_database
@pytest.mark.settings(wallet={"dust_limit": "0.001", "max_fee_per_payout": "0.01"})
def test_what_would_arrive_as_dust_goes_back_and_keeps_nobody_waiting(market: Market) -> None:
    """The dust limit was raised after it had been asked for."""
    market.deposit(market.payer, "10")
    market.withdraw(market.payer, outside(1), "0.011")
    market.withdraw(market.payer, outside(2), "1")
    settings = market.services.settings
    wallet = settings.wallet.model_copy(update={"dust_limit": Amount.parse("0.01")})
    raised = settings.model_copy(update={"wallet": wallet})
    for _ in range(10):
        make_due(market)
        Settlement(market.session, raised, market.services.daemon).run()
        assert statuses(market)[1] == "broadcast"
    small, _ = market.payouts()
    assert small.status == "failed"
    assert "which is dust" in small.reason
    assert market.balances(market.payer) == ("9.00000000", "0.00000000")


@one_database
def test_a_batch_shrinks_to_what_the_daemon_itself_allows(market: Market) -> None:
    market.deposit(market.payer, "100")
    market.stop_daemon()
    market.start_daemon("-maxtxfee=0.003")
    market.chain.sync()
    for number in range(8):
        market.withdraw(market.payer, outside(number), "1")
    pay(market)
    assert set(statuses(market)) == {"broadcast"}
    assert len(transactions(market)) > 1
    assert all(each.fee <= Amount.parse("0.003") for each in transactions(market))
    market.stop_daemon()
    market.start_daemon()
    settle(market)


@pytest.mark.parametrize(
    "payer",
    [
        pytest.param("recipient", marks=pytest.mark.settings(wallet={"fee_paid_by": "recipient"})),
        pytest.param("fund", marks=pytest.mark.settings(wallet={"fee_paid_by": "fund"})),
    ],
)
@one_database
def test_nobody_pays_more_than_was_reserved_however_much_change_is_left(market: Market, payer: str) -> None:
    """A withdrawal of nearly everything leaves change of every size: none, dust, a little more than dust."""
    limit = market.services.settings.wallet.dust_limit.base_units
    if payer == "fund":
        fill_fund(market, "10")
    for short_of in ("0", "0.0000001", "0.0022", "0.0101"):
        market.deposit(market.provider, "10")
        owned = Amount.parse(market.balances(market.provider)[0])
        gross = owned - Amount.parse(short_of, allow_zero=True)
        before = market.fund(), pooled_balance(market, accounts.LOSSES)
        market.withdraw(market.provider, outside(1), str(gross))
        settle(market)
        payout, transaction = market.payouts()[-1], transactions(market)[-1]
        assert payout.status == "confirmed", payout.reason
        assert payout.fee is not None and payout.net is not None
        assert payout.fee <= market.services.settings.wallet.max_fee_per_payout
        outputs = market.services.daemon.decode(transaction.signed_hex).outputs
        assert outputs[payout.output_index or 0].amount == payout.net
        if payer == "recipient":
            assert payout.net + payout.fee == payout.gross
            assert market.fund() == before[0]
        else:
            assert payout.net == payout.gross
            assert market.fund() == str(Amount.parse(before[0]) - transaction.fee)
        lost = before[1] - pooled_balance(market, accounts.LOSSES)
        assert lost == transaction.fee.base_units - payout.fee.base_units
        assert abs(lost) <= limit


@one_database
@pytest.mark.settings(wallet={"fee_paid_by": "fund"})
def test_a_fund_that_cannot_bear_the_fee_of_all_bears_that_of_some(market: Market) -> None:
    fill_fund(market, "0.056")
    assert market.fund() == "0.00280000"
    market.deposit(market.payer, "10")
    for number in range(3):
        market.withdraw(market.payer, outside(number), "1")
    pay(market)
    assert statuses(market) == ["broadcast", "broadcast", "queued"]
    assert "cannot bear" in market.payouts()[2].reason
    fill_fund(market, "1")
    make_due(market)
    settle(market)
    assert set(statuses(market)) == {"confirmed"}


@one_database
@pytest.mark.settings(wallet={"merge_above_coins": 20, "merge_inputs": 10})
def test_small_coins_are_merged_in_quiet_times_and_the_fund_bears_the_fee(market: Market) -> None:
    give_small_coins(market, market.payer, 40, "0.5")
    give_small_coins(market, market.payer, 5, "0.0014")  # less than it costs to spend them
    assert merges(market) == [], "the fund has nothing"
    fill_fund(market, "20")
    with halted(market):
        market.work()
    market.withdraw(market.payer, outside(1), "1")
    with halted(market):
        market.work()
    assert merges(market) == []
    before = market.fund()

    for _ in range(3):
        forget_figures(market)
        market.work()
        market.chain.mine(2)
    market.work()

    assert statuses(market) == ["confirmed"]
    assert coins_of(market) <= 20
    spent = sum(each.fee.base_units for each in merges(market))
    assert market.fund() == str(Amount.parse(before) - Amount(spent))
    assert daemon_figures.count_coins(market.session) == coins_of(market)
    market.session.commit()
    tiny = [
        coin for coin in market.chain.custody.rpc("listunspent") if f"{coin['amount']:.8f}" == "0.00140000"
    ]
    assert len(tiny) == 5


@one_database
@pytest.mark.settings(wallet={"merge_inputs": 30})
def test_a_payout_that_lies_in_too_many_small_coins_waits_for_merges_and_is_never_given_up(
    market: Market,
) -> None:
    give_small_coins(market, market.payer, 70, "1")
    market.withdraw(market.payer, outside(1), "50")
    pay(market)
    with unit_of_work(market.session):
        market.session.execute(update(Payout).values(attempts=20))
    make_due(market)
    pay(market)
    (payout,) = market.payouts()
    assert (payout.status, payout.reason, payout.attempts) == ("queued", WAITS_FOR_FUND, 21)

    # Others go out meanwhile, and what they need is not kept from them.
    market.withdraw(market.payer, outside(2), "2")
    pay(market)
    assert statuses(market) == ["queued", "broadcast"]

    fill_fund(market, "10")
    pay(market)
    assert reasons(market) == {WAITS_FOR_MERGES}
    for _ in range(4):
        market.chain.mine(2)
        make_due(market)
        pay(market)
    (payout, _) = market.payouts()
    assert payout.status == "confirmed", payout.reason
    assert merges(market)
    assert payout.fee is not None and payout.fee <= market.services.settings.wallet.max_fee_per_payout


@one_database
def test_a_wallet_of_many_small_deposits_pays_nearly_all_of_it_out(market: Market) -> None:
    """What is asked for lies in 660 coins, more than one transaction can spend (tests/faults/coins.py: in 20,000)."""
    fill_fund(market, "40")
    with halted(market):
        give_small_coins(market, market.payer, 800, "0.5")
        for number in range(100):
            market.withdraw(market.payer, outside(number), "1")
        market.withdraw(market.payer, outside(999), "270")

    for _ in range(12):
        pay(market)
        market.chain.mine(2)
        make_due(market)
        if set(statuses(market)) == {"confirmed"}:
            break

    assert set(statuses(market)) == {"confirmed"}
    for payout in market.payouts():
        assert payout.fee is not None and payout.fee <= market.services.settings.wallet.max_fee_per_payout
    assert len(transactions(market)) > len(merges(market)) + 1, "no transaction could pay all of them"
    assert all(each.size < 100_000 for each in transactions(market))
    assert market.balances(market.payer) == ("30.00000000", "0.00000000")
    assert coins_of(market) <= market.services.settings.wallet.merge_above_coins
