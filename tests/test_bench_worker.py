"""The benchmarks of the worker's tasks: what they measure is what was done, and the books agree with it."""

from __future__ import annotations

import pytest
from sqlalchemy.orm import Session

from bench import deposits, settlement
from bench.daemon_time import timed_daemons
from tests.support.chain import Chain
from webapp.config import Settings


@pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
def test_settlement_is_measured_apart_from_the_daemon(
    session: Session, settings: Settings, chain: Chain
) -> None:
    with timed_daemons():
        measured = settlement.paid(session, settings, chain, payouts=40)
    assert measured.gaps == []
    assert 0 < measured.all.daemon < measured.all.wall
    assert list(measured.steps) == ["claim, build, sign, store, send", "follow", "confirm"]
    assert 0 < measured.all.statements < 2 * 40, "there is none for each payout"


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
def test_deposits_that_came_while_nobody_looked_are_caught_up_with(
    session: Session, settings: Settings, chain: Chain
) -> None:
    measured = deposits.caught_up(session, settings, chain, transactions=60, wallets=2, blocks=4)
    assert measured.gaps == []
    assert measured.tasks["deposits, once more"].statements < measured.tasks["deposits"].statements < 60
