"""Workers that die by SIGKILL, at each point and at random ones; afterwards others go on, and everything is counted."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

from tests.faults.kill_schedules import kill_in_turn, kill_one_of_two
from tests.faults.one_life import SETTINGS, live
from tests.faults.points import SITUATIONS, VARIANTS
from tests.faults.scenario import Outcome, Scenario, come_to_rest, outcome
from tests.faults.situations import Situation, die, leave_open
from tests.support.market import Market
from webapp.domain.failpoints import POINTS, Step
from webapp.worker import Worker

FAMILY = "crashes"
SCHEDULES = 8
# Where a crash leaves the daemon with something that is not in the database, or the other way round.
_BETWEEN_DAEMON_AND_DATABASE = (
    "payouts.fund:after",
    "payouts.sign:after",
    "payouts.store:after",
    "transaction.send:after",
    "transaction.mark:after",
    "transaction.confirm:before",
    "own.build:after",
    "own.store:after",
    "deposits.credit:after",
    "deposits.cursor:before",
)


def situation_of(point: str) -> Situation:
    """The one in which a worker comes to this point."""
    return SITUATIONS[Step(point.partition(":")[0])]


def die_and_go_on(
    market: Market,
    point: str,
    situation: Situation | None = None,
    *,
    visit: int = 1,
    work: Callable[[], object] | None = None,
    is_power_cut: bool = False,
) -> None:
    """Bring a worker to the point and have it die there, with the daemon if the power is cut; then let `work`, the
    rounds of another worker, bring everything to its end.
    """
    situation = situation or situation_of(point)
    situation.prepare(market)
    die(market, point, situation, visit)
    try:
        _go_on(market, work, is_power_cut=is_power_cut)
    except AssertionError as error:
        raise AssertionError(f"after a death at {point}: {error}") from error


def _go_on(market: Market, work: Callable[[], object] | None, *, is_power_cut: bool) -> None:
    if is_power_cut:
        market.services.daemon.rpc.close()
        market.chain.custody.kill()
        market.start_daemon()
    assert market.report().gaps == []
    come_to_rest(market, work=work)
    assert market.chain.custody.rpc("listlockunspent") == [], "coins stayed locked"
    assert market.halts() == []


@contextmanager
def survivor(market: Market) -> Iterator[Callable[[], None]]:
    """A worker that has run before others die and goes on as it is: a round of it at each call."""
    with market.app.app_context():
        worker = Worker(market.app)

        def one_round() -> None:
            market.session.rollback()
            assert worker.run_once()

        one_round()
        yield one_round


def scenarios(quick: bool) -> list[Scenario]:
    """Every point, in its variants, and random ones; when it is to be quick, every point once and little more."""
    found = [_scenario(f"killed at {point}", situation_of(point), point) for point in POINTS]
    found += [Scenario(FAMILY, "killed at every point in turn", _at_every_point, SETTINGS)]
    found += _schedules(1 if quick else SCHEDULES)
    if quick:
        return found
    found += [
        _scenario(f"killed beside another worker at {point}", situation_of(point), point, is_beside=True)
        for point in POINTS
    ]
    found += [
        _scenario(f"power cut at {point}", situation_of(point), point, is_power_cut=True)
        for point in _BETWEEN_DAEMON_AND_DATABASE
    ]
    found += [
        _scenario(f"{each.name}, killed at {point}", each.situation, point, visit=each.visit)
        for each in VARIANTS
        for point in each.points
    ]
    return found


def _scenario(
    name: str,
    situation: Situation,
    point: str,
    *,
    visit: int = 1,
    is_beside: bool = False,
    is_power_cut: bool = False,
) -> Scenario:
    def run(market: Market, _: random.Random) -> Outcome:
        with survivor(market) if is_beside else nullcontext() as work:
            die_and_go_on(market, point, situation, visit=visit, work=work, is_power_cut=is_power_cut)
        counted = outcome(market, 2 if is_power_cut else 1)
        leave_open(market)
        return counted

    return Scenario(FAMILY, name, run, situation.everybodys)


def _schedules(count: int) -> list[Scenario]:
    in_turn = [Scenario(FAMILY, f"random kills {number + 1}", kill_in_turn) for number in range(count)]
    of_two = [
        Scenario(FAMILY, f"random kills of one of two {number + 1}", kill_one_of_two)
        for number in range(count)
    ]
    return in_turn + of_two


def _at_every_point(market: Market, _: random.Random) -> Outcome:
    return outcome(market, live(market))
