"""Airdrops to many nodes, while workers die at every step of them, alone and beside others, and blocks are undone.

What each node was to get is counted from the published snapshot, and what it got from the journal and the blocks.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable

from embit import base58
from flask import Flask
from sqlalchemy import select

from tests.faults.crashes import survivor
from tests.faults.points import GENEROUS
from tests.faults.scenario import Outcome, Scenario, come_to_rest, outcome
from tests.faults.situations import Situation, die
from tests.support.airdrops import Listed, listed, make_nodes
from tests.support.instances import Sections
from tests.support.killed_worker import ANYWHERE, nursery, work_on
from tests.support.market import Market
from webapp.domain import accounts
from webapp.domain.failpoints import POINTS
from webapp.extensions import db
from webapp.models import Airdrop, AirdropRecipient, JournalEntry, Node, Payout, Posting
from webapp.services.airdrops import book, shares
from webapp.services.airdrops.run import AirdropRun
from webapp.services.container import Services

FAMILY = "airdrops"
# Two chunks and a bit that are paid on the chain, and as many that are not.
ON_CHAIN = 2 * shares.CHUNK + 10
SCHEDULES = 6
STRANGERS = 2
SETTINGS: Sections = {
    "community_fund": GENEROUS["community_fund"]
    | {"airdrop_threshold": "100", "min_airdrop_amount": "0.1", "max_nodes_per_owner": 1000}
}
AIRDROP_POINTS = tuple(point for point in POINTS if point.startswith("airdrop."))


def scenarios(quick: bool) -> list[Scenario]:
    """Every point of an airdrop, and random ones; beside a worker that goes on, the blocks undone, unless quick."""
    found = [_scenario(f"killed at {point}", _killed_at(point)) for point in AIRDROP_POINTS]
    found += [
        _scenario(f"killed at the second {point}", _killed_at(point, visit=2))
        for point in ("airdrop.shares:before", "airdrop.shares:after")
    ]
    found += [
        _scenario(f"killed at {point}, for nodes without wallets", _killed_with_strangers(point))
        for point in ("airdrop.store:after", "airdrop.post:before", "airdrop.post:after")
    ]
    found += [_scenario("killed at every point in turn", _killed_at_all)]
    found += [_scenario(f"random kills {n + 1}", _random_kills) for n in range(1 if quick else SCHEDULES)]
    found += [_scenario("two workers at once", _two_at_once)]
    if quick:
        return found
    found += [
        _scenario(f"killed beside another worker at {point}", _killed_at(point, is_beside=True))
        for point in AIRDROP_POINTS
    ]
    found += [_scenario("blocks undone", _undone)]
    return found


Disaster = Callable[[Market, random.Random], int]


def _scenario(name: str, disaster: Disaster) -> Scenario:
    def run(market: Market, chance: random.Random) -> Outcome:
        faults = disaster(market, chance)
        come_to_rest(market)
        require_each_share_once(market)
        return outcome(market, faults)

    return Scenario(FAMILY, name, run, SETTINGS)


def _due(market: Market) -> None:
    """The fund has enough for all nodes, half of which are paid on the chain, at a few addresses that they share."""
    market.deposit(market.payer, "2500")
    market.release(market.escrow("2400"))
    for _ in range(5):
        make_nodes(
            market.session,
            [market.provider.wallet_id] * (ON_CHAIN // 5),
            work="",
            airdrop_to="chain",
            airdrop_address=market.chain.new_outside_address(),
        )
    make_nodes(market.session, [market.payer.wallet_id] * ON_CHAIN, work="")


def _mined(market: Market) -> None:
    _due(market)
    market.work()
    market.chain.mine(2)


def _killed_at(point: str, *, visit: int = 1, is_beside: bool = False) -> Disaster:
    prepare = _mined if point.startswith("airdrop.finish") else _due

    def disaster(market: Market, _: random.Random) -> int:
        if is_beside:
            with survivor(market) as work:
                prepare(market)
                die(market, point, Situation(prepare), visit)
                come_to_rest(market, work=work)
        else:
            prepare(market)
            die(market, point, Situation(prepare), visit)
        return 1

    return disaster


def work_with_strangers(app: Flask) -> None:
    """An airdrop for nodes besides that only a registry elsewhere knows."""
    services: Services = app.extensions["duxos"]
    session = db.session()
    known = [listed(node_id) for node_id in session.scalars(select(Node.id))]
    session.commit()
    seed = services.settings.database_url
    strangers = [listed(f"stranger-{number}", _nobodys(f"{seed}/{number}")) for number in range(STRANGERS)]
    AirdropRun(session, services.settings, Listed([*known, *strangers])).run()


def _nobodys(seed: str) -> str:
    """A valid address to which nobody has the key. Each scenario has its own: what the blocks pay there is its own."""
    return str(base58.encode_check(b"\x6f" + hashlib.sha256(seed.encode()).digest()[:20]))


def _killed_with_strangers(point: str) -> Disaster:
    def disaster(market: Market, _: random.Random) -> int:
        _due(market)
        die(market, point, Situation(_due, work_with_strangers))
        return 1

    return disaster


def _killed_at_all(market: Market, _: random.Random) -> int:
    _due(market)
    for point in AIRDROP_POINTS:
        if point.startswith("airdrop.finish:before"):
            market.work()
            market.chain.mine(2)
        die(market, point, Situation(_due))
    return len(AIRDROP_POINTS)


def _random_kills(market: Market, chance: random.Random) -> int:
    _due(market)
    kills = 0
    for _ in range(8):
        worker = nursery().start(market, ANYWHERE, chance.randrange(1, 40))
        kills += worker.wait() != 0
        market.chain.mine(chance.randrange(3))
    return kills


def _two_at_once(market: Market, _: random.Random) -> int:
    _due(market)
    workers = [nursery().start(market, "", action=work_on) for _ in range(2)]
    statuses = [worker.wait(120) for worker in workers]
    assert statuses == [0, 0], [worker.log.read_text()[-3000:] for worker in workers]
    return 1


def _undone(market: Market, _: random.Random) -> int:
    _mined(market)
    market.work()
    market.chain.reorganise(2)
    return 1


def require_each_share_once(market: Market) -> None:
    """One airdrop, with one entry; each node's share in its wallet or in one payout of its own, whole."""
    session = market.session
    session.rollback()
    airdrop = session.scalars(select(Airdrop).execution_options(populate_existing=True)).one()
    assert airdrop.status == "done", airdrop.status
    entries = session.scalars(select(JournalEntry).where(JournalEntry.kind == book.AIRDROP_KIND)).all()
    assert [entry.key for entry in entries] == [book.entry_key(airdrop.id)]
    rows = session.scalars(select(AirdropRecipient).execution_options(populate_existing=True)).all()
    strangers = [row for row in rows if row.wallet_id is None]
    assert len(strangers) in (0, STRANGERS)
    sent_count = ON_CHAIN + len(strangers)
    stand = Counter((row.pay_to, row.status) for row in rows)
    assert stand == {("chain", "paid"): sent_count, ("balance", "credited"): ON_CHAIN}
    payouts = {payout.id: payout for payout in session.scalars(select(Payout))}
    sent = [row for row in rows if row.status == "paid"]
    assert len(payouts) == len({row.payout_id for row in sent}) == sent_count
    assert all(row.payout_id and payouts[row.payout_id].gross == row.amount for row in sent)
    moved = session.scalars(select(Posting.amount).where(Posting.source == accounts.FUND)).all()
    total = sum(row.amount.base_units for row in rows)
    assert total == airdrop.total.base_units == sum(amount.base_units for amount in moved)
    session.rollback()
