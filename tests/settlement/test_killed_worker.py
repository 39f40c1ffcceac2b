"""SIGKILL in the middle of a payout, at chosen instructions and at random moments: one payment, always."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.support.killed_worker import STEPS
from tests.support.market import Market
from tests.support.processes import end, spawn, wait_until
from webapp import ROOT
from webapp.models import ChainTransaction, Payout


def start(market: Market, *command: str) -> subprocess.Popen[bytes]:
    folder = market.services.settings.instance_path
    environment = ["/usr/bin/env", f"DUXOS_INSTANCE_PATH={folder}", f"--chdir={ROOT}"]
    return spawn([*environment, sys.executable, "-m", *command], log=folder / "worker.log")


def start_worker(market: Market) -> subprocess.Popen[bytes]:
    """`flask worker`, once it has begun to work."""
    log = Path(market.services.settings.instance_path / "worker.log")
    begun = log.read_text().count("worker_started") if log.exists() else 0
    process = start(market, "flask", "--app", "wsgi", "worker")

    def has_begun() -> bool:
        assert process.poll() is None, log.read_text()[-3000:]
        return log.read_text().count("worker_started") > begun

    wait_until(has_begun, "the worker to begin")
    return process


def paid_once(market: Market, payout: Payout) -> bool:
    return market.chain.received(payout.address) == str(payout.net)


def test_a_worker_killed_after_any_step_of_a_payout_leaves_one_payment(market: Market) -> None:
    market.deposit(market.payer, "100")
    config = market.services.settings.instance_path / "config.yaml"
    for step in STEPS:
        market.withdraw(market.payer, market.chain.new_outside_address(), "5")
        if step in ("half settled", "confirmed"):
            market.work()
            market.chain.mine(2)
        process = start(market, "tests.support.killed_worker", str(config), step)
        assert process.wait(60) == -signal.SIGKILL, (
            f"{step}: {(config.parent / 'worker.log').read_text()[-2000:]}"
        )
        assert market.report().gaps == [], step
        for _ in range(2):
            market.work()
            market.chain.mine(2)
        market.work()
        last = market.payouts()[-1]
        assert last.status == "confirmed", f"{step}: {last.status}, {last.reason}"
        assert paid_once(market, last), step
        assert market.chain.custody.rpc("listlockunspent") == [], step
    assert market.balances(market.payer) == ("60.00000000", "0.00000000")
    statement = select(ChainTransaction.status)
    assert set(market.session.scalars(statement)) == {"confirmed"}


def test_workers_killed_at_random_moments_leave_one_payment_of_each_payout(market: Market) -> None:
    market.pay_to(market.provider, market.chain.new_outside_address())
    for _ in range(3):
        market.deposit(market.payer, "100")
    chance = random.Random()
    for _ in range(4):
        for _ in range(2):
            market.withdraw(market.payer, market.chain.new_outside_address(), "5")
        market.release(market.escrow("10"))
        worker = start_worker(market)
        time.sleep(chance.uniform(0, 0.4))
        end(worker, signal.SIGKILL)
        market.chain.mine(1)
    for _ in range(3):
        market.work()
        market.chain.mine(2)
    market.work()
    payouts = market.payouts()
    assert [payout.status for payout in payouts] == ["confirmed"] * 12
    by_itself = [payout for payout in payouts if payout.wallet_id == market.payer.wallet_id]
    assert all(paid_once(market, payout) for payout in by_itself)
    earned = sum(
        payout.net.decimal
        for payout in payouts
        if payout.wallet_id == market.provider.wallet_id and payout.net
    )
    address = next(payout.address for payout in payouts if payout.wallet_id == market.provider.wallet_id)
    assert market.chain.received(address) == f"{earned:.8f}"
    assert market.balances(market.payer) == ("220.00000000", "0.00000000")


def test_two_workers_at_once_pay_everyone_once_and_stop_when_asked(market: Market) -> None:
    market.deposit(market.payer, "100")
    workers = [start_worker(market) for _ in range(2)]
    for _ in range(6):
        market.withdraw(market.payer, market.chain.new_outside_address(), "1")
    wait_until(lambda: all(each.status == "broadcast" for each in market.payouts()), "the payouts to be sent")
    market.chain.mine(2)
    wait_until(
        lambda: all(each.status == "confirmed" for each in market.payouts()), "the payouts to be final"
    )
    for worker in workers:
        end(worker, signal.SIGTERM)
        assert worker.returncode == 0
    assert all(paid_once(market, payout) for payout in market.payouts())
    assert market.balances(market.payer) == ("94.00000000", "0.00000000")


pytestmark = pytest.mark.slow
