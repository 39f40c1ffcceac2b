"""Which situation leads to which step, and to which steps else that may be died at in another way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tests.faults import situations
from tests.faults.situations import Situation
from tests.support.instances import Sections
from webapp.domain.failpoints import Step

# What other scenarios paid for their transactions makes the daemon's estimate rise: never above these.
_MERGES: Sections = {"wallet": {"merge_above_coins": 2, "merge_inputs": 3, "fee_rate_per_kb": "0.1"}}
_RAISES: Sections = {"wallet": {"max_fee_rate_per_kb": "0.2"}}
_SWEEPS: Sections = {
    "custody": {"hot_wallet_ceiling": "50", "cold_address": "mfWxJ45yp2SFn7UciZyNpvDKrzbhyfKrY8"}
}
_HAS_KEY: Sections = {"wallet": {"passphrase": situations.PASSPHRASE}}
# The books of these tests know no settled work of nodes that were made a moment ago.
GENEROUS: Sections = {
    "community_fund": {
        "airdrop_threshold": "5",
        "min_airdrop_amount": "0.5",
        "min_settled_escrows": 0,
        "min_settled_amount": 0,
    }
}
_FINDS_ALL_DEAR: Sections = {"wallet": {"max_fee_per_transaction": "0.00000001"}}

SITUATIONS: Mapping[Step, Situation] = {
    Step.PAYOUTS_LOCK: Situation(situations.payouts_wait),
    Step.PAYOUTS_CLAIM: Situation(situations.payouts_wait),
    Step.PAYOUTS_FUND: Situation(situations.payouts_wait),
    Step.PAYOUTS_SIGN: Situation(situations.payouts_wait),
    Step.PAYOUTS_STORE: Situation(situations.payouts_wait),
    Step.PAYOUTS_PUT_BACK: Situation(situations.payouts_abandoned),
    Step.PAYOUTS_GIVE_BACK: Situation(situations.payout_refused),
    Step.WALLET_OPEN: Situation(situations.payouts_wait_for_key, everybodys=_HAS_KEY),
    Step.WALLET_LOCK: Situation(situations.payouts_wait_for_key, everybodys=_HAS_KEY),
    Step.TRANSACTION_SEND: Situation(situations.payouts_wait),
    Step.TRANSACTION_MARK: Situation(situations.payouts_wait),
    Step.TRANSACTION_DEPTH: Situation(situations.payouts_mined),
    Step.TRANSACTION_ADOPT: Situation(situations.twin_mined),
    Step.TRANSACTION_REPLACE: Situation(situations.coins_taken),
    Step.TRANSACTION_SETTLE: Situation(situations.payouts_deep),
    Step.TRANSACTION_CONFIRM: Situation(situations.payouts_deep),
    Step.TRANSACTION_REOPEN: Situation(situations.payouts_undone),
    Step.OWN_BUILD: Situation(situations.small_coins, settings=_MERGES),
    Step.OWN_STORE: Situation(situations.small_coins, settings=_MERGES),
    Step.DEPOSITS_LIST: Situation(situations.deposits_mined),
    Step.DEPOSITS_RECORD: Situation(situations.deposits_mined),
    Step.DEPOSITS_CREDIT: Situation(situations.deposits_mined),
    Step.DEPOSITS_TAKE_BACK: Situation(situations.deposits_undone),
    Step.DEPOSITS_CURSOR: Situation(situations.deposits_mined),
    Step.AIRDROP_STORE: Situation(situations.airdrop_due, everybodys=GENEROUS),
    Step.AIRDROP_POST: Situation(situations.airdrop_due, everybodys=GENEROUS),
    Step.AIRDROP_SHARES: Situation(situations.airdrop_due, everybodys=GENEROUS),
    Step.AIRDROP_FINISH: Situation(situations.airdrop_mined, everybodys=GENEROUS),
}


class Variant(NamedTuple):
    """A situation beside the usual ones, the points to die at, and at which visit of them."""

    name: str
    situation: Situation
    points: tuple[str, ...]
    visit: int = 1


_OWN = (
    "own.build:before", "own.build:after", "own.store:before", "own.store:after", "transaction.send:after",
)  # fmt: skip

VARIANTS = (
    Variant(
        "coins taken in silence",
        Situation(situations.coins_taken_as_change),
        ("transaction.replace:before", "transaction.replace:after"),
    ),
    Variant(
        "too dear",
        Situation(situations.payouts_wait, settings=_FINDS_ALL_DEAR),
        ("payouts.put_back:before", "payouts.put_back:after"),
    ),
    Variant(
        "one of five refused",
        Situation(situations.payouts_with_a_refused_one),
        ("payouts.store:after", "transaction.send:after", "payouts.fund:after"),
        visit=2,
    ),
    Variant(
        "second part of many deposits",
        Situation(situations.many_deposits),
        ("deposits.record:before", "deposits.record:after"),
        visit=2,
    ),
    Variant(
        "last of many deposits",
        Situation(situations.many_deposits),
        ("deposits.credit:after",),
        visit=2,
    ),
    Variant(
        "back in the mempool",
        Situation(situations.payouts_fallen_back),
        ("transaction.depth:before", "transaction.depth:after"),
    ),
    Variant(
        "escrow overpaid",
        Situation(situations.escrow_overpaid),
        ("deposits.credit:before", "deposits.credit:after", "deposits.record:after"),
    ),
    Variant(
        "payment of an escrow undone",
        Situation(situations.escrow_payment_undone),
        ("deposits.take_back:before", "deposits.take_back:after", "deposits.record:after"),
    ),
    Variant(
        "locked wallet",
        Situation(situations.payouts_wait_for_key, everybodys=_HAS_KEY),
        ("payouts.sign:before", "payouts.sign:after", "payouts.store:after"),
    ),
    Variant("sweep", Situation(situations.small_coins, settings=_SWEEPS), _OWN),
    Variant("fee raised", Situation(situations.payout_dawdles, situations.raise_fee, _RAISES), _OWN),
    Variant("cancelled", Situation(situations.payout_unsent, situations.cancel), _OWN),
)
