"""Calls to the daemon that are lost, late, cut, repeated or refused on the way: one payment in the end, by itself.

The proxy between worker and daemon really does these things. All calls in all sorts of trouble: `make faults`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.journeys import CANCELLED_PAYMENT, JOURNEYS, ORDINARY_DAYS, Journey
from tests.faults.rpc_faults import JOURNEY_OF
from tests.faults.scenario import outcome
from tests.faults.troubled import SETTINGS, Blow, troubled
from tests.support.chain import Chain
from tests.support.fault_proxy import FaultProxy, Trouble
from tests.support.market import Market
from webapp.domain.exceptions import (
    DuxosError,
    RpcAuthenticationError,
    RpcOverloadedError,
    RpcRefusedError,
    RpcUnavailableError,
    RpcUnknownOutcomeError,
    RpcWarmingUpError,
)
from webapp.services.daemon.rpc_connection import RpcEndpoint
from webapp.services.wallet_rpc import WalletRpc

WORST_DAYS: list[tuple[Journey, list[Blow]]] = [
    (
        ORDINARY_DAYS,
        [
            Blow("fundrawtransaction", Trouble.ANSWER_LOST),
            Blow("walletpassphrase", Trouble.ANSWER_LOST, skip=1),
            Blow("sendrawtransaction", Trouble.CUT),
        ],
    ),
    (
        ORDINARY_DAYS,
        [
            Blow("fundrawtransaction", Trouble.DONE_TWICE),
            Blow("sendrawtransaction", Trouble.DONE_TWICE),
            Blow("lockunspent", Trouble.DONE_TWICE),
            Blow("getrawchangeaddress", Trouble.DONE_TWICE),
            Blow("getnewaddress", Trouble.GARBAGE),
        ],
    ),
    (ORDINARY_DAYS, [Blow("fundrawtransaction", Trouble.REQUEST_LATE)]),
    (ORDINARY_DAYS, [Blow("sendrawtransaction", Trouble.ANSWER_LOST, times=None)]),
    (ORDINARY_DAYS, [Blow("sendrawtransaction", Trouble.UNAUTHORISED, times=None)]),
    (
        ORDINARY_DAYS,
        [
            Blow(
                "signrawtransactionwithwallet", Trouble.FAILS_IN_JSON
            ),  # in the batch that asks for the dialect
            Blow("decoderawtransaction", Trouble.ANSWER_OF_ANOTHER, times=2),
            Blow("listsinceblock", Trouble.ANSWER_OF_ANOTHER),
            Blow("lockunspent", Trouble.ANSWER_LOST),
            Blow("walletlock", Trouble.ANSWER_LOST),
        ],
    ),
    (
        ORDINARY_DAYS,
        [
            Blow("getblockchaininfo", Trouble.ANSWERED_TWICE, times=None),
            Blow("gettransaction", Trouble.ANSWERED_TWICE, times=None),
            Blow("walletpassphrase", Trouble.FAILS_IN_JSON_WHEN_DONE),
            Blow("sendrawtransaction", Trouble.FAILS_IN_JSON_WHEN_DONE),
        ],
    ),
    (CANCELLED_PAYMENT, [Blow("sendrawtransaction", Trouble.ANSWER_LOST)]),
]


@pytest.mark.parametrize("databases", ["postgresql"], indirect=True)
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.settings(**SETTINGS)
def test_a_payment_survives_the_worst_days_of_its_calls_and_is_made_once(market: Market) -> None:
    with troubled(market) as made:
        for journey, blows in WORST_DAYS:
            made.suffer(journey, *blows)
        found = outcome(market, len(made.proxy.struck))
    assert found.is_clean
    assert (found.expected, found.made) == (len(WORST_DAYS), len(WORST_DAYS))
    assert found.deposits_credited == found.deposits_expected > len(WORST_DAYS)


@pytest.mark.parametrize(
    "databases", ["sqlite"], indirect=True
)  # which calls are made is no matter of the database
@pytest.mark.settings(**SETTINGS)
def test_every_call_that_settlement_makes_is_among_those_that_are_put_in_trouble(market: Market) -> None:
    with troubled(market) as made:
        called = {journey: set(made.live(journey)) for journey in JOURNEYS}
        made.round(but={"solvency"})  # Proofs of solvency are published, and move no coin.
        assert set(made.proxy.seen) == set(JOURNEY_OF)
    for method, journey in JOURNEY_OF.items():
        assert method in called[journey], f"{method} is no part of {journey.name}"


DONE_OR_NOT: dict[Trouble, tuple[type[DuxosError] | None, int]] = {
    Trouble.REQUEST_LOST: (RpcUnknownOutcomeError, 0),
    Trouble.ANSWER_LOST: (RpcUnknownOutcomeError, 1),
    Trouble.REQUEST_LATE: (RpcUnknownOutcomeError, 1),
    Trouble.ANSWER_LATE: (RpcUnknownOutcomeError, 1),
    Trouble.ANSWERED_TWICE: (None, 1),
    Trouble.DONE_TWICE: (None, 2),
    Trouble.ANSWER_OF_ANOTHER: (RpcUnknownOutcomeError, 1),
    Trouble.FAILS_IN_HTML: (RpcUnknownOutcomeError, 0),
    Trouble.FAILS_IN_HTML_WHEN_DONE: (RpcUnknownOutcomeError, 1),
    Trouble.FAILS_IN_JSON: (RpcUnknownOutcomeError, 0),
    Trouble.FAILS_IN_JSON_WHEN_DONE: (RpcUnknownOutcomeError, 1),
    Trouble.TOO_BUSY: (RpcOverloadedError, 0),
    Trouble.QUEUE_FULL: (RpcOverloadedError, 0),
    Trouble.UNAUTHORISED: (RpcAuthenticationError, 0),
    Trouble.WARMING_UP: (RpcWarmingUpError, 0),
    Trouble.CUT: (RpcUnknownOutcomeError, 1),
    Trouble.GARBAGE: (RpcUnknownOutcomeError, 1),
}


@pytest.fixture
def proxy(chain: Chain) -> Iterator[FaultProxy]:
    with FaultProxy(chain.custody.rpc_port, late_seconds=1.0) as proxy:
        yield proxy


@pytest.fixture
def rpc(chain: Chain, proxy: FaultProxy) -> Iterator[WalletRpc]:
    user, password = chain.custody.rpc_user, chain.custody.rpc_password
    rpc = WalletRpc(RpcEndpoint(port=proxy.port, user=user, password=password, timeout=0.5, retry_attempts=2))
    yield rpc
    rpc.close()


def test_a_change_ends_as_unknown_whenever_the_daemon_may_have_done_it(
    chain: Chain, proxy: FaultProxy, rpc: WalletRpc
) -> None:
    assert DONE_OR_NOT.keys() == set(Trouble)
    for trouble, (expected, times_done) in DONE_OR_NOT.items():
        rpc._circuit.answered()  # what was late has opened it
        proxy.strike("getnewaddress", trouble)
        if expected is None:
            assert rpc.change("getnewaddress", trouble.name, "legacy")
        else:
            with pytest.raises(expected) as caught:
                rpc.change("getnewaddress", trouble.name, "legacy")
            assert type(caught.value) is expected, trouble
        proxy.wait_until_quiet()
        labels = [row["label"] for row in chain.custody.rpc("listreceivedbyaddress", 0, True)]
        assert labels.count(trouble.name) == times_done, trouble
    assert proxy.struck == [("getnewaddress", trouble) for trouble in DONE_OR_NOT]


def test_a_read_is_answered_with_its_own_answer_or_not_at_all(
    chain: Chain, proxy: FaultProxy, rpc: WalletRpc
) -> None:
    hashes = [chain.custody.rpc("getblockhash", height) for height in range(40)]
    for trouble in (Trouble.ANSWERED_TWICE, Trouble.ANSWER_OF_ANOTHER):
        proxy.strike("getblockhash", trouble, times=20, skip=1)
        for height, expected in enumerate(hashes):
            try:
                assert rpc.read("getblockhash", height) == expected
            except RpcUnavailableError:
                assert trouble is Trouble.ANSWER_OF_ANOTHER
        proxy.heal()
    before = rpc.generation
    proxy.strike("getblockhash", Trouble.ANSWER_OF_ANOTHER)
    assert rpc.read("getblockhash", 7) == hashes[7]
    assert rpc.generation > before, "idle connections may be mixed up as well"


def test_trouble_for_one_call_of_a_batch_is_no_answer_to_it_and_none_to_the_others(
    proxy: FaultProxy, rpc: WalletRpc
) -> None:
    calls = [("getblockhash", [0]), ("gettransaction", ["00" * 32]), ("getblockcount", [])]
    genesis, unknown, height = rpc.batch_read(calls)
    assert isinstance(unknown, RpcRefusedError) and unknown.code == -5
    for trouble in set(Trouble) - {Trouble.UNAUTHORISED, Trouble.REQUEST_LATE, Trouble.ANSWER_LATE}:
        proxy.strike("gettransaction", trouble)
        again = rpc.batch_read(calls)
        assert [again[0], again[2]] == [genesis, height]
        assert isinstance(again[1], RpcRefusedError) and again[1].code == -5, trouble
    for trouble, expected in (
        (Trouble.WARMING_UP, RpcWarmingUpError),
        (Trouble.FAILS_IN_JSON, RpcUnavailableError),
        (Trouble.UNAUTHORISED, RpcAuthenticationError),
        (Trouble.ANSWER_OF_ANOTHER, RpcUnavailableError),
    ):
        proxy.strike("gettransaction", trouble, times=None)
        with pytest.raises(expected):
            rpc.batch_read(calls)
        proxy.heal()
