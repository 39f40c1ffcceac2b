"""What goes wrong between us and the network, and that it ends in one payment or in none with the money back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.support.malleation import malleated
from tests.support.market import Market
from tests.support.people import make_person
from webapp.config import Settings
from webapp.domain.exceptions import RpcUnknownOutcomeError, WalletIntegrationError
from webapp.models import ChainTransaction, Payout
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.settlement import REFUSED, Settlement
from webapp.services.unit_of_work import unit_of_work
from webapp.services.wallet_rpc import WalletRpc
from webapp.worker import Worker

Change = Callable[..., Any]


def transactions(market: Market) -> list[ChainTransaction]:
    statement = (
        select(ChainTransaction).order_by(ChainTransaction.id).execution_options(populate_existing=True)
    )
    rows = list(market.session.scalars(statement))
    market.session.commit()
    return rows


def statuses(market: Market) -> list[str]:
    return [payout.status for payout in market.payouts()]


def lose_answers(patch: pytest.MonkeyPatch, method: str, *, is_carried_out: bool) -> None:
    """The answer to every call of `method` is lost, after it was carried out or before it arrived."""
    real: Change = WalletRpc.change

    def change(self: WalletRpc, name: str, *params: Any) -> Any:
        if name != method:
            return real(self, name, *params)
        if is_carried_out:
            real(self, name, *params)
        raise RpcUnknownOutcomeError(f"the answer to {name} was lost")

    patch.setattr(WalletRpc, "change", change)


@pytest.mark.parametrize("is_carried_out", [True, False])
def test_a_lost_answer_to_the_broadcast_is_unknown_and_becomes_one_payment(
    market: Market, monkeypatch: pytest.MonkeyPatch, is_carried_out: bool
) -> None:
    outside = market.chain.new_outside_address()
    market.pay_to(market.provider, outside)
    market.deposit(market.payer, "100")
    escrow = market.escrow("100")
    market.release(escrow)
    with monkeypatch.context() as patch:
        lose_answers(patch, "sendrawtransaction", is_carried_out=is_carried_out)
        market.work()
        assert statuses(market) == ["unknown"]
        assert market.report().gaps == []
        market.chain.sync()
        market.work()
    assert statuses(market) == ["broadcast" if is_carried_out else "unknown"]
    market.settle()
    assert statuses(market) == ["confirmed"]
    assert len(transactions(market)) == 1
    assert market.chain.received(outside) == str(market.payouts()[0].net)
    assert "payout_unknown" in market.trail(escrow)


@pytest.mark.parametrize("is_carried_out", [True, False])
def test_a_lost_answer_while_the_transaction_is_built_leaves_nothing_behind(
    market: Market, monkeypatch: pytest.MonkeyPatch, is_carried_out: bool
) -> None:
    outside = market.chain.new_outside_address()
    market.deposit(market.payer, "10")
    market.withdraw(market.payer, outside, "9")
    with monkeypatch.context() as patch:
        lose_answers(patch, "fundrawtransaction", is_carried_out=is_carried_out)
        market.work(is_expected_to_succeed=False)
    assert statuses(market) == ["queued"]
    assert transactions(market) == []
    market.settle()
    assert statuses(market) == ["confirmed"]
    assert market.chain.received(outside) == str(market.payouts()[0].net)
    assert market.chain.custody.rpc("listlockunspent") == []


def poison(market: Market, payout: Payout, address: str) -> None:
    """An address that passed the checks when it was asked for, and that the daemon refuses."""
    market.session.rollback()
    with unit_of_work(market.session):
        market.session.execute(update(Payout).where(Payout.id == payout.id).values(address=address))


def test_a_poisoned_payout_is_set_aside_and_returned_and_the_others_are_paid(market: Market) -> None:
    people = [make_person(market.session, market.services, "provider") for _ in range(5)]
    for person in people:
        market.deposit(person, "10")
    addresses = [market.chain.new_outside_address() for _ in people]
    payouts = [
        market.withdraw(person, address, "9") for person, address in zip(people, addresses, strict=True)
    ]
    poison(market, payouts[2], "mzBc4XEFSdzCDcTxAgf6EZXgsZZZZZZZZZ")
    market.work()
    assert statuses(market) == ["broadcast", "broadcast", "failed", "broadcast", "broadcast"]
    assert market.balances(people[2]) == ("10.00000000", "0.00000000")
    assert market.payouts()[2].reason == REFUSED
    market.settle()
    for person, address in zip(people, addresses, strict=True):
        if person is not people[2]:
            assert market.balances(person) == ("1.00000000", "0.00000000")
            assert market.chain.received(address) != "0.00000000"


def test_a_daemon_without_its_wallet_fails_no_payout(market: Market) -> None:
    market.deposit(market.payer, "10")
    outside = market.chain.new_outside_address()
    custody = market.chain.custody
    (name,) = custody.rpc("listwallets")
    with market.app.app_context():
        worker = Worker(market.app)
        worker.run_once()
        market.withdraw(market.payer, outside, "9")
        custody.rpc("unloadwallet", name)
        worker.run_once()
        worker.run_once()
    assert statuses(market) == ["queued"]
    custody.rpc("loadwallet", name)
    market.settle()
    assert statuses(market) == ["confirmed"]


def test_a_wrong_passphrase_fails_no_payout(market: Market) -> None:
    market.deposit(market.payer, "10")
    outside = market.chain.new_outside_address()
    market.withdraw(market.payer, outside, "9")
    custody = market.chain.custody
    custody.rpc("encryptwallet", "the right one")
    market.chain.sync()
    settings = market.services.settings
    wrong = settings.model_copy(update={"wallet": settings.wallet.model_copy(update={"passphrase": "wrong"})})
    settle_with(market, wrong)
    assert statuses(market) == ["queued"]
    right = settings.model_copy(
        update={"wallet": settings.wallet.model_copy(update={"passphrase": "the right one"})}
    )
    settle_with(market, right)
    assert statuses(market) == ["broadcast"]
    custody.rpc("walletpassphrase", "the right one", 1000)
    market.settle()


def settle_with(market: Market, settings: Settings) -> None:
    market.session.rollback()
    daemon = DaemonWallet(WalletRpc(settings.rpc), settings.wallet)
    try:
        Settlement(market.session, settings, daemon).run()
    except WalletIntegrationError:
        pass
    finally:
        daemon.rpc.close()


def confirm_twin(market: Market, signed_hex: str, blocks: int = 1) -> str:
    """Have a miner put the malleated twin in a block; its txid."""
    miner = market.chain.miner
    twin = malleated(signed_hex)
    txid: str = miner.rpc("decoderawtransaction", twin)["txid"]
    address = market.chain.new_outside_address()
    miner.rpc("generateblock", address, [twin])
    for _ in range(blocks - 1):
        miner.rpc("generateblock", address, [])
    market.chain.sync()
    return txid


def test_a_malleated_twin_is_adopted_and_nothing_is_paid_twice(market: Market) -> None:
    outside = market.chain.new_outside_address()
    market.pay_to(market.provider, outside)
    market.deposit(market.payer, "100")
    escrow = market.escrow("100")
    market.release(escrow)
    market.work()
    (ours,) = transactions(market)
    txid = confirm_twin(market, ours.signed_hex)
    assert txid != ours.txid
    market.work()
    (adopted,) = transactions(market)
    assert (adopted.txid, adopted.status) == (txid, "broadcast")
    assert market.report().gaps == []
    market.chain.mine(1)
    market.work()
    assert statuses(market) == ["confirmed"]
    assert len(transactions(market)) == 1
    assert market.chain.received(outside) == str(market.payouts()[0].net)
    assert "payout_txid_changed" in market.trail(escrow)


def test_a_payout_that_spends_the_change_of_a_malleated_one_is_paid_once_in_the_end(market: Market) -> None:
    first, second = market.chain.new_outside_address(), market.chain.new_outside_address()
    market.deposit(market.payer, "100")
    market.withdraw(market.payer, first, "10")
    market.work()
    market.withdraw(market.payer, second, "10")
    market.work()
    parent, child = transactions(market)
    assert parent.txid in {point.txid for point in child.inputs}, "the child spends the parent's change"
    confirm_twin(market, parent.signed_hex, blocks=3)
    for _ in range(3):
        market.work()
        market.chain.mine(2)
    market.work()
    assert statuses(market) == ["confirmed", "confirmed"]
    for address, payout in zip((first, second), market.payouts(), strict=True):
        assert market.chain.received(address) == str(payout.net)
