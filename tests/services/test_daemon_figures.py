"""What pages know of the daemon without asking it: recorded by the worker, now and then."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.support.market import Market
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.models import DaemonFigures
from webapp.services import daemon_figures
from webapp.services.unit_of_work import unit_of_work


def _figures(market: Market) -> DaemonFigures:
    found = daemon_figures.look(market.session)
    market.session.commit()
    assert found is not None
    return found


def _let_time_pass(market: Market, seconds: int) -> None:
    with unit_of_work(market.session):
        then = utcnow() - timedelta(seconds=seconds)
        market.session.execute(update(DaemonFigures).values(recorded_at=then))


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_the_worker_records_what_the_daemon_has_now_and_then(market: Market) -> None:
    assert daemon_figures.look(market.session) is None
    market.deposit(market.payer, "3")
    first = _figures(market)
    height = market.chain.custody.rpc("getblockcount")
    assert (first.balance, first.immature_balance) == (Amount.parse(3), Amount(0))
    assert (first.block_height, first.headers, first.coins) == (height, height, 1)
    assert first.fee_rate >= market.services.settings.wallet.fee_rate_per_kb

    _let_time_pass(market, -600)  # However long the next steps take.
    market.deposit(market.payer, "4")
    assert _figures(market).coins == 1, "a moment ago"
    _let_time_pass(market, 6)
    market.work()
    after_block = _figures(market)
    assert (after_block.coins, after_block.balance) == (2, Amount.parse(7))

    _let_time_pass(market, 20)
    market.work()
    assert utcnow() - _figures(market).recorded_at > timedelta(seconds=19), "no block, and not time yet"
    _let_time_pass(market, 31)
    market.stop_daemon()
    market.work(is_expected_to_succeed=False)
    assert utcnow() - _figures(market).recorded_at > timedelta(seconds=30), "old figures keep their time"
    market.start_daemon()
    market.work()
    assert utcnow() - _figures(market).recorded_at < timedelta(seconds=20)
