"""Coins that leave: one transaction for many, every fee accounted for to the last unit, nothing sent twice."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from tests.support.market import Market
from tests.support.people import make_person
from webapp.domain import accounts
from webapp.domain.exceptions import InvalidAddressError, InvalidAmountError, PayoutStateError
from webapp.domain.money import Amount
from webapp.ledger import pooled
from webapp.models import ChainTransaction, Payout
from webapp.services import audit_trail
from webapp.services.payouts import halts as payout_halts
from webapp.services.unit_of_work import unit_of_work

NOTHING = ("0.00000000", "0.00000000")


def outputs_of(market: Market, txid: str) -> dict[int, tuple[str, Decimal]]:
    """vout -> (address, amount), read by the other daemon as it came over the network."""
    market.chain.sync()
    decoded = market.chain.miner.rpc("getrawtransaction", txid, True)
    return {out["n"]: (out["scriptPubKey"]["addresses"][0], out["value"]) for out in decoded["vout"]}


def fee_of(market: Market, txid: str) -> Decimal:
    fee: Decimal = market.chain.custody.rpc("gettransaction", txid)["fee"]
    return -fee


def pooled_balance(market: Market, account: str) -> int:
    market.session.rollback()
    found = pooled.balance(market.session, account)
    market.session.rollback()
    return found


def transactions(market: Market) -> list[ChainTransaction]:
    statement = (
        select(ChainTransaction).order_by(ChainTransaction.id).execution_options(populate_existing=True)
    )
    rows = list(market.session.scalars(statement))
    market.session.commit()
    return rows


def test_many_payouts_leave_in_one_transaction_with_merged_addresses_and_exact_sums(market: Market) -> None:
    people = [make_person(market.session, market.services, "provider") for _ in range(3)]
    for person in people:
        market.deposit(person, "20")
    shared, own = market.chain.new_outside_address(), market.chain.new_outside_address()
    asked = [
        (people[0], shared, "1.00000001"),
        (people[1], shared, "2.00000002"),
        (people[2], shared, "3"),
        (people[0], own, "4.5"),
        (people[2], market.chain.new_outside_address(), "0.06"),
    ]
    for person, address, amount in asked:
        market.withdraw(person, address, amount)
    market.work()

    payouts = market.payouts()
    (transaction,) = transactions(market)
    assert {payout.transaction_id for payout in payouts} == {transaction.id}
    assert {payout.status for payout in payouts} == {"broadcast"}
    outputs = outputs_of(market, transaction.txid)
    paid: Counter[int] = Counter()
    for payout in payouts:
        assert payout.net is not None and payout.fee is not None and payout.output_index is not None
        assert payout.net + payout.fee == payout.gross
        assert outputs[payout.output_index][0] == payout.address
        paid[payout.output_index] += payout.net.base_units
    assert {vout: Amount(units).decimal for vout, units in paid.items()} == {
        vout: outputs[vout][1] for vout in paid
    }
    assert len(paid) == 3, "one output for each address"
    fees = sum(payout.fee.base_units for payout in payouts if payout.fee)
    assert Amount(fees) == transaction.fee
    assert transaction.fee.decimal == fee_of(market, transaction.txid)

    market.chain.mine(2)
    market.work()
    assert {payout.status for payout in market.payouts()} == {"confirmed"}
    assert pooled_balance(market, accounts.PAYOUTS_IN_FLIGHT) == 0
    assert pooled_balance(market, accounts.NETWORK_FEES) == fees
    assert market.balances(people[0]) == ("14.49999999", "0.00000000")
    assert market.balances(people[1]) == ("17.99999998", "0.00000000")
    assert market.balances(people[2]) == ("16.94000000", "0.00000000")
    received = Decimal(market.chain.received(shared))
    assert received == sum(
        payout.net.decimal for payout in payouts if payout.net and payout.address == shared
    )


def test_a_release_alone_pays_the_provider_on_the_chain_and_the_timeline_tells_it(market: Market) -> None:
    outside = market.chain.new_outside_address()
    market.pay_to(market.provider, outside)
    market.deposit(market.payer, "100")
    escrow = market.escrow("100")
    market.release(escrow)
    assert market.balances(market.provider) == NOTHING
    assert [(str(payout.gross), payout.status) for payout in market.payouts()] == [("95.00000000", "queued")]
    market.work()
    market.chain.mine(2)
    market.work()

    (payout,) = market.payouts()
    assert (payout.status, payout.escrow_id) == ("confirmed", escrow.id)
    assert payout.transaction is not None
    assert market.chain.received(outside) == str(payout.net)
    events = {entry.kind: entry.detail for entry in audit_trail.entries(market.session, escrow.id)}
    assert events["payout_signed"] == {
        "payout_id": str(payout.id),
        "txid": payout.transaction.txid,
        "fee": str(payout.fee),
        "net": str(payout.net),
    }
    assert events["payout_confirmed"]["confirmations"] == 2
    assert payout.transaction.confirmations == 2
    assert market.fund() == "5.00000000"
    assert market.services.daemon.balance() == Amount.parse("5")


def test_earnings_too_small_to_be_sent_stay_in_the_balance(market: Market) -> None:
    market.pay_to(market.provider, market.chain.new_outside_address())
    market.deposit(market.payer, "100")
    market.release(market.escrow("0.06315789"))  # leaves 0.06000000, exactly the least that is sent
    market.release(market.escrow("0.06315788"))  # leaves 0.05999999
    assert [str(payout.gross) for payout in market.payouts()] == ["0.06000000"]
    assert market.balances(market.provider) == ("0.05999999", "0.00000000")
    market.settle()


def test_less_than_a_payout_may_be_and_addresses_of_another_network_are_refused_early(market: Market) -> None:
    market.deposit(market.provider, "10")
    outside = market.chain.new_outside_address()
    with pytest.raises(InvalidAmountError):
        market.withdraw(market.provider, outside, "0.05999999")
    mainnet = "FHRgxNCFKGTDKSDsLKzDHoBGtrkPbbnkGR"
    for address in (mainnet, "", "nonsense", outside[:-1], outside + "x"):
        with pytest.raises(InvalidAddressError):
            market.withdraw(market.provider, address, "1")
    assert market.balances(market.provider) == ("10.00000000", "0.00000000")
    assert market.payouts() == []


@pytest.mark.settings(wallet={"fee_paid_by": "fund"})
def test_a_fund_that_bears_the_fees_leaves_the_recipient_the_whole_amount(market: Market) -> None:
    market.deposit(market.payer, "100")
    market.release(market.escrow("100"))
    outside = market.chain.new_outside_address()
    market.withdraw(market.provider, outside, "50")
    market.withdraw(market.provider, market.chain.new_outside_address(), "10")
    market.work()
    (transaction,) = transactions(market)
    assert market.fund() == str(Amount.parse("5") - transaction.fee)
    assert market.report().coins is not None
    market.chain.mine(2)
    market.work()
    assert market.chain.received(outside) == "50.00000000"
    assert [str(payout.net) for payout in market.payouts()] == ["50.00000000", "10.00000000"]
    assert pooled_balance(market, accounts.NETWORK_FEES) == transaction.fee.base_units
    assert market.fund() == str(Amount.parse("5") - transaction.fee)


@pytest.mark.settings(wallet={"fee_paid_by": "fund"})
def test_a_fund_that_cannot_bear_the_fee_makes_payouts_wait_until_it_can(market: Market) -> None:
    market.deposit(market.payer, "100")
    market.deposit(market.provider, "1")
    market.withdraw(market.provider, market.chain.new_outside_address(), "1")
    market.work()
    (payout,) = market.payouts()
    assert (payout.status, payout.fee) == ("queued", None)
    assert market.fund() == "0.00000000"
    market.release(market.escrow("10"))
    make_due(market)
    market.settle()
    assert [payout.status for payout in market.payouts()] == ["confirmed"]


def make_due(market: Market) -> None:
    """Let the pause before the next attempt be over."""
    market.session.rollback()
    with unit_of_work(market.session):
        market.session.execute(update(Payout).values(next_attempt_at=Payout.created_at))


def test_change_too_small_for_an_output_of_its_own_raises_no_alarm_and_leaves_the_books_right(
    market: Market,
) -> None:
    market.deposit(market.payer, "10")
    market.withdraw(market.payer, market.chain.new_outside_address(), "9.99999")
    market.work()
    (transaction,) = transactions(market)
    assert len(outputs_of(market, transaction.txid)) == 1, "this is about a transaction without change"
    assert market.report().gaps == []
    assert market.halts() == []
    market.chain.mine(2)
    market.work()
    assert [payout.status for payout in market.payouts()] == ["confirmed"]
    assert market.balances(market.payer) == ("0.00001000", "0.00000000")


def test_with_the_daemon_down_escrows_go_on_and_payouts_wait_and_go_out_once(market: Market) -> None:
    outside = market.chain.new_outside_address()
    market.pay_to(market.provider, outside)
    market.deposit(market.payer, "250")
    market.stop_daemon()
    released, refunded = market.escrow("100"), market.escrow("50")
    market.release(released)
    market.services.escrow_manager(market.session, market.provider.actor).refund_escrow(refunded.id, "no")
    for _ in range(2):
        market.work(is_expected_to_succeed=False)
    assert market.balances(market.payer) == ("150.00000000", "0.00000000")
    assert [(payout.status, str(payout.gross)) for payout in market.payouts()] == [("queued", "95.00000000")]
    assert market.halts() == []

    market.start_daemon()
    for _ in range(3):
        market.work()
    assert len(transactions(market)) == 1
    market.chain.mine(2)
    market.work()
    (payout,) = market.payouts()
    assert payout.status == "confirmed"
    assert market.chain.received(outside) == str(payout.net)
    assert market.trail(released)[-1] == "payout_confirmed"


def test_a_payout_whose_daemon_dies_between_signing_and_sending_goes_out_as_it_was_signed(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = market.chain.new_outside_address()
    market.deposit(market.payer, "10")
    market.withdraw(market.payer, outside, "9")
    real = market.services.daemon.send_raw

    def stop_first(transaction_hex: str) -> object:
        market.stop_daemon()
        return real(transaction_hex)

    with monkeypatch.context() as patch:
        patch.setattr(market.services.daemon, "send_raw", stop_first)
        market.work(is_expected_to_succeed=False)
    (signed,) = transactions(market)
    assert signed.status == "signed"
    market.start_daemon()
    market.work()
    (after,) = transactions(market)
    assert (after.txid, after.status) == (signed.txid, "broadcast")
    market.chain.mine(2)
    market.work()
    assert [payout.status for payout in market.payouts()] == ["confirmed"]
    assert market.chain.received(outside) == str(market.payouts()[0].net)


def test_halted_payouts_wait_and_go_out_when_the_halt_is_lifted(market: Market) -> None:
    market.deposit(market.payer, "10")
    with unit_of_work(market.session):
        payout_halts.halt(market.session, "operator", "we look at something")
    market.withdraw(market.payer, market.chain.new_outside_address(), "9")
    market.work()
    assert [payout.status for payout in market.payouts()] == ["queued"]
    with unit_of_work(market.session):
        payout_halts.clear(market.session, "operator", "user:1")
    market.settle()
    assert [payout.status for payout in market.payouts()] == ["confirmed"]


def test_a_destination_may_change_until_it_is_claimed_and_not_later(market: Market) -> None:
    first, second = market.chain.new_outside_address(), market.chain.new_outside_address()
    market.deposit(market.payer, "10")
    payout = market.withdraw(market.payer, first, "9")
    queue = market.services.wallets(market.session).payouts
    queue.redirect(payout.id, market.payer.actor.wallet_ids, second)
    market.work()
    with pytest.raises(PayoutStateError):
        queue.redirect(payout.id, market.payer.actor.wallet_ids, first)
    market.chain.mine(2)
    market.work()
    assert market.chain.received(first) == "0.00000000"
    assert market.chain.received(second) == str(market.payouts()[0].net)


def test_a_reorganisation_under_a_payout_changes_nothing_but_the_time(market: Market) -> None:
    outside = market.chain.new_outside_address()
    market.deposit(market.payer, "10", confirmations=5)
    market.withdraw(market.payer, outside, "9")
    market.work()
    market.chain.mine(1)
    market.work()
    assert [row.confirmations for row in transactions(market)] == [1]
    market.chain.reorganise(1)
    market.work()
    assert [(row.status, row.confirmations) for row in transactions(market)] == [("broadcast", 0)]
    market.chain.mine(2)
    market.work()
    assert [payout.status for payout in market.payouts()] == ["confirmed"]
    assert market.chain.received(outside) == str(market.payouts()[0].net)
    assert len(transactions(market)) == 1
