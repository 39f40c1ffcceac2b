"""What a fault scenario is, and how its result is counted: from blocks and from the journal, never from statuses.

A scenario gets a fresh `Market` (own database, empty custody wallet) and a random generator of its own seed. It makes
payments and deposits, injects faults, and lets the service come to rest (`come_to_rest`) before it counts (`outcome`).
"""

from __future__ import annotations

import random
import shlex
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import select, update

from tests.support.chain import Chain
from tests.support.instances import Sections
from tests.support.market import Market
from webapp.domain import accounts
from webapp.domain.clock import utcnow
from webapp.domain.money import Amount
from webapp.models import Airdrop, ChainTransaction, Deposit, DepositAddress, JournalEntry, Payout, Posting

ROUNDS_TO_REST = 12
_ON_THEIR_WAY = ("queued", "claimed", "signed", "broadcast", "unknown")
_UNSETTLED = ("signed", "broadcast", "unknown")

Counts = tuple[int, int, int, int]


@dataclass(frozen=True)
class Outcome:
    """`expected`: payouts whose money was not given back. `made`: paid on the chain and settled in the journal, once.

    The same for deposits: outputs in the chain that pay an address of ours, and those that the journal has once.
    """

    faults: int
    expected: int
    made: int
    lost: int
    doubled: int
    deposits_expected: int = 0
    deposits_credited: int = 0
    deposits_lost: int = 0
    deposits_doubled: int = 0

    @property
    def is_clean(self) -> bool:
        """Nothing lost, nothing twice."""
        return not (self.lost or self.doubled or self.deposits_lost or self.deposits_doubled)


@dataclass(frozen=True)
class Scenario:
    """`name` is unique within the family; `settings` are config sections beyond those of tests."""

    family: str
    name: str
    run: Callable[[Market, random.Random], Outcome]
    settings: Sections = field(default_factory=dict)


def chance_of(seed: int, database: str, scenario: Scenario) -> random.Random:
    """The generator of a scenario: the same one for the same seed, whichever other scenarios run."""
    return random.Random(f"{seed}/{database}/{scenario.family}/{scenario.name}")


def how_to_repeat(seed: int, database: str, scenario: Scenario) -> str:
    """The command that runs this scenario alone, in the same way."""
    return (
        f"python -m tests.faults --seed {seed} --database {database} --family {scenario.family} "
        f"--only {shlex.quote(scenario.name)}"
    )


def outcome(market: Market, faults: int) -> Outcome:
    """Count everything as it stands now."""
    market.session.rollback()
    counted = Outcome(faults, *count_payments(market), *count_deposits(market))
    market.session.rollback()
    return counted


def come_to_rest(
    market: Market, rounds: int = ROUNDS_TO_REST, work: Callable[[], object] | None = None
) -> None:
    """Work and mine until nothing is on its way any more, and deposits are deep enough; AssertionError if that fails.

    `work` is a round of the worker that goes on, or else of a new one. Waiting times of payouts that were put back are
    not waited for.
    """
    work = work or market.work
    for _ in range(rounds):
        market.session.rollback()
        market.session.execute(
            update(Payout).where(Payout.status == "queued").values(next_attempt_at=utcnow())
        )
        market.session.commit()
        work()
        market.chain.mine(2)
        work()
        waiting = _on_their_way(market)
        if not waiting:
            return
    raise AssertionError(f"after {rounds} rounds: {waiting}")


def count_payments(market: Market) -> Counts:
    """(expected, made, lost, doubled), payee by payee: what the blocks pay against what the journal has settled."""
    session = market.session
    payouts = list(session.scalars(select(Payout).execution_options(populate_existing=True)))
    returned = set(session.scalars(select(JournalEntry.key).where(JournalEntry.key.like("payout:%:return"))))
    settled = _settled(market)
    received = _received(market.chain)
    scripts = _scripts(market.chain, {payout.address for payout in payouts})
    groups: defaultdict[str, list[Payout]] = defaultdict(list)
    for payout in payouts:
        groups[scripts[payout.address]].append(payout)
    totals = [0, 0, 0, 0]
    for script, group in groups.items():
        due = [payout for payout in group if f"payout:{payout.id}:return" not in returned]
        nets = [settled.get(str(payout.id)) for payout in due]
        _check_nets(market, due, nets)
        counted = _compare(nets, sum(received.get(script, {}).values()))
        totals = [total + part for total, part in zip(totals, counted, strict=True)]
    expected, made, lost, doubled = totals
    return expected, made, lost, doubled


def count_deposits(market: Market) -> Counts:
    """(expected, credited, lost, doubled), output by output: what the blocks pay us against the journal."""
    session = market.session
    given = session.scalars(select(DepositAddress.address).where(DepositAddress.purpose != "stock"))
    scripts = set(_scripts(market.chain, set(given)).values())
    received = _received(market.chain)
    due = {outpoint: amount for script in scripts for outpoint, amount in received.get(script, {}).items()}
    credited: defaultdict[tuple[str, int], int] = defaultdict(int)
    for key, amount in _sums("deposit:%", market, source=accounts.CHAIN).items():
        credited[_outpoint(key)] += amount
    for key, amount in _sums("deposit:%", market, destination=accounts.CHAIN).items():
        credited[_outpoint(key)] -= amount
    made = sum(credited[point] == amount for point, amount in due.items())
    lost = sum(credited[point] < amount for point, amount in due.items())
    doubled = sum(amount > due.get(point, 0) for point, amount in credited.items())
    return len(due), made, lost, doubled


def _on_their_way(market: Market) -> list[str]:
    """What is not at its end yet, in words."""
    session = market.session
    session.rollback()
    payouts = session.execute(
        select(Payout.id, Payout.status, Payout.reason).where(Payout.status.in_(_ON_THEIR_WAY))
    )
    transactions = session.execute(
        select(
            ChainTransaction.kind, ChainTransaction.txid, ChainTransaction.status, ChainTransaction.reason
        ).where(ChainTransaction.status.in_(_UNSETTLED))
    )
    deposits = session.execute(
        select(Deposit.txid, Deposit.status, Deposit.confirmations).where(
            Deposit.status != "credited", Deposit.confirmations > 0
        )
    )
    airdrops = session.execute(
        select(Airdrop.number, Airdrop.status).where(Airdrop.status.in_(("snapshot", "paying")))
    )
    found = [" ".join(map(str, row)) for rows in (payouts, transactions, deposits, airdrops) for row in rows]
    session.rollback()
    return found + [f"mempool: {txid}" for txid in market.chain.custody.rpc("getrawmempool")]


def _compare(nets: list[int | None], received: int) -> Counts:
    """One payee: `nets` are base units by payout, None for one that the journal has not settled."""
    known = sorted((net for net in nets if net is not None), reverse=True)
    beyond = received - sum(known)
    missing = 0
    while missing < len(known) and -beyond > sum(known[:missing]):
        missing += 1
    # What came for a payout that is not settled is no second payment; whatever else came beyond the settled ones is.
    doubled = -(-beyond // max(known, default=beyond)) if beyond > 0 and len(known) == len(nets) else 0
    made = len(known) - missing
    return len(nets), made, len(nets) - made, doubled


def _check_nets(market: Market, payouts: list[Payout], nets: list[int | None]) -> None:
    """The journal itself must be believable: nobody bears more than the highest fee, nobody gets more than asked."""
    highest = market.services.settings.wallet.max_fee_per_payout.base_units
    for payout, net in zip(payouts, nets, strict=True):
        gross = payout.gross.base_units
        assert net is None or gross - highest <= net <= gross, f"{payout.id}: {net} of {gross}"


def _sums(pattern: str, market: Market, **ends: str) -> dict[str, int]:
    """Base units by journal key, of the postings with these ends."""
    conditions = [getattr(Posting, end) == account for end, account in ends.items()]
    rows = market.session.execute(
        select(JournalEntry.key, Posting.amount)
        .join(Posting, Posting.journal_entry_id == JournalEntry.id)
        .where(JournalEntry.key.like(pattern), *conditions)
    )
    sums: defaultdict[str, int] = defaultdict(int)
    for key, amount in rows:
        sums[key] += amount.base_units
    return dict(sums)


def _settled(market: Market) -> dict[str, int]:
    """Base units that the journal says were paid, by payout; what the chain undid is not, until it is paid again."""
    ends = (accounts.PAYOUTS_IN_FLIGHT, accounts.CHAIN)
    found: defaultdict[str, int] = defaultdict(int)
    for key, amount in _sums("payout:%:settle%", market, source=ends[0], destination=ends[1]).items():
        found[key.split(":")[1]] += amount
    for key, amount in _sums("payout:%:undo:%", market, source=ends[1], destination=ends[0]).items():
        found[key.split(":")[1]] -= amount
    return {payout: amount for payout, amount in found.items() if amount}


def _outpoint(key: str) -> tuple[str, int]:
    """Of `deposit:<txid>:<vout>:<event>:<round>`."""
    _, txid, vout, *_ = key.split(":")
    return txid, int(vout)


def _scripts(chain: Chain, addresses: Iterable[str]) -> dict[str, str]:
    """The output script of each address, in hex: an address may have two spellings, a script has one.

    An address that is none stands for itself: no block will ever pay it.
    """
    return {each: chain.miner.rpc("validateaddress", each).get("scriptPubKey", each) for each in addresses}


Outputs = Mapping[str, Mapping[tuple[str, int], int]]

_blocks: dict[str, tuple[str | None, list[tuple[str, tuple[str, int], int]]]] = {}


def _received(chain: Chain) -> Outputs:
    """Every output of the best chain: script -> outpoint -> base units. Blocks that were read once are remembered."""
    found: defaultdict[str, dict[tuple[str, int], int]] = defaultdict(dict)
    block_hash: str | None = chain.miner.rpc("getbestblockhash")
    while block_hash is not None:
        if block_hash not in _blocks:
            _blocks[block_hash] = _read_block(chain, block_hash)
        block_hash, outputs = _blocks[block_hash]
        for script, outpoint, amount in outputs:
            found[script][outpoint] = amount
    return found


def _read_block(chain: Chain, block_hash: str) -> tuple[str | None, list[tuple[str, tuple[str, int], int]]]:
    block = chain.miner.rpc("getblock", block_hash, 2)
    outputs = [
        (output["scriptPubKey"]["hex"], (tx["txid"], output["n"]), Amount.parse(output["value"]).base_units)
        for tx in block["tx"]
        for output in tx["vout"]
        if output["value"]
    ]
    return block.get("previousblockhash"), outputs
