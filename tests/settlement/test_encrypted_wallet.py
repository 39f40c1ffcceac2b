"""An encrypted daemon wallet: open while something is signed and at no other moment; nobody is told its passphrase."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from tests.settlement.test_payouts import make_due, transactions
from tests.support.market import Market
from tests.support.processes import wait_until
from webapp.domain import failpoints
from webapp.domain.exceptions import RpcUnknownOutcomeError
from webapp.models import Alert, DepositAddress, WorkerTask
from webapp.services.deposits import addresses as deposit_addresses
from webapp.services.settlement import Settlement
from webapp.services.unit_of_work import unit_of_work

PASSPHRASE = "open sesame, said nobody"


@pytest.fixture
def locked(market: Market) -> Iterator[Market]:
    """The market with its custody wallet encrypted, and locked."""
    market.chain.custody.rpc("encryptwallet", PASSPHRASE)
    yield market
    failpoints.arm(None)
    market.chain.custody.rpc("walletpassphrase", PASSPHRASE, 3600)  # so that its coins can be given back


def settlement(market: Market) -> Settlement:
    """A worker's settlement alone, without the other tasks."""
    market.session.rollback()
    return Settlement(market.session, market.services.settings, market.services.daemon)


def is_open(market: Market) -> bool:
    return bool(market.chain.custody.rpc("getwalletinfo")["unlocked_until"])


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
@pytest.mark.settings(wallet={"passphrase": PASSPHRASE})
def test_the_wallet_is_open_for_the_moment_of_signing_only(
    locked: Market,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    market, daemon = locked, locked.services.daemon
    market.deposit(market.payer, "30")
    seen: list[tuple[str, bool]] = []
    failpoints.arm(lambda point: seen.append((point, is_open(market))))
    real = daemon.sign

    def sign(transaction_hex: str) -> str:
        seen.append(("signing", is_open(market)))
        return real(transaction_hex)

    monkeypatch.setattr(daemon, "sign", sign)
    payout = market.withdraw(market.payer, market.chain.new_outside_address(), "5")
    settlement(market).run()
    assert [point for point, was_open in seen if was_open] == [
        "wallet.open:after",
        "signing",
        "wallet.lock:before",
    ]
    assert {"payouts.fund:before", "payouts.sign:after", "payouts.store:before"} <= {
        point for point, _ in seen
    }
    failpoints.arm(None)

    # An error in between closes it, and so does a worker's death, after some seconds.
    def fail(_: str) -> str:
        assert is_open(market)
        raise RpcUnknownOutcomeError("the answer was lost")

    monkeypatch.setattr(daemon, "sign", fail)
    market.withdraw(market.payer, market.chain.new_outside_address(), "5")
    with pytest.raises(RpcUnknownOutcomeError):
        settlement(market).run()
    assert not is_open(market)
    assert market.chain.custody.rpc("listlockunspent") == []
    with daemon.unlocked(1):
        assert is_open(market)
        wait_until(lambda: not is_open(market), "the daemon to lock its wallet by itself")
    monkeypatch.setattr(daemon, "sign", real)

    # A passphrase that is wrong stops no more than the payouts, and uses up no keys while it does.
    right = daemon.settings
    daemon.settings = right.model_copy(update={"passphrase": SecretStr("open barley")})  # type: ignore[attr-defined]
    keys = []
    for _ in range(2):
        market.work(is_expected_to_succeed=False)
        keys.append(market.chain.custody.rpc("getwalletinfo")["keypoolsize_hd_internal"])
    assert keys[0] == keys[1]
    assert (market.halts(), market.alerts()) == ([], ["daemon_wallet_locked"])
    assert [each.status for each in market.payouts()] == ["broadcast", "queued"]
    daemon.settings = right
    make_due(market)
    settlement(market).run()
    assert {each.status for each in market.payouts()} == {"broadcast"}
    assert len(transactions(market)) == 2
    assert market.chain.received(payout.address) == str(market.payouts()[0].net)

    # A locked wallet has only so many keys in stock; opening it for a moment makes new ones.
    market.chain.custody.rpc("walletlock")
    left = market.chain.custody.rpc("getwalletinfo")["keypoolsize"]
    for _ in range(left):
        market.chain.custody.rpc("getnewaddress", "", "legacy")
    with unit_of_work(market.session):
        market.session.execute(DepositAddress.__table__.delete().where(DepositAddress.purpose == "stock"))
    deposit_addresses.fill_stock(market.session, daemon, 3)
    assert not is_open(market)
    stock = select(DepositAddress.address).where(DepositAddress.purpose == "stock")
    assert len(market.session.scalars(stock).all()) == 3

    told = [
        *market.session.scalars(select(Alert.detail)),
        *market.session.scalars(select(WorkerTask.last_error)),
        *(each.reason for each in market.payouts()),
        *capfd.readouterr(),
        caplog.text,
        (market.chain.custody.datadir / "regtest" / "debug.log").read_text(),
    ]
    market.session.rollback()
    assert not any(PASSPHRASE in text or "open barley" in text for text in told)
    assert "passphrase entered was incorrect" in told[0]
