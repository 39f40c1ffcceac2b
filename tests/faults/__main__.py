"""`make faults`: every fault scenario against real daemons, on SQLite and on PostgreSQL, and one table at the end.

    python -m tests.faults [--seed N] [--family crashes|rpc|reorganisations|coins|airdrops]
                           [--database sqlite|postgresql|both] [--quick] [--only NAME]

The exit status is 0 only if every scenario came to its end with clean books and nothing was lost or doubled.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import itertools
import os
import random
import secrets
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog

from tests.faults.report import Result, table
from tests.faults.scenario import Outcome, Scenario, chance_of, how_to_repeat
from tests.support.chain import Chain
from tests.support.databases import Databases, PostgresDatabases, SqliteDatabases, check_database
from tests.support.instances import rpc_section, write_config
from tests.support.market import Market
from tests.support.postgres import PostgresCluster
from tests.support.processes import temporary_folder
from webapp.config import load_config
from webapp.services.container import Services
from webapp.services.daemon.shared import forget_daemons
from webapp.services.database import Session

FAMILIES = {
    "crashes": "tests.faults.crashes",
    "rpc": "tests.faults.rpc_faults",
    "reorganisations": "tests.faults.reorganisations",
    "coins": "tests.faults.coins",
    "airdrops": "tests.faults.airdrops",
}
DATABASES: dict[str, Callable[[], Databases]] = {
    "sqlite": SqliteDatabases,
    "postgresql": lambda: PostgresDatabases(PostgresCluster().start()),
}

# The miner's coins last for so many of the longest ones.
SCENARIOS_OF_A_CHAIN = 40

log = structlog.get_logger(__name__)
_numbers = itertools.count(1)


def main() -> int:
    """Run what was asked for; the exit status."""
    options = _options()
    for name in [name for name in os.environ if name.startswith("DUXOS_")]:
        del os.environ[name]  # a developer's own settings have no part in this
    chosen = _scenarios(options)
    folder = temporary_folder("faults")
    print(f"seed {options.seed}: {len(chosen)} scenarios on {' and '.join(options.databases)}", flush=True)
    began = time.monotonic()
    with (folder / "log").open("w") as log:
        structlog.configure(logger_factory=structlog.WriteLoggerFactory(log))
        chains = _chains(folder)
        results = [
            _run(scenario, database, maker, next(chains), folder, options.seed)
            for database in options.databases
            for maker in [DATABASES[database]()]
            for scenario in chosen
        ]
    failed = [result for result in results if not result.is_good]
    for result in failed:
        print(f"\n{_title(result.scenario, result.database)}\n{result.complaint or result.outcome}")
        print(f"to repeat it: {how_to_repeat(options.seed, result.database, result.scenario)}")
    print(f"\n{table(results)}\n\nseed {options.seed}, {time.monotonic() - began:.0f} s")
    return 1 if failed or not results else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9))
    parser.add_argument("--family", choices=FAMILIES)
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="both")
    parser.add_argument("--quick", action="store_true", help="a representative part of the scenarios")
    parser.add_argument("--only", metavar="NAME", help="the scenario of this name alone")
    options = parser.parse_args()
    options.databases = list(DATABASES) if options.database == "both" else [options.database]
    return options


def _scenarios(options: argparse.Namespace) -> list[Scenario]:
    families = [options.family] if options.family else list(FAMILIES)
    modules = [FAMILIES[family] for family in families if importlib.util.find_spec(FAMILIES[family])]
    found: list[Scenario] = [
        scenario
        for module in modules
        for scenario in importlib.import_module(module).scenarios(options.quick)
    ]
    chosen = [scenario for scenario in found if options.only in (None, scenario.name)]
    if not chosen:
        sys.exit("there is no such scenario")
    return chosen


def _chains(folder: Path) -> Iterator[Chain]:
    """The chain for each scenario in turn: regtest halves its reward so soon that one has not coins enough for all."""
    for number in itertools.count(1):
        chain = Chain(folder / f"chain-{number}").start()
        yield from itertools.repeat(chain, SCENARIOS_OF_A_CHAIN)
        chain.stop()


def _run(
    scenario: Scenario, database: str, maker: Databases, chain: Chain, folder: Path, seed: int
) -> Result:
    chance = chance_of(seed, database, scenario)
    began = time.monotonic()
    outcome, complaint = None, ""
    try:
        outcome = _run_on_fresh_market(scenario, chance, maker, chain, folder)
    except Exception:  # whatever it was, the other scenarios are to be seen as well
        log.exception("scenario_failed", scenario=scenario.name)
        complaint = traceback.format_exc()
    result = Result(database, scenario, outcome, complaint)
    verdict = "ok" if result.is_good else "FAILED"
    print(f"{verdict:6} {time.monotonic() - began:5.1f} s  {_title(scenario, database)}", flush=True)
    return result


def _run_on_fresh_market(
    scenario: Scenario, chance: random.Random, maker: Databases, chain: Chain, folder: Path
) -> Outcome:
    chain.fresh_wallet()
    url = maker.create()
    config = write_config(
        folder / f"instance-{next(_numbers)}",
        {"database": {"url": url}},
        rpc_section(chain.custody),
        scenario.settings,
    )
    settings = load_config(config)
    try:
        with Session(settings) as session:
            market = Market(chain, session, Services.of(settings))
            try:
                outcome = scenario.run(market, chance)
                market.close()
            finally:
                market.dispose()
                session.get_bind().engine.dispose()
        check_database(url)
    finally:
        forget_daemons()
        maker.drop(url)
    return outcome


def _title(scenario: Scenario, database: str) -> str:
    return f"{scenario.family}: {scenario.name} ({database})"


if __name__ == "__main__":
    sys.exit(main())
