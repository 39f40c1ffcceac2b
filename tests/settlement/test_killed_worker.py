"""SIGKILL in the middle of settlement, at every point that has a name and at random ones: one payment, one credit.

Here each point is died at on one of the two databases, and a few random schedules are lived through; `make faults` has
all of them on both.
"""

from __future__ import annotations

import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.crashes import die_and_go_on, scenarios, survivor
from tests.faults.kill_schedules import kill_in_turn, kill_one_of_two
from tests.faults.one_life import SETTINGS, STAGES, live
from tests.faults.points import SITUATIONS
from tests.faults.scenario import Outcome, outcome
from tests.support.market import Market
from tests.support.processes import end, spawn, wait_until
from webapp import ROOT
from webapp.domain.failpoints import POINTS, Step

pytestmark = pytest.mark.slow


def test_every_step_that_moves_coins_has_a_situation_and_every_point_a_scenario() -> None:
    assert set(SITUATIONS) == set(Step)
    names = [scenario.name for scenario in scenarios(quick=False)]
    assert len(names) == len(set(names))
    assert {f"killed at {point}" for point in POINTS} <= set(names)
    assert sorted(point for stage in STAGES for point in stage.points) == sorted(POINTS)


@pytest.mark.settings(**SETTINGS)
def test_a_worker_killed_at_any_point_loses_nothing_and_repeats_nothing(market: Market) -> None:
    # The points before one step and after the next: each database has the ones that the other has not.
    is_sqlite = market.services.settings.database_url.startswith("sqlite")
    own = [point for number, point in enumerate(POINTS) if (number % 4 in (0, 3)) == is_sqlite]
    assert live(market, own) == len(own)
    counted = outcome(market, len(own))
    assert counted.is_clean and counted.made == counted.expected > 0, counted
    assert counted.deposits_credited == counted.deposits_expected > 0, counted


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_a_worker_that_goes_on_clears_away_what_one_beside_it_has_left(market: Market) -> None:
    with survivor(market) as work:
        for point in ("payouts.sign:before", "own.build:after"):
            die_and_go_on(market, point, work=work)
    assert outcome(market, 2).is_clean


@pytest.mark.parametrize("schedule", [kill_in_turn, kill_one_of_two])
def test_workers_killed_at_random_points_lose_nothing_and_repeat_nothing(
    market: Market, schedule: Callable[..., Outcome]
) -> None:
    seed = secrets.randbelow(10**9)
    print(f"seed {seed}")  # noqa: T201  (shown with a failure, to repeat it)
    counted = schedule(market, random.Random(seed), rounds=1)
    assert counted.is_clean, counted


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
def test_of_two_services_one_is_killed_and_the_other_pays_and_stops_when_asked(market: Market) -> None:
    market.deposit(market.payer, "100")
    killed, other = [_start_worker(market) for _ in range(2)]
    for _ in range(6):
        market.withdraw(market.payer, market.chain.new_outside_address(), "1")
    time.sleep(random.uniform(0, 0.5))
    end(killed, signal.SIGKILL)
    wait_until(lambda: all(each.status == "broadcast" for each in market.payouts()), "the payouts to be sent")
    market.chain.mine(2)
    wait_until(
        lambda: all(each.status == "confirmed" for each in market.payouts()), "the payouts to be final"
    )
    end(other, signal.SIGTERM)
    assert other.returncode == 0
    counted = outcome(market, 1)
    assert counted.is_clean and counted.made == 6, counted


def _start_worker(market: Market) -> subprocess.Popen[bytes]:
    """`flask worker`, once it has begun to work."""
    folder = market.services.settings.instance_path
    log = Path(folder / "worker.log")
    begun = log.read_text().count("worker_started") if log.exists() else 0
    environment = ["/usr/bin/env", f"DUXOS_INSTANCE_PATH={folder}", f"--chdir={ROOT}"]
    process = spawn([*environment, sys.executable, "-m", "flask", "--app", "wsgi", "worker"], log=log)

    def has_begun() -> bool:
        assert process.poll() is None, log.read_text()[-3000:]
        return log.read_text().count("worker_started") > begun

    wait_until(has_begun, "the worker to begin")
    return process
