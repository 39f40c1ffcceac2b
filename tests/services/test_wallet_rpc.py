"""Calls to the daemon: every recorded exchange, the three ends of a change, faults, retries, the circuit."""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from tests.support.daemon import RegtestDaemon
from tests.support.processes import free_port, temporary_folder, wait_until
from tests.support.replay_daemon import Fault, ReplayDaemon, load_exchanges
from webapp.domain.exceptions import (
    DuxosError,
    RpcAuthenticationError,
    RpcMethodNotFoundError,
    RpcOverloadedError,
    RpcRefusedError,
    RpcUnavailableError,
    RpcUnknownOutcomeError,
    RpcWarmingUpError,
    TransactionTooLargeError,
    WalletInsufficientFundsError,
    WalletLockedError,
)
from webapp.domain.money import Amount
from webapp.services.daemon.circuit_breaker import CircuitBreaker
from webapp.services.daemon.rpc_connection import RpcEndpoint
from webapp.services.wallet_rpc import WalletRpc

EXCHANGES = load_exchanges()
WORK_QUEUE_FULL = Fault(status=500, body=b"Work queue depth exceeded")


def connect(daemon: ReplayDaemon, **changes: Any) -> WalletRpc:
    settings = {"port": daemon.port, "user": daemon.user, "password": daemon.password, "timeout": 5.0}
    return WalletRpc(RpcEndpoint(**{**settings, **changes}))


@pytest.fixture
def daemon() -> Iterator[ReplayDaemon]:
    with ReplayDaemon() as daemon:
        yield daemon


@pytest.fixture
def rpc(daemon: ReplayDaemon) -> Iterator[WalletRpc]:
    rpc = connect(daemon)
    yield rpc
    rpc.close()


def name_of(exchange: dict[str, Any]) -> str:
    return f"{exchange['response']['id']}-{exchange['request']['method']}"


def expected_class(code: int, message: str) -> type[RpcRefusedError]:
    if code == -32601:
        return RpcMethodNotFoundError
    return WalletInsufficientFundsError if message == "Insufficient funds" else RpcRefusedError


@pytest.mark.parametrize("how", ["read", "change", "batch_read"])
@pytest.mark.parametrize("exchange", EXCHANGES, ids=name_of)
def test_every_recorded_exchange_ends_as_it_was_recorded(exchange: dict[str, Any], how: str) -> None:
    method = exchange["request"]["method"]
    params = json.loads(json.dumps(exchange["request"]["params"]), parse_float=Decimal)
    response = json.loads(json.dumps(exchange["response"]), parse_float=Decimal)
    with ReplayDaemon([exchange]) as daemon:
        rpc = connect(daemon)
        outcome: Any
        try:
            if how == "batch_read":
                (outcome,) = rpc.batch_read([(method, params)])
            else:
                outcome = getattr(rpc, how)(method, *params)
        except RpcRefusedError as refused:
            outcome = refused
        rpc.close()
        assert len(daemon.received) == 1
    error = response["error"]
    if error is None:
        assert outcome == response["result"]
    else:
        assert type(outcome) is expected_class(error["code"], error["message"])
        assert (outcome.code, outcome.method) == (error["code"], method)
        assert error["message"].strip().partition("\n")[0][:300] in outcome.detail


def test_there_are_112_exchanges_and_most_sorts_of_errors() -> None:
    assert len(EXCHANGES) == 112
    codes = {e["response"]["error"]["code"] for e in EXCHANGES if e["response"]["error"]}
    assert codes == {-1, -3, -4, -5, -6, -8, -22, -26, -27, -32601}


def test_the_whole_transcript_in_order_over_one_connection(daemon: ReplayDaemon, rpc: WalletRpc) -> None:
    for exchange in EXCHANGES:
        params = json.loads(json.dumps(exchange["request"]["params"]), parse_float=Decimal)
        expected = json.loads(json.dumps(exchange["response"]), parse_float=Decimal)
        try:
            assert rpc.read(exchange["request"]["method"], *params) == expected["result"]
        except RpcRefusedError as refused:
            assert refused.code == expected["error"]["code"]
    assert daemon.connections == 1


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (-13, "Error: Please enter the wallet passphrase with walletpassphrase first.", WalletLockedError),
        (-28, "Loading block index...", RpcWarmingUpError),
        (-4, "Insufficient funds", WalletInsufficientFundsError),
        (-6, "Insufficient funds", WalletInsufficientFundsError),
        (-6, "Account has insufficient funds", WalletInsufficientFundsError),
        (
            -4,
            "Error: This transaction requires a transaction fee of at least 1",
            WalletInsufficientFundsError,
        ),
        (-6, "Transaction too large", TransactionTooLargeError),
        (-4, "Transaction too large", TransactionTooLargeError),
        (-4, "Transaction amount too small", RpcRefusedError),
        (-6, "Transaction must have at least one recipient", RpcRefusedError),
        (-14, "Error: The wallet passphrase entered was incorrect.", RpcRefusedError),
        (-12, "Error: Keypool ran out", RpcRefusedError),
        (-18, "No wallet is loaded.", RpcRefusedError),
    ],
)
def test_each_refusal_has_its_own_class(
    daemon: ReplayDaemon, rpc: WalletRpc, code: int, message: str, expected: type[DuxosError]
) -> None:
    daemon.answer("walletpassphrase", result=message, code=code)
    for ask in (rpc.read, rpc.change):
        with pytest.raises(expected) as caught:
            ask("walletpassphrase", "correct horse battery", 60)
        assert type(caught.value) is expected
        assert message.rstrip(".") in caught.value.detail
        assert "correct horse" not in caught.value.detail


def test_a_change_is_never_repeated_and_a_lost_answer_is_unknown(
    daemon: ReplayDaemon, rpc: WalletRpc
) -> None:
    for fault in (
        Fault(hang_up=True),
        Fault(cut_body=True),
        Fault(status=500, body=b"<html>"),
        Fault(status=404, body=b"Not Found"),
        Fault(status=502, body=b"Bad Gateway"),
        Fault(status=200, body=b"", media_type=""),
        Fault(status=200, body=b'{"result": "abc', media_type="application/json"),
        Fault(status=200, body=b'"text"', media_type="application/json"),
        Fault(status=200, body=b"null", media_type="application/json"),
        Fault(status=200, body=b"[]", media_type="application/json"),
        Fault(status=200, body=b"17", media_type="application/json"),
        Fault(status=200, body=b"{}", media_type="application/json"),
        Fault(status=200, body=b'{"error": null}', media_type="application/json"),
        Fault(status=200, body=b'{"error": {"message": "x"}}', media_type="application/json"),
        Fault(status=200, body=b'{"error": "x"}', media_type="application/json"),
        Fault(status=200, body=b"\xff\xfe{}", media_type="application/json"),
    ):
        before = len(daemon.received)
        daemon.inject(fault)
        with pytest.raises(RpcUnknownOutcomeError):
            rpc.change("getnewaddress", "payout")
        assert len(daemon.received) - before == (fault.status is None)
        assert rpc.change("getnewaddress", "payout") == "mj6UTXdc6qfMbNHVN2JRrDzJpH6y7if67N"


def test_a_change_that_times_out_is_unknown(daemon: ReplayDaemon) -> None:
    rpc = connect(daemon, timeout=0.2)
    daemon.inject(Fault(delay_seconds=0.5))
    with pytest.raises(RpcUnknownOutcomeError, match="did not answer within"):
        rpc.change("getnewaddress", "payout")
    rpc.close()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(status=401, media_type=""), RpcAuthenticationError),
        (Fault(status=403, media_type=""), RpcAuthenticationError),
        (Fault(status=503, body=b"Request rejected"), RpcOverloadedError),
        (Fault(status=503, body=b"Work queue depth exceeded"), RpcOverloadedError),
        (WORK_QUEUE_FULL, RpcOverloadedError),
    ],
)
def test_a_change_that_was_turned_away_at_the_door_was_not_done(
    daemon: ReplayDaemon, rpc: WalletRpc, fault: Fault, expected: type[DuxosError]
) -> None:
    daemon.inject(fault)
    with pytest.raises(expected) as caught:
        rpc.change("getnewaddress", "payout")
    assert type(caught.value) is expected
    assert daemon.received == []


def test_a_change_with_nobody_listening_was_not_done() -> None:
    rpc = WalletRpc(RpcEndpoint(port=free_port(), timeout=1))
    with pytest.raises(RpcUnavailableError, match=r"out of reach \(Connection refused\)") as caught:
        rpc.change("sendrawtransaction", "00")
    assert str(rpc.endpoint.port) in caught.value.detail


def test_a_change_after_the_daemon_closed_an_idle_connection_is_sent_on_a_new_one(
    daemon: ReplayDaemon, rpc: WalletRpc
) -> None:
    rpc.read("getbestblockhash")
    rpc.change("getnewaddress", "payout")
    assert daemon.connections == 2


def test_a_read_is_repeated_until_it_is_answered(daemon: ReplayDaemon, rpc: WalletRpc) -> None:
    daemon.inject(Fault(hang_up=True), Fault(cut_body=True), WORK_QUEUE_FULL)
    assert rpc.read("getnewaddress", "payout") == "mj6UTXdc6qfMbNHVN2JRrDzJpH6y7if67N"


def test_a_read_gives_up_after_its_attempts(daemon: ReplayDaemon) -> None:
    rpc = connect(daemon, retry_attempts=1)
    daemon.inject(*[Fault(status=404, body=b"nginx")] * 2)
    with pytest.raises(RpcUnavailableError, match=r"not JSON \(HTTP 404\)"):
        rpc.read("getbestblockhash")
    assert rpc.read("getbestblockhash")
    rpc.close()


def test_a_refused_or_unauthorised_read_is_not_repeated(daemon: ReplayDaemon) -> None:
    rpc = connect(daemon, password="wrong")
    with pytest.raises(RpcAuthenticationError, match=r"rpc\.password") as caught:
        rpc.read("getbestblockhash")
    assert "wrong" not in caught.value.detail.replace("is wrong", "")
    assert daemon.connections == 1
    rpc.close()


def test_a_warming_up_daemon_is_waited_for_a_little(daemon: ReplayDaemon, rpc: WalletRpc) -> None:
    warming = Fault(code=-28, body=b"Verifying blocks...")
    daemon.inject(warming, warming)
    assert rpc.read("getblockhash", 0)
    daemon.inject(*[warming] * 4)
    with pytest.raises(RpcWarmingUpError, match="is starting: Verifying blocks"):
        rpc.read("getblockhash", 0)


def test_a_batch_keeps_its_order_and_hands_out_refusals_one_by_one(rpc: WalletRpc) -> None:
    results = rpc.batch_read(
        [("getblockhash", [0]), ("nosuchmethod", []), ("gettransaction", ["0" * 64]), ("getbalance", [])]
    )
    assert results[0] == "e0950eaa6e8ee8c50f8291b47d83aa59763936adc96ec60bdfb72d513bd4f1d4"
    assert isinstance(results[1], RpcMethodNotFoundError)
    assert isinstance(results[2], RpcRefusedError) and results[2].code == -5
    assert results[3] == Decimal("40000056.0193")
    assert rpc.batch_read([]) == []


@pytest.mark.parametrize(
    "body", [b"{}", b"null", b"[]", b"[{}, {}]", b'[{"error": {"code": -5, "message": "x"}}]', b"[1, 2]"]
)
def test_a_batch_with_a_strange_answer_is_unavailable(daemon: ReplayDaemon, body: bytes) -> None:
    rpc = connect(daemon, retry_attempts=0)
    daemon.inject(Fault(status=200, body=body, media_type="application/json"))
    with pytest.raises(RpcUnavailableError):
        rpc.batch_read([("getbalance", []), ("getblockhash", [0])])
    rpc.close()


def test_a_batch_on_a_starting_daemon_says_that_it_is_starting(daemon: ReplayDaemon) -> None:
    rpc = connect(daemon, retry_attempts=0)
    daemon.answer("getbalance", result="Loading wallet...", code=-28)
    with pytest.raises(RpcWarmingUpError):
        rpc.batch_read([("getbalance", [])])
    rpc.close()


def test_amounts_and_decimals_travel_as_text_and_floats_not_at_all(
    daemon: ReplayDaemon, rpc: WalletRpc
) -> None:
    daemon.answer("sendmany", result="ok")
    exact = Decimal("987654321.12345679")
    rpc.change(
        "sendmany", "", {"x": exact, "y": Amount.parse("0.00000001")}, 1, [True, None, (Decimal("1E+2"),)]
    )
    assert daemon.calls("sendmany") == [
        ["", {"x": "987654321.12345679", "y": "0.00000001"}, 1, [True, None, ["100"]]]
    ]
    with pytest.raises(TypeError, match="float cannot be a parameter"):
        rpc.change("sendmany", 0.1)
    assert len(daemon.received) == 1


@pytest.mark.parametrize("password", ["/#@:%", "a b?c&d=e", "%2F%41", "päss€😀", "", "#", "x" * 500])
def test_any_password_arrives(password: str) -> None:
    with ReplayDaemon([], user="us@r/#%", password=password) as daemon:
        daemon.answer("ping", result="pong")
        rpc = connect(daemon)
        assert rpc.change("ping") == rpc.read("ping") == rpc.batch_read([("ping", [])])[0] == "pong"
        rpc.close()


def test_neither_password_nor_parameters_are_logged_or_shown(
    daemon: ReplayDaemon, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    rpc = connect(daemon)
    daemon.answer("walletpassphrase", result="no", code=-14)
    with pytest.raises(RpcRefusedError) as caught:
        rpc.change("walletpassphrase", "open sesame", 5)
    credentials = base64.b64encode(f"{daemon.user}:{daemon.password}".encode()).decode()
    seen = caplog.text + repr(caught.value) + repr(rpc.endpoint) + str(rpc.endpoint)
    assert not any(secret in seen for secret in ("open sesame", daemon.password, credentials))
    rpc.close()


def test_eight_threads_get_their_own_answers_over_four_connections(
    daemon: ReplayDaemon, rpc: WalletRpc
) -> None:
    numbers = range(400)
    for number in numbers:
        daemon.answer("echo", [number], result=number)

    def ask(number: int) -> Any:
        return (rpc.change if number % 4 == 0 else rpc.read)("echo", number)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, numbers)) == list(numbers)
    assert len(rpc._pool._idle) <= 4


def test_when_all_connections_are_busy_the_next_caller_is_told(daemon: ReplayDaemon) -> None:
    rpc = connect(daemon, pool_size=1, timeout=0.3, retry_attempts=0)
    with rpc._pool.checkout(), pytest.raises(RpcOverloadedError, match=r"rpc\.pool_size"):
        rpc.change("getbestblockhash")
    assert rpc.read("getbestblockhash")
    rpc.close()


def test_an_interrupted_call_leaves_no_answer_for_the_next_one(daemon: ReplayDaemon, rpc: WalletRpc) -> None:
    rpc.read("getbestblockhash")
    with pytest.raises(KeyboardInterrupt), rpc._pool.checkout() as connection:
        connection.request("POST", "", '{"method": "getbalance", "params": [], "id": 1}', {})
        raise KeyboardInterrupt
    assert rpc.read("getblockhash", 0) == "e0950eaa6e8ee8c50f8291b47d83aa59763936adc96ec60bdfb72d513bd4f1d4"


def test_the_circuit_opens_fails_fast_and_closes_again() -> None:
    port = free_port()
    circuit = CircuitBreaker(failures_to_open=3, cooldown_seconds=0.3)
    rpc = WalletRpc(RpcEndpoint(port=port, user="u", password="p", retry_attempts=10), circuit=circuit)
    with pytest.raises(RpcUnavailableError, match="out of reach"):
        rpc.read("getbestblockhash")
    started = time.monotonic()
    for ask in (rpc.read, rpc.change):
        with pytest.raises(RpcUnavailableError, match="left alone for a few seconds"):
            ask("getbestblockhash")
    assert time.monotonic() - started < 0.1
    time.sleep(0.3)
    with pytest.raises(RpcUnavailableError, match="out of reach"):
        rpc.read("getbestblockhash")
    assert circuit.is_open


def test_a_time_out_opens_the_circuit_at_once_and_an_answer_closes_it(daemon: ReplayDaemon) -> None:
    rpc = connect(daemon, timeout=0.2)
    rpc._circuit = circuit = CircuitBreaker(cooldown_seconds=0.3)
    daemon.inject(Fault(delay_seconds=0.5))
    with pytest.raises(RpcUnavailableError, match="did not answer within"):
        rpc.read("getbestblockhash")
    assert circuit.is_open
    time.sleep(0.3)
    assert rpc.read("getbestblockhash")
    assert not circuit.is_open
    rpc.close()


def test_refusals_and_full_queues_are_answers_and_leave_the_circuit_closed(
    daemon: ReplayDaemon, rpc: WalletRpc
) -> None:
    for _ in range(10):
        daemon.inject(WORK_QUEUE_FULL)
        with pytest.raises(RpcOverloadedError):
            rpc.change("getbestblockhash")
        with pytest.raises(RpcRefusedError):
            rpc.read("nosuchmethod")
    assert not rpc._circuit.is_open


def test_a_half_open_circuit_lets_one_caller_through() -> None:
    now = [0.0]
    circuit = CircuitBreaker(failures_to_open=1, cooldown_seconds=2, clock=lambda: now[0])
    circuit.failed()
    assert not circuit.may_try()
    now[0] = 2.5
    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(lambda _: circuit.may_try(), range(100))) == 1
    now[0] = 5.0
    assert circuit.may_try(), "a probe that never reported back does not block the next one"
    circuit.answered()
    assert all(circuit.may_try() for _ in range(10))


def test_losing_contact_moves_the_generation(daemon: ReplayDaemon, rpc: WalletRpc) -> None:
    rpc.read("getbestblockhash")
    before = rpc.generation
    rpc.read("getbestblockhash")
    rpc.change("getbestblockhash")
    assert rpc.generation == before
    daemon.inject(Fault(hang_up=True))
    rpc.read("getbestblockhash")
    assert rpc.generation > before


def test_a_real_daemon_is_restarted_under_load_and_every_outcome_was_true() -> None:
    daemon = RegtestDaemon(temporary_folder("restarted")).start()
    daemon.rpc("createwallet", "", False, False, "", False, False, True)
    rpc = WalletRpc(
        RpcEndpoint(port=daemon.rpc_port, user=daemon.rpc_user, password=daemon.rpc_password, timeout=10),
        circuit=CircuitBreaker(cooldown_seconds=0.1),
    )
    stop = threading.Event()
    made: list[str] = []
    errors: list[DuxosError] = []

    def work(number: int) -> None:
        while not stop.is_set():
            try:
                if number % 2:
                    made.append(rpc.change("getnewaddress", "load", "legacy"))
                else:
                    rpc.read("getblockcount")
            except DuxosError as error:
                errors.append(error)
                time.sleep(0.01)

    with ThreadPoolExecutor(8) as threads:
        working = [threads.submit(work, number) for number in range(8)]
        try:
            time.sleep(0.5)
            daemon.restart()
            before_recovery = len(made)
            wait_until(lambda: len(made) > before_recovery + 20, "calls to work again")
        finally:
            stop.set()
        for each in working:
            each.result()
    outcomes = {type(error) for error in errors}
    # While it shuts down or starts, a daemon may also have no wallet.
    allowed = {
        RpcUnavailableError,
        RpcUnknownOutcomeError,
        RpcWarmingUpError,
        RpcOverloadedError,
        RpcRefusedError,
    }
    assert outcomes <= allowed
    assert {e.code for e in errors if isinstance(e, RpcRefusedError)} <= {-18, -4}
    assert RpcUnavailableError in outcomes
    unknown = sum(isinstance(error, RpcUnknownOutcomeError) for error in errors)
    kept = daemon.rpc("getaddressesbylabel", "load")
    assert set(made) <= set(kept)
    assert len(kept) - len(made) <= unknown, "what was not done was said to be done, or the other way round"
    rpc.close()
    daemon.kill()
