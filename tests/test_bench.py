"""The benchmark's own pieces: a history that the books agree with, and tables that say what was measured."""

from __future__ import annotations

import itertools
import os
import random
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bench import meters, options, people, report, rounds, sqlite_reference, targets
from bench.databases import Place
from bench.history import History
from bench.instance import Instance
from bench.load import Cost, Load, percentile
from bench.meters import Spent
from bench.runs import Run, Setting
from bench.stage import Stage
from bench.targets import Measured
from tests.support.processes import wait_until
from webapp.config import Settings
from webapp.ledger import pooled
from webapp.ledger.integrity import check_books
from webapp.models import Escrow, Wallet
from webapp.services.escrow_manager import EscrowManager
from webapp.services.pooled_accounts import CheckpointFolder
from webapp.services.reconciliation import check_trails

WALLETS, ESCROWS = 12, 240
SPENT = Spent(server=1.2, database=0.4, redis=0.04, clients=0.12)


def test_a_loaded_history_balances_and_the_service_goes_on_from_it(
    session: Session, settings: Settings
) -> None:
    pairs = people.pairs(people.settle(session, settings, WALLETS))
    History(pairs, ESCROWS, seed=1).load(session.get_bind().engine)

    assert check_books(session) == []
    assert check_trails(session) == []
    statuses = Counter(session.scalars(select(Escrow.status)))
    assert statuses.total() == ESCROWS and statuses.keys() == {"released", "refunded", "active"}
    assert session.scalar(select(func.count()).select_from(Wallet)) == WALLETS
    session.rollback()

    payer, provider = pairs[0].payer.wallet_id, pairs[0].provider.wallet_id
    manager = EscrowManager(session, settings)
    escrow = manager.create_escrow(payer, provider, "1", "image_upscaler_v1", "task-after")
    manager.refund_escrow(escrow.id, "the history has ended")
    collected = pooled.balance(session, "fund")
    session.rollback()
    assert CheckpointFolder(session).run()
    assert pooled.balance(session, "fund") == collected > 0
    assert check_books(session) == [] and check_trails(session) == []


def a_run(mix: str, before: float, after: float) -> Run:
    load = Load(
        2.0, Counter(lifecycle=200), {"create": [1.0, 2.0, 3.0], "release": [4.0]}, Cost(SPENT, 100, 101)
    )
    return Run(Setting(mix, 8, 10_000, 2, 1), load, before, after, [])


def test_the_table_has_what_was_measured_and_leaves_out_what_the_machine_disturbed() -> None:
    kept, dropped = a_run("A", 900, 1100), a_run("A", 500, 1500)
    assert (kept.is_kept, dropped.is_kept) == (True, False)
    lines = report.runs([kept, dropped], "P8").splitlines()
    assert lines[0].startswith("| mix | clients | history | lifecycles/s | ratio to P8 |")
    assert (
        lines[2]
        == "| A | 8 | 10000 | 100.0 | 0.100 | 1000 | 2 | 300.00 | 100.00 | 10.00 | 30.00 | 100 → 101 | agree |"
    )
    assert "dropped" in lines[3] and "500 → 1500" in lines[3]
    assert "| A | 8 | 10000 | create | 3 | 2.0 | 3.0 |" in report.latencies([kept, dropped])
    assert "| page / | 2.0 | 3.0 | 1.50 |" in report.growth({100: {"page /": 2.0}, 10_000: {"page /": 3.0}})
    assert kept.document()["ratio"] == 0.1 and kept.document()["latency_ms"]["release"]["p99"] == 4.0


def test_percentiles_are_within_what_was_measured() -> None:
    latencies = [float(number) for number in random.Random(1).sample(range(1000), 200)]
    assert min(latencies) <= percentile(latencies, 50) <= percentile(latencies, 99) <= max(latencies)
    assert percentile([], 50) == 0


def test_the_meters_see_what_a_process_spends() -> None:
    before, until = meters.processor_seconds(os.getpid()), time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert meters.processor_seconds(os.getpid()) - before >= 0.03
    assert meters.memory_mib(os.getpid()) > 10


def test_a_run_in_which_the_machine_stood_still_is_dropped() -> None:
    run = a_run("A", 900, 1100)
    stood_still = replace(run.load.cost, longest_pause_seconds=20.0)
    assert run.is_kept and not replace(run, load=replace(run.load, cost=stood_still)).is_kept
    clock = itertools.chain([0.0, 0.5], itertools.repeat(20.5))
    with meters.Pulse(0.001, clock.__next__) as pulse:
        wait_until(lambda: pulse.longest_pause_seconds > 10, "the pause to be noticed")
    assert round(pulse.longest_pause_seconds) == 20


def test_the_reference_for_sqlite_keeps_its_file(tmp_path: Path) -> None:
    rates = [sqlite_reference.lifecycles_per_second(tmp_path / "reference.db", 0.05) for _ in range(2)]
    assert all(rate > 0 for rate in rates)


def test_the_table_of_targets_says_what_was_reached_and_what_was_not_measured() -> None:
    measured = {
        "mix_a": Measured([0.29, 0.46, 0.5]),
        "batch": Measured([3.0, 1.0], "4 clients"),
        "start": Measured([2.5]),
        "sqlite": Measured([]),
    }
    rows = {line.split(" | ")[0][2:]: line for line in targets.as_table(measured).splitlines()[2:]}
    assert len(rows) == len(targets.TARGETS)
    row = "| 0.460 × P8 (0.290 to 0.500, 3) | 0.3 × P8 | 0.45 × P8 | aim |"
    assert rows["mix A through HTTP, 8 clients, PostgreSQL"].endswith(row)
    assert rows["POST /escrow/batch, lifecycles (4 clients)"].endswith("| 2 × P8 | 4 × P8 | floor |")
    assert rows["cold start of wsgi:app"].endswith("| 2 s | 1 s | missed |")
    assert "not measured" in rows["the same at 32 clients"]
    assert "no measurement was kept" in rows["SQLite, one process, mix A"]
    assert targets.as_document(measured)["start"]["reached"] == "missed"
    assert targets.missed_aims(measured) == ["batch", "start"]


def test_a_setting_is_run_again_until_it_was_kept_often_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    calm = iter([False, True, True, False, *[True] * 9])
    monkeypatch.setattr(
        rounds,
        "measure",
        lambda _place, _instance, _pairs, setting: a_run(setting.mix, 900, 1100 if next(calm) else 1900),
    )
    stage = Stage(options.read(["runs"], arguments=["--runs", "2", "--seconds", "1"]), "")
    place = Place("P8", lambda: "", lambda _seconds: 0.0)
    wanted = rounds.settings(stage, 100, ["A", "B"], [8])
    done = list(rounds.runs(stage, place, cast("Instance", None), [], wanted))
    assert [run.setting.mix for run in done] == ["A", "B", "A", "B", "A", "B"]
    assert len(rounds.ratios(done, "A", 8)) == len(rounds.ratios(done, "B", 8)) == 2
    assert "| A | 8 | 10000 | 2 | 100.0 | 0.100 | 0.100 | 0.100 |" in report.settings(done, "P8")


@pytest.mark.parametrize(("processors", "few", "many"), [(1, 1, 2), (2, 1, 2), (8, 4, 8)])
def test_a_process_for_two_processors_and_for_batches_one_for_each(
    monkeypatch: pytest.MonkeyPatch, processors: int, few: int, many: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: processors)
    read = options.read(["runs"], arguments=[])
    assert (read.workers, read.batch_workers) == (few, many)
    assert options.read(["runs"], arguments=["--db", "sqlite"]).workers == 1
    read = options.read(["runs"], arguments=["--db", "sqlite", "--workers", "3"])
    assert (read.workers, read.batch_workers) == (3, 3)
