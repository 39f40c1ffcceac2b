"""Blocks that are undone: no balance changes twice, what is lost is called a loss, what was final goes on again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import select

from tests.support.databases import Databases, in_turn
from tests.support.market import Market
from tests.support.people import Person, make_person
from webapp.domain import accounts
from webapp.domain.money import Amount
from webapp.ledger import pooled
from webapp.models import ChainTransaction, Deposit, JournalEntry, Wallet
from webapp.services.chain_watcher import ChainWatcher
from webapp.services.database import Session
from webapp.services.deposits.depth import confirmations_needed
from webapp.services.payouts.own_transactions import OwnTransactions


@pytest.fixture
def databases(request: pytest.FixtureRequest) -> Databases:
    """One kind of database for each story, the kinds in turn; `make faults` tells such stories on both."""
    return in_turn(request)


NOTHING = ("0.00000000", "0.00000000")


def deposit(market: Market, person: Person, amount: str, confirmations: int = 2) -> None:
    market.chain.deposit(market.address_of(person), amount, confirmations)
    market.move_coins()


def settle(market: Market) -> None:
    market.move_coins()
    market.chain.mine(2)
    market.move_coins()


def deposits_of(market: Market, person: Person) -> list[Deposit]:
    statement = select(Deposit).where(Deposit.wallet_id == person.wallet_id).order_by(Deposit.id)
    rows = list(market.session.scalars(statement.execution_options(populate_existing=True)))
    market.session.commit()
    return rows


def entries(market: Market, pattern: str) -> list[str]:
    """The keys of the journal that match, in order."""
    statement = select(JournalEntry.key).where(JournalEntry.key.like(pattern)).order_by(JournalEntry.id)
    keys = list(market.session.scalars(statement))
    market.session.commit()
    return keys


def losses(market: Market) -> int:
    found = pooled.balance(market.session, accounts.LOSSES)
    market.session.commit()
    return found


def is_frozen(market: Market, person: Person) -> bool:
    frozen = market.session.get_one(Wallet, person.wallet_id, populate_existing=True).is_frozen
    market.session.commit()
    return frozen


def transactions(market: Market) -> list[ChainTransaction]:
    statement = select(ChainTransaction).order_by(ChainTransaction.id)
    rows = list(market.session.scalars(statement.execution_options(populate_existing=True)))
    market.session.commit()
    return rows


STEPS = [{"amount": "5", "confirmations": 4}, {"amount": "20", "confirmations": 15}]


@pytest.mark.settings(wallet={"confirmations_by_amount": STEPS})
def test_a_larger_deposit_waits_longer_and_cutting_it_up_does_not_help(market: Market) -> None:
    cutter, whale = make_person(market.session, market.services), make_person(market.session, market.services)
    to_payer, to_provider = market.address_of(market.payer), market.address_of(market.provider)
    sent = [market.chain.send(market.address_of(cutter), amount) for amount in ("1", "2", "2.5")]
    sent += [market.chain.send(to_payer, "3"), market.chain.send(market.address_of(whale), "20")]
    market.chain.mine()
    # The next block counts for itself; so does another wallet in the same block.
    market.chain.send(to_payer, "3")
    market.chain.send(to_provider, "4.99999999")
    market.chain.mine(1)
    market.move_coins()

    assert market.balances(market.payer) == ("3.00000000", "0.00000000")
    assert market.balances(cutter) == NOTHING
    found = deposits_of(market, cutter) + deposits_of(market, market.payer) + deposits_of(market, whale)
    needed = confirmations_needed(market.session, market.services.settings.wallet, found)
    market.session.commit()
    assert [needed[each.id] for each in found] == [4, 4, 4, 2, 2, 15]

    market.chain.mine(1)
    market.move_coins()
    assert market.balances(cutter) == NOTHING
    assert market.balances(market.payer) == ("6.00000000", "0.00000000")
    market.chain.mine(1)
    market.move_coins()
    assert market.balances(cutter) == ("5.50000000", "0.00000000")
    # Beyond what a listing from the cursor shows, too: undone at last, and counted again from the beginning.
    market.chain.mine(10)
    market.move_coins()
    assert market.balances(whale) == NOTHING
    (waiting,) = deposits_of(market, whale)
    assert (waiting.status, waiting.confirmations) == ("seen", 14)
    # All of its block comes again: one of them may spend the change of another.
    market.chain.reorganise(14, [[], [market.chain.hex_of(txid) for txid in sent]], is_by_hand=False)
    market.move_coins()
    assert [each.confirmations for each in deposits_of(market, whale)] == [14]
    market.chain.mine(1)
    market.move_coins()
    assert market.balances(whale) == ("20.00000000", "0.00000000")
    assert losses(market) == 0


def test_a_deposit_in_another_block_is_the_same_deposit(market: Market) -> None:
    stays, leaves = market.payer, market.provider
    first = market.chain.send(market.address_of(stays), "10")
    second = market.chain.send(market.address_of(leaves), "20")
    market.chain.mine(3)
    market.move_coins()
    market.chain.reorganise(3, [[], [market.chain.hex_of(first)]])
    for _ in range(2):
        market.move_coins()
    assert market.balances(stays) == ("10.00000000", "0.00000000")
    assert [(row.status, row.credit_round) for row in deposits_of(market, stays)] == [("credited", 1)]
    assert market.balances(leaves) == NOTHING
    assert entries(market, f"deposit:{second}:%")[1:] == [entries(market, f"deposit:{second}:%reverse:1")[0]]
    market.chain.mine(1)
    market.move_coins()
    assert market.balances(leaves) == NOTHING
    market.chain.mine(1)
    market.move_coins()
    assert market.balances(leaves) == ("20.00000000", "0.00000000")
    # The block that took the first one in has a name of its own by now: one more reorganisation finds it.
    market.chain.reorganise(5)
    market.move_coins()
    assert market.balances(stays) == NOTHING
    market.chain.mine(2)
    market.move_coins()
    assert market.balances(stays) == ("10.00000000", "0.00000000")
    assert not is_frozen(market, stays)


def test_a_sender_who_takes_back_what_he_has_spent_here_is_stopped_and_the_loss_is_shown(
    market: Market,
) -> None:
    thief = market.payer
    deposit(market, market.provider, "300", 8)
    txid = market.chain.send(market.address_of(thief), "100")
    theft = market.chain.double_spend(txid)
    market.chain.mine(2)
    market.move_coins()
    gone, waiting = market.chain.new_outside_address(), market.chain.new_outside_address()
    market.withdraw(thief, gone, "30")
    market.move_coins()
    market.chain.mine(1)
    market.move_coins()
    market.withdraw(thief, waiting, "25")

    market.chain.reorganise(3, [[theft]])
    market.move_coins()

    assert market.balances(thief) == NOTHING
    assert is_frozen(market, thief)
    assert losses(market) == -55_00000000
    assert market.alerts() == ["deposit_lost"]
    assert [(row.status, str(row.shortfall)) for row in deposits_of(market, thief)] == [
        ("reversed", "55.00000000")
    ]
    for _ in range(3):
        market.chain.mine(1)
        market.move_coins()
    assert market.chain.received(waiting) == "0.00000000"
    assert market.balances(market.provider) == ("300.00000000", "0.00000000")
    assert losses(market) == -55_00000000

    # What never left makes good a part of it as soon as it is taken back.
    queued = next(payout for payout in market.payouts() if payout.address == waiting)
    market.services.wallets(market.session).payouts.cancel(queued.id, thief.actor.wallet_ids)
    market.move_coins()
    assert market.balances(thief) == NOTHING
    assert losses(market) == -30_00000000
    market.chain.mine(3)
    market.move_coins()


def test_a_deposit_that_comes_back_under_another_id_makes_good_the_loss_of_the_first_one(
    market: Market,
) -> None:
    address = market.address_of(market.payer)
    txid = market.chain.send(address, "100")
    twin = market.chain.double_spend(txid, pays={address: "100"})
    market.chain.mine(2)
    market.move_coins()
    market.release(market.escrow("60"))
    market.chain.reorganise(2, [[twin]])
    market.move_coins()
    market.chain.mine(1)
    market.move_coins()
    assert market.balances(market.payer) == ("40.00000000", "0.00000000")
    assert losses(market) == 0
    assert is_frozen(market, market.payer), "only an operator lifts it"
    # And back again: whichever of the two is there, the wallet has 40 of it.
    market.chain.reorganise(4, [[market.chain.hex_of(txid)]])
    market.move_coins()
    assert market.balances(market.payer) == ("40.00000000", "0.00000000")
    assert losses(market) == 0


def test_a_payout_falls_back_moves_and_is_final_only_then(market: Market) -> None:
    outside = market.chain.new_outside_address()
    deposit(market, market.payer, "100", 6)
    market.withdraw(market.payer, outside, "10")
    market.move_coins()
    market.chain.mine(1)
    market.move_coins()
    (sent,) = transactions(market)
    assert sent.confirmations == 1
    market.chain.reorganise(1)
    market.move_coins()
    (back,) = transactions(market)
    assert (back.status, back.confirmations, back.block_hash) == ("broadcast", 0, None)
    market.chain.mine(1)
    market.move_coins()
    blocks = market.chain.reorganise(1, [[sent.signed_hex]])
    market.move_coins()
    (moved,) = transactions(market)
    assert (moved.status, moved.block_hash, moved.confirmations) == ("confirmed", blocks[0], 2)
    assert market.chain.received(outside) == str(market.payouts()[0].net)
    assert market.alerts() == []


def test_a_final_payout_that_is_undone_is_noticed_and_sent_again(market: Market) -> None:
    deposit(market, market.payer, "100", 20)
    market.release(market.escrow("60"))
    outside = market.chain.new_outside_address()
    market.pay_to(market.provider, outside)
    escrow = market.escrow("20")
    market.release(escrow)
    settle(market)
    (payout,) = market.payouts()
    (final,) = transactions(market)
    assert (payout.status, final.status) == ("confirmed", "confirmed")

    # Another block with it in it is nobody's business.
    market.chain.reorganise(2, [[final.signed_hex]], is_by_hand=False)
    market.move_coins()
    assert (market.payouts()[0].status, market.alerts()) == ("confirmed", [])

    # By hand and that deep, the mempool does not have it either.
    market.chain.mine(10)
    market.chain.reorganise(14)
    assert final.txid not in market.chain.custody.rpc("getrawmempool")
    market.move_coins()
    (payout,) = market.payouts()
    assert payout.status == "broadcast"
    assert market.alerts() == ["transaction_undone"]
    assert market.report().gaps == []
    assert final.txid in market.chain.custody.rpc("getrawmempool")
    assert "payout_undone" in market.trail(escrow)
    market.chain.sync()
    settle(market)
    (payout,) = market.payouts()
    assert payout.status == "confirmed"
    assert [row.txid for row in transactions(market)] == [final.txid]
    assert market.chain.received(outside) == str(payout.net)
    kinds = [key.split(":", 2)[2] for key in entries(market, f"payout:{payout.id}:%")]
    assert kinds == ["queue", "settle", "undo:1", "settle:1"]
    assert market.alerts() == ["transaction_undone"]


def test_coins_that_wait_beside_a_deposit_which_they_spend_are_not_missing(market: Market) -> None:
    deposit(market, market.payer, "1050", 6)
    market.release(market.escrow("1000"))
    market.chain.deposit(market.address_of(market.payer), "5", confirmations=1)
    own = OwnTransactions(market.session, market.services.settings, market.services.daemon)
    own.send("merge", market.services.daemon.list_coins(), Amount.parse("0.01"))
    market.chain.sync()
    market.chain.mine(1)
    market.move_coins()
    market.chain.reorganise(2)
    market.work()
    assert (market.report().gaps, market.halts()) == ([], [])
    market.chain.mine(2)
    market.move_coins()
    assert [row.status for row in transactions(market)] == ["confirmed"]


def test_a_block_reward_is_a_deposit_once_it_is_ripe_and_none_when_its_block_is_undone(
    market: Market,
) -> None:
    address = market.address_of(market.payer)
    market.chain.miner.rpc("generatetoaddress", 1, address)
    market.chain.mine(3)
    market.move_coins()
    market.chain.miner.rpc("generatetoaddress", 1, address)
    market.chain.sync()
    market.move_coins()
    assert [(row.status, row.confirmations) for row in deposits_of(market, market.payer)] == [
        ("seen", 5),
        ("seen", 1),
    ]
    market.chain.reorganise(3)
    market.work()
    kept, orphaned = deposits_of(market, market.payer)
    assert (kept.confirmations, orphaned.confirmations) == (6, -1)
    assert (market.report().gaps, market.halts()) == ([], [])
    market.chain.mine(96)
    market.move_coins()
    assert [row.status for row in deposits_of(market, market.payer)] == ["credited", "seen"]
    assert market.balances(market.payer) == (str(kept.amount), "0.00000000")


def test_a_watcher_that_was_overtaken_neither_takes_back_nor_credits(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon, settings = market.services.daemon, market.services.settings
    real = daemon.list_since_block

    @contextmanager
    def other_worker() -> Iterator[ChainWatcher]:
        with Session(settings) as session:
            yield ChainWatcher(session, settings, daemon)

    def overtaken_by(*happens: Any) -> None:
        """A slow watcher lists; the chain and another watcher go on; then the slow one comes to write."""

        def list_slowly(*arguments: Any) -> Any:
            monkeypatch.setattr(daemon, "list_since_block", real)
            listed = real(*arguments)
            for happen in happens:
                happen()
            with other_worker() as other:
                other.run()
            return listed

        monkeypatch.setattr(daemon, "list_since_block", list_slowly)
        market.session.rollback()
        ChainWatcher(market.session, settings, daemon).run()

    market.move_coins()
    txid = market.chain.send(market.address_of(market.payer), "10")
    overtaken_by(lambda: market.chain.mine(2))
    assert market.balances(market.payer) == ("10.00000000", "0.00000000")
    assert entries(market, "deposit:%") == [
        f"deposit:{txid}:{deposits_of(market, market.payer)[0].vout}:credit:1"
    ]
    other = market.chain.send(market.address_of(market.provider), "20")
    market.chain.mine(2)
    overtaken_by(lambda: market.chain.reorganise(2))
    assert entries(market, f"deposit:{other}:%") == []
    assert market.balances(market.payer) == ("10.00000000", "0.00000000")
