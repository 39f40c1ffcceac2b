"""Reorganisations of every depth from 1 to 30, in every situation that deposits and payouts can be in.

Each story puts its deposits and payouts at random places among the blocks that will be undone, undoes them in one of
two ways (an operator's, or another miner's longer chain), and mines what the story asks for into the new ones. The
worker is there or not, as chance has it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from itertools import pairwise

from sqlalchemy import select

from tests.faults.scenario import Outcome, Scenario, come_to_rest, outcome
from tests.support.malleation import malleated
from tests.support.market import Market
from tests.support.rpc import RpcRefusedError
from webapp.domain import accounts
from webapp.domain.money import Amount
from webapp.ledger import pooled
from webapp.models import ChainTransaction, JournalEntry, Wallet
from webapp.services.unit_of_work import unit_of_work

FAMILY = "reorganisations"
DEPTHS = range(1, 31)
QUICK_DEPTHS = (2, 12)
CONFIRMATIONS = 3
SETTINGS = {"wallet": {"confirmations_required": CONFIRMATIONS, "payout_confirmations": CONFIRMATIONS}}
Story = Callable[[Market, random.Random, int], None]


def deposit_moves(market: Market, chance: random.Random, depth: int) -> None:
    """It is in another block of the new ones: what was credited stays credited."""
    txid, is_undone = _deposit(market, chance, depth)
    before = _entries(market, txid)
    again = [market.chain.hex_of(txid)] if is_undone else []
    _reorganise(market, chance, depth, again, latest=depth)
    market.work()
    assert _entries(market, txid)[: len(before)] == before
    assert len(_entries(market, txid)) <= 1


def deposit_vanishes(market: Market, chance: random.Random, depth: int) -> None:
    """It is left out, or its sender has the coins back; then it comes again, or it does not."""
    txid, is_undone = _deposit(market, chance, depth)
    before, balance = _entries(market, txid), market.balances(market.payer)
    original, theft = market.chain.hex_of(txid), market.chain.double_spend(txid)
    is_stolen = is_undone and chance.random() < 0.5
    _reorganise(market, chance, depth, [theft] if is_stolen else [])
    for _ in range(3):
        market.move_coins()
    if not is_undone:
        assert (_entries(market, txid), market.balances(market.payer)) == (before, balance)
        return
    assert _entries(market, txid) == ([*before, "reverse:1"] if before else [])
    assert market.balances(market.payer) == ("0.00000000", "0.00000000")
    if not is_stolen:
        _send_again(market, original)
    elif chance.random() < 0.5:
        _reorganise(market, chance, depth + 2, [original], latest=depth)


def deposit_stolen_after_it_was_spent(market: Market, chance: random.Random, depth: int) -> None:
    """Credited, spent here, and double-spent by its sender: the wallet is frozen, and what was spent is the loss."""
    market.deposit(market.provider, "400", confirmations=CONFIRMATIONS)
    market.chain.mine(depth)
    txid = market.chain.send(market.address_of(market.payer), "100")
    theft = market.chain.double_spend(txid)
    market.chain.mine(CONFIRMATIONS)
    market.work()
    spent = str(chance.randrange(1, 100))
    market.withdraw(market.payer, market.chain.new_outside_address(), spent)
    _work(market, chance)
    market.chain.mine(max(depth - CONFIRMATIONS, 0))
    _work(market, chance)
    _reorganise(market, chance, max(depth, CONFIRMATIONS), [theft])
    market.work()
    assert _is_frozen(market)
    assert _losses(market) == -Amount.parse(spent).base_units
    assert market.alerts().count("deposit_lost") == 1
    assert market.balances(market.payer) == ("0.00000000", "0.00000000")
    assert market.balances(market.provider) == ("400.00000000", "0.00000000")
    _take_back_what_may_not_leave(market)


def deposit_under_another_id(market: Market, chance: random.Random, depth: int) -> None:
    """A twin of it is in the new blocks: the same money once, whatever was spent of it before."""
    address = market.address_of(market.payer)
    txid = market.chain.send(address, "50")
    twin = market.chain.double_spend(txid, pays={address: "50"})
    market.chain.mine(depth)
    market.work()
    spent = str(chance.randrange(1, 50)) if depth >= CONFIRMATIONS else "0"
    if depth >= CONFIRMATIONS:
        market.withdraw(market.payer, market.chain.new_outside_address(), spent)
        _work(market, chance)
    _reorganise(market, chance, depth, [twin])
    market.work()
    market.chain.mine(CONFIRMATIONS)
    market.work()
    left = Amount.parse("50") - Amount.parse(spent, allow_zero=True)
    assert market.balances(market.payer) == (str(left), "0.00000000")
    assert (_losses(market), _is_frozen(market)) == (0, depth >= CONFIRMATIONS)
    _lift_freeze(market)


def payout_falls_back(market: Market, chance: random.Random, depth: int) -> None:
    """It is in no new block: what was final is in flight again, and the same bytes confirm later."""
    txid, was_final = _payout(market, chance, depth)
    _reorganise(market, chance, depth, [])
    market.work()
    (payout,) = market.payouts()
    assert payout.status == "broadcast", payout.reason
    assert ("transaction_undone" in market.alerts()) == was_final
    market.chain.sync()
    come_to_rest(market)
    assert _txids(market) == [txid]


def payout_moves(market: Market, chance: random.Random, depth: int) -> None:
    """It is in another block: still the same payout, and still final if it was."""
    txid, was_final = _payout(market, chance, depth)
    _reorganise(market, chance, depth, [market.chain.hex_of(txid)], latest=depth)
    market.work()
    assert market.alerts() == []
    assert market.payouts()[0].status == "confirmed" or not was_final
    come_to_rest(market)
    assert _txids(market) == [txid]


def payout_under_another_id(market: Market, chance: random.Random, depth: int) -> None:
    """A twin is in the new blocks, and what was built on the first one's change falls with it."""
    txid, _ = _payout(market, chance, depth)
    twin = malleated(market.chain.hex_of(txid))
    for _ in range(chance.randint(0, 2)):
        market.withdraw(market.provider, market.chain.new_outside_address(), "5")
        _work(market, chance)
    _reorganise(market, chance, depth, [twin])
    for _ in range(2):
        _work(market, chance)
        market.chain.mine(1)
    come_to_rest(market)
    assert _txids(market)[0] == market.chain.miner.rpc("decoderawtransaction", twin)["txid"]


def everything_at_once(market: Market, chance: random.Random, depth: int) -> None:
    """Deposits and payouts in all of the blocks; the new ones have the deposits in another order, or not at all."""
    market.deposit(market.provider, "300", confirmations=CONFIRMATIONS)
    market.chain.mine(depth)
    sent: list[str] = []
    coins = market.chain.miner.rpc("listunspent", 2 * depth + 10)
    for blocks in _parts(depth, chance):
        for coin in chance.sample(coins, 3):
            coins.remove(coin)
            person = chance.choice([market.payer, market.provider])
            outputs = {market.address_of(person): f"{coin['amount'] / chance.randint(2, 5):.8f}"}
            sent.append(_pay(market, coin, outputs))
        market.withdraw(market.provider, market.chain.new_outside_address(), "3")
        _work(market, chance)
        market.chain.mine(blocks)
    market.work()
    kept = [each for each in sent if chance.random() < 0.7]
    chance.shuffle(kept)
    _reorganise(market, chance, depth, kept, latest=depth)
    for each in sent:
        _send_again(market, each)
    for _ in range(3):
        _work(market, chance)
        market.chain.mine(1)


def block_reward(market: Market, chance: random.Random, depth: int) -> None:
    """Mined to a deposit address: it counts when it is ripe, if its block is still there."""
    address = market.address_of(market.payer)
    market.chain.send(
        market.chain.new_outside_address(), "1"
    )  # its fee, when there is no other reward any more
    market.chain.miner.rpc("generatetoaddress", 1, address)
    market.chain.mine(chance.randint(1, 20))
    _work(market, chance)
    _reorganise(market, chance, depth, [])
    market.work()
    assert (market.report().gaps, market.halts()) == ([], [])
    market.chain.mine(100)
    market.work()


STORIES: tuple[Story, ...] = (
    deposit_moves,
    deposit_vanishes,
    deposit_stolen_after_it_was_spent,
    deposit_under_another_id,
    payout_falls_back,
    payout_moves,
    payout_under_another_id,
    everything_at_once,
    block_reward,
)


def scenarios(quick: bool) -> list[Scenario]:
    """Every story at every depth; with `quick` at two."""
    return [
        Scenario(FAMILY, f"{story.__name__} {depth}", partial(_tell, story, depth), SETTINGS)
        for story in STORIES
        for depth in (QUICK_DEPTHS if quick else DEPTHS)
    ]


def _tell(story: Story, depth: int, market: Market, chance: random.Random) -> Outcome:
    story(market, chance, depth)
    come_to_rest(market)
    assert (market.report().gaps, market.halts()) == ([], [])
    return outcome(market, 1)


def _work(market: Market, chance: random.Random) -> None:
    """A worker is there, or it is not."""
    if chance.random() < 0.6:
        market.move_coins()


def _parts(number: int, chance: random.Random) -> list[int]:
    """The number in up to four parts, so that something may happen in between."""
    cuts = sorted(chance.randint(0, number) for _ in range(3))
    return [end - start for start, end in pairwise([0, *cuts, number]) if end > start]


def _reorganise(
    market: Market, chance: random.Random, depth: int, transactions: list[str], latest: int = 0
) -> None:
    """Undo `depth` blocks; the transactions are in one of the new ones, with up to `latest` ahead of it.

    Wallets make transactions that are valid in the next block at the earliest.
    """
    miner = market.chain.miner
    locks = [miner.rpc("decoderawtransaction", each)["locktime"] for each in transactions]
    earliest = max(0, max(locks, default=0) - (miner.rpc("getblockcount") - depth))
    ahead: list[list[str]] = [[] for _ in range(chance.randint(earliest, max(earliest, latest)))]
    market.chain.reorganise(depth, [*ahead, transactions], is_by_hand=chance.random() < 0.5)


def _deposit(market: Market, chance: random.Random, depth: int) -> tuple[str, bool]:
    """A deposit with about as many confirmations as blocks will be undone; whether it is in one of these."""
    confirmations = max(1, depth + chance.choice([-2, -1, 0, 0, 1]))
    txid = market.chain.send(market.address_of(market.payer), "25")
    for blocks in _parts(confirmations, chance):
        market.chain.mine(blocks)
        _work(market, chance)
    market.move_coins()
    return txid, confirmations <= depth


def _payout(market: Market, chance: random.Random, depth: int) -> tuple[str, bool]:
    """A payout in one of the blocks that will be undone; its txid, and whether it is final."""
    for person in (market.payer, market.provider):
        market.chain.deposit(market.address_of(person), "100", CONFIRMATIONS)
    market.chain.mine(depth)
    market.move_coins()
    market.withdraw(market.payer, market.chain.new_outside_address(), str(chance.randrange(1, 90)))
    market.move_coins()
    market.chain.sync()
    market.chain.mine(chance.randint(1, depth))
    market.move_coins()
    (transaction,) = _transactions(market)
    return transaction.txid, transaction.status == "confirmed"


def _pay(market: Market, coin: dict[str, object], outputs: dict[str, str]) -> str:
    """A deposit (hex) that builds on no other one, as those of many senders do."""
    miner = market.chain.miner
    points = [{"txid": coin["txid"], "vout": coin["vout"]}]
    raw = miner.rpc("createrawtransaction", points, outputs)
    options = {"add_inputs": False, "changeAddress": market.chain.new_outside_address()}
    funded = miner.rpc("fundrawtransaction", raw, options)["hex"]
    signed: str = miner.rpc("signrawtransactionwithwallet", funded)["hex"]
    miner.rpc("sendrawtransaction", signed)
    return signed


def _send_again(market: Market, transaction_hex: str) -> None:
    """Its sender's wallet does so by and by; refused when the network has it."""
    try:
        market.chain.miner.rpc("sendrawtransaction", transaction_hex)
    except RpcRefusedError as refused:
        assert "already" in refused.message, refused
    market.chain.sync()


def _take_back_what_may_not_leave(market: Market) -> None:
    """A payout whose transaction died with the stolen coin is queued again, and nothing leaves a frozen wallet."""
    for _ in range(3):
        market.chain.mine(2)
        market.move_coins()
    (payout,) = market.payouts()
    if payout.status == "queued":
        market.services.wallets(market.session).payouts.cancel(payout.id, market.payer.actor.wallet_ids)
        market.work()
        assert (_losses(market), market.balances(market.payer)) == (0, ("0.00000000", "0.00000000"))


def _lift_freeze(market: Market) -> None:
    with unit_of_work(market.session):
        market.session.get_one(Wallet, market.payer.wallet_id, populate_existing=True).is_frozen = False


def _is_frozen(market: Market) -> bool:
    found = market.session.get_one(Wallet, market.payer.wallet_id, populate_existing=True).is_frozen
    market.session.commit()
    return found


def _losses(market: Market) -> int:
    found = pooled.balance(market.session, accounts.LOSSES)
    market.session.commit()
    return found


def _transactions(market: Market) -> list[ChainTransaction]:
    statement = select(ChainTransaction).order_by(ChainTransaction.id)
    rows = list(market.session.scalars(statement.execution_options(populate_existing=True)))
    market.session.commit()
    return rows


def _txids(market: Market) -> list[str]:
    return [row.txid for row in _transactions(market)]


def _entries(market: Market, txid: str) -> list[str]:
    """What the journal says of a deposit: `credit:1`, `reverse:1`, ..."""
    statement = select(JournalEntry.key).where(JournalEntry.key.like(f"deposit:{txid}:%"))
    keys = list(market.session.scalars(statement.order_by(JournalEntry.id)))
    market.session.commit()
    return [key.split(":", 3)[3] for key in keys]
