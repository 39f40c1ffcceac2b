"""Workers killed at random points, while business goes on: several in turn, or one of two that work at once."""

from __future__ import annotations

import random

from tests.faults.scenario import Outcome, come_to_rest, outcome
from tests.faults.situations import own_address
from tests.support.killed_worker import ANYWHERE, NEVER, SIGKILLED, WorkerProcess, nursery, work_on
from tests.support.market import Market
from webapp.domain.failpoints import POINTS
from webapp.domain.money import Amount

ROUNDS = 5
_VISITS_OF_A_ROUND = 24  # A round with something to do has about as many; later visits find the worker gone.


def kill_in_turn(market: Market, chance: random.Random, rounds: int = ROUNDS) -> Outcome:
    """After each piece of business one to three workers die, one after the other."""
    deaths = 0
    for _ in range(rounds):
        _do_business(market, chance)
        for _ in range(chance.randint(1, 3)):
            deaths += _has_died(_start_doomed(market, chance))
        market.chain.mine(chance.choice((0, 1, 1, 2)))
    return _count(market, deaths)


def kill_one_of_two(market: Market, chance: random.Random, rounds: int = ROUNDS) -> Outcome:
    """Two workers at once, of which one dies and the other goes on."""
    deaths = 0
    for _ in range(rounds):
        _do_business(market, chance)
        doomed = _start_doomed(market, chance)
        other = nursery().start(market, NEVER, action=work_on)
        deaths += _has_died(doomed)
        assert other.wait() == 0, other.log.read_text()[-3000:]
        market.chain.mine(chance.choice((0, 1, 1, 2)))
    return _count(market, deaths)


def _count(market: Market, deaths: int) -> Outcome:
    come_to_rest(market)
    assert market.chain.custody.rpc("listlockunspent") == []
    assert market.halts() == []
    return outcome(market, deaths)


def _do_business(market: Market, chance: random.Random) -> None:
    """A few things of a day, in any order; now and then the last block is replaced."""
    market.session.rollback()
    if Amount.parse(market.balances(market.payer)[0], allow_zero=True) < Amount.parse("100"):
        market.deposit(market.payer, "200")
    for _ in range(chance.randint(1, 4)):
        thing = chance.choice((_withdraw, _withdraw, _earn, _receive, _pay_escrow))
        thing(market, chance)
    if chance.random() < 1 / 5:
        market.chain.mine(1)
        market.chain.reorganise(1)


def _withdraw(market: Market, chance: random.Random) -> None:
    market.withdraw(market.payer, market.chain.new_outside_address(), str(chance.randint(1, 5)))


def _earn(market: Market, chance: random.Random) -> None:
    market.pay_to(market.provider, market.chain.new_outside_address())
    market.release(market.escrow(str(chance.randint(5, 10))))


def _receive(market: Market, chance: random.Random) -> None:
    market.chain.send(market.address_of(market.payer), str(chance.randint(1, 9)))


def _pay_escrow(market: Market, chance: random.Random) -> None:
    home = market.chain.new_outside_address()
    address = own_address(market, str(chance.randint(2, 4)), refund_address=home)
    market.chain.send(address, str(chance.randint(2, 5)))


def _start_doomed(market: Market, chance: random.Random) -> WorkerProcess:
    """Doomed to die at some visit of any point, or at the first of one that may never come."""
    market.session.rollback()
    if chance.random() < 3 / 4:
        return nursery().start(market, ANYWHERE, chance.randint(1, _VISITS_OF_A_ROUND))
    return nursery().start(market, chance.choice(POINTS))


def _has_died(worker: WorkerProcess) -> bool:
    status = worker.wait()
    assert status in (0, SIGKILLED), f"{status}: {worker.log.read_text()[-3000:]}"
    return status == SIGKILLED
