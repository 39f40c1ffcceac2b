"""Calls to the daemon whose outcome nobody knows: every call that settlement makes, in every sort of trouble.

Nobody is ever paid more than once, and when the trouble is over everything comes to its end by itself:
`TroubledMarket.rest` says what that means. The trouble strikes

* single calls: one scenario for each sort of trouble, and several methods at a time, until each was struck;
* all calls of a method for as long as a journey takes: one scenario for each method that changes something;
* at random, many sorts at once: storms.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from tests.faults.journeys import CANCELLED_PAYMENT, JOURNEYS, ORDINARY_DAYS, UNDONE_BLOCK, Journey
from tests.faults.scenario import Outcome, Scenario, outcome
from tests.faults.troubled import SETTINGS, Blow, TroubledMarket, troubled
from tests.support.fault_proxy import Trouble
from tests.support.market import Market

Run = Callable[[Market, random.Random], Outcome]

# What the journeys were seen to call; `test_unknown_outcomes` holds this list to what they call today.
CHANGES = (
    "fundrawtransaction",
    "getnewaddress",
    "getrawchangeaddress",
    "lockunspent",
    "sendrawtransaction",
    "walletlock",
    "walletpassphrase",
)
READS = (
    "createrawtransaction",
    "decoderawtransaction",
    "estimatesmartfee",
    "getaddressinfo",
    "getbalance",
    "getblockchaininfo",
    "getblockheader",
    "getnetworkinfo",
    "gettransaction",
    "getwalletinfo",
    "listlockunspent",
    "listsinceblock",
    "listunspent",
    "listwallets",
    "signrawtransaction",
    "signrawtransactionwithwallet",
)
JOURNEY_OF: dict[str, Journey] = {
    **dict.fromkeys((*CHANGES, *READS), ORDINARY_DAYS),
    "getmempoolentry": UNDONE_BLOCK,
    "gettxout": CANCELLED_PAYMENT,
}
WORST = (Trouble.REQUEST_LATE, Trouble.ANSWER_LOST, Trouble.DONE_TWICE, Trouble.CUT)
AT_ONCE = 6
STORMS = 3


def scenarios(quick: bool) -> list[Scenario]:
    """All of them; of a quick run the worst sorts of trouble for single calls, and one storm."""
    troubles = WORST if quick else tuple(Trouble)
    lasting = [] if quick else [(f"{method} for long", _for_long(method)) for method in CHANGES]
    runs = [
        *((f"{trouble.name} at single calls", _at_single_calls(trouble)) for trouble in troubles),
        *lasting,
        *((f"storm {number}", _storm) for number in range(1, 2 if quick else STORMS + 1)),
    ]
    return [Scenario("rpc", name, run, SETTINGS) for name, run in runs]


def _at_single_calls(trouble: Trouble) -> Run:
    def run(market: Market, chance: random.Random) -> Outcome:
        with troubled(market) as made:
            for journey in JOURNEYS:
                _strike_each(made, journey, trouble, chance)
            return outcome(market, len(made.proxy.struck))

    return run


def _strike_each(market: TroubledMarket, journey: Journey, trouble: Trouble, chance: random.Random) -> None:
    """Go through the journey until each of its methods was struck: trouble with one may keep others from their turn."""
    calls = Counter(market.live(journey))
    pending = [method for method, needs in JOURNEY_OF.items() if needs is journey]
    skips = {method: chance.randrange(calls[method]) for method in pending}
    chance.shuffle(pending)
    while pending:
        blows = [
            Blow(method, trouble, chance.randint(1, 3), skips.pop(method, 0)) for method in pending[:AT_ONCE]
        ]
        before = len(market.proxy.struck)
        market.suffer(journey, *blows, is_certain=False)
        fallen = {method for method, _ in market.proxy.struck[before:]}
        assert fallen or any(blow.skip for blow in blows), f"{trouble.name} never came: {pending}"
        pending = [method for method in pending if method not in fallen]


def _for_long(method: str) -> Run:
    def run(market: Market, chance: random.Random) -> Outcome:
        with troubled(market) as made:
            for trouble in chance.sample(list(Trouble), len(Trouble)):
                made.suffer(JOURNEY_OF[method], Blow(method, trouble, times=None))
            return outcome(market, len(made.proxy.struck))

    return run


def _storm(market: Market, chance: random.Random) -> Outcome:
    with troubled(market) as made:
        for journey in JOURNEYS * 2:
            blows = [
                Blow(method, chance.choice(list(Trouble)), chance.randint(1, 3), chance.randrange(4))
                for method in chance.sample(list(JOURNEY_OF), 8)
            ]
            made.suffer(journey, *blows, is_certain=False)
        return outcome(market, len(made.proxy.struck))
