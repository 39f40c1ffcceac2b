"""A wallet of very many small deposits that is paid out, while the daemon dies now and then.

Batches shrink to what a standard transaction holds, small coins are merged at the fund's cost, and the daemon forgets
its locks and its mempool in the middle of it. What it took stands in the log as `coins_paid_out`.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import timedelta
from functools import partial

import structlog
from sqlalchemy import select, update

from tests.faults.scenario import Outcome, Scenario, outcome
from tests.support.market import Market
from tests.support.small_coins import give_small_coins
from webapp.domain.clock import utcnow
from webapp.models import ChainTransaction, DaemonFigures, Payout
from webapp.services.payouts import halts as payout_halts
from webapp.services.unit_of_work import unit_of_work

FAMILY = "coins"
AMOUNT = "0.3"
DEATHS = 3
MOST_ROUNDS = 120
_FINAL = ("confirmed", "failed")

log = structlog.get_logger(__name__)


def scenarios(quick: bool) -> list[Scenario]:
    """One wallet; a smaller one when it has to be quick."""
    count = 2_000 if quick else 20_000
    # A daemon lists so many coins in two seconds, and in many more on a machine that has other things to do.
    patient = {"rpc": {"timeout": 120}}
    name = f"{count:,} small deposits are paid out"
    return [Scenario(FAMILY, name, partial(pay_out, count=count), patient)]


def pay_out(market: Market, chance: random.Random, count: int) -> Outcome:
    """Five sixths of what `count` deposits brought leave: half of that in small payouts, half in five large ones.

    All of it is asked for before anything is paid or merged: a halt is lifted then.
    """
    _fill_fund(market, count)
    began = time.monotonic()
    with unit_of_work(market.session):
        payout_halts.halt(market.session, "operator", "until everything is there")
    give_small_coins(market, market.payer, count, AMOUNT)
    given = time.monotonic()
    for _ in range(count // 8):
        market.withdraw(market.payer, market.chain.new_outside_address(), "1")
    for _ in range(5):
        market.withdraw(market.payer, market.chain.new_outside_address(), str(count // 40))
    with unit_of_work(market.session):
        payout_halts.clear(market.session, "operator", "user:1")
    asked = time.monotonic()
    rounds = _come_to_rest(market, chance)
    done = time.monotonic()
    log.info(
        "coins_paid_out",
        deposits=count,
        seconds_depositing=round(given - began),
        seconds_asking=round(asked - given),
        seconds_paying=round(done - asked),
        rounds=rounds,
        coins_left=len(market.chain.custody.rpc("listunspent")),
        **_measure(market),
    )
    assert {payout.status for payout in market.payouts()} == {"confirmed"}
    return outcome(market, DEATHS)


def _fill_fund(market: Market, count: int) -> None:
    """Five per cent of this are enough for merging every one of the coins."""
    amount = str(count // 25)
    market.deposit(market.payer, amount)
    market.release(market.escrow(amount))


def _come_to_rest(market: Market, chance: random.Random) -> int:
    """Blocks, rounds of the worker, and deaths of the daemon, until all is paid and merged; the number of rounds."""
    deaths = set(chance.sample(range(1, 12), DEATHS))
    for number in range(MOST_ROUNDS):
        _let_time_pass(market)
        market.work()
        if number in deaths:
            market.services.daemon.rpc.close()
            market.chain.custody.kill()
            market.start_daemon()
            market.work()
        market.chain.mine(2)
        market.work()
        if number > max(deaths) and not _is_anything_left(market):
            return number + 1
    raise AssertionError(f"not at rest: {Counter((each.status, each.reason) for each in market.payouts())}")


def _let_time_pass(market: Market) -> None:
    """What waits half a minute in the service has waited that long."""
    market.session.rollback()
    with unit_of_work(market.session):
        market.session.execute(
            update(Payout).where(Payout.status == "queued").values(next_attempt_at=utcnow())
        )
        market.session.execute(update(DaemonFigures).values(recorded_at=utcnow() - timedelta(minutes=1)))


def _is_anything_left(market: Market) -> bool:
    market.session.rollback()
    payouts = market.session.scalars(select(Payout.id).where(Payout.status.not_in(_FINAL)).limit(1)).first()
    unsettled = ChainTransaction.status.not_in(("confirmed", "replaced"))
    sent = market.session.scalars(select(ChainTransaction.id).where(unsettled).limit(1)).first()
    market.session.rollback()
    return payouts is not None or sent is not None


def _measure(market: Market) -> dict[str, str | int]:
    """Transactions, bytes and FLOP, for payouts and for merges; and the dearest payout."""
    rows = list(market.session.scalars(select(ChainTransaction).execution_options(populate_existing=True)))
    market.session.commit()
    measured: dict[str, str | int] = {}
    for kind in ("payouts", "merge"):
        of_kind = [row for row in rows if row.kind == kind and row.status == "confirmed"]
        measured[f"{kind}_transactions"] = len(of_kind)
        measured[f"{kind}_bytes"] = sum(row.size for row in of_kind)
        measured[f"{kind}_largest"] = max((row.size for row in of_kind), default=0)
        measured[f"{kind}_coins"] = sum(len(row.inputs) for row in of_kind)
        measured[f"{kind}_fees"] = str(sum(row.fee.decimal for row in of_kind))
    measured["highest_fee"] = str(max(payout.fee for payout in market.payouts() if payout.fee))
    return measured
