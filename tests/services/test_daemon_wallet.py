"""The daemon's wallet in both dialects: as Flopcoin Core recorded it, and on a real regtest daemon."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from tests.support.chain import Chain
from tests.support.daemon import RegtestDaemon
from tests.support.processes import temporary_folder
from tests.support.replay_daemon import Fault, ReplayDaemon, load_exchanges
from webapp.config import WalletSettings
from webapp.domain.addresses import is_address
from webapp.domain.exceptions import (
    InvalidAddressError,
    RpcRefusedError,
    RpcUnavailableError,
    RpcUnknownOutcomeError,
    SigningIncompleteError,
    WalletInsufficientFundsError,
    WalletIntegrationError,
    WalletLockedError,
    WrongNetworkError,
)
from webapp.domain.money import Amount
from webapp.services.daemon.answers import OutPoint, SendOutcome
from webapp.services.daemon.rpc_connection import RpcEndpoint
from webapp.services.daemon.wallet import DaemonWallet
from webapp.services.wallet_rpc import WalletRpc

OWN = "n2s3GCvncmjYmnBSu7Z8G3tyz5Sh4p2yMs"
PAYOUT = "mj6UTXdc6qfMbNHVN2JRrDzJpH6y7if67N"
MAINNET = "FDjqGMB1fyCKyVuXwRkRkUXC7ZcCgZ3YyF"
SENT = "575fd5a95cc08b444473f4eb5ea2be9d01fd7c1dfc180d94393061af4d765971"
STALE = "066dd30def6c5121e03aed7f1c4f229346859b51dd5e5e12226fbcfa5e403810"
UNKNOWN = "0" * 64


def wallet_at(port: int, user: str, password: str, *, timeout: float = 20, **rules: Any) -> DaemonWallet:
    endpoint = RpcEndpoint(port=port, user=user, password=password, timeout=timeout, retry_attempts=1)
    return DaemonWallet(WalletRpc(endpoint), WalletSettings(**rules))


def recorded(method: str, position: int = 0) -> dict[str, Any]:
    found = [exchange for exchange in load_exchanges() if exchange["request"]["method"] == method]
    return found[position]


class TestFlopcoinDialect:
    """Against what Flopcoin Core 2.0.0 really answered."""

    @pytest.fixture
    def daemon(self) -> Iterator[ReplayDaemon]:
        with ReplayDaemon() as daemon:
            yield daemon

    @pytest.fixture
    def wallet(self, daemon: ReplayDaemon) -> Iterator[DaemonWallet]:
        wallet = wallet_at(daemon.port, daemon.user, daemon.password)
        yield wallet
        wallet.rpc.close()

    def test_the_dialect_is_found_by_asking_and_asked_once(
        self, daemon: ReplayDaemon, wallet: DaemonWallet
    ) -> None:
        dialect = wallet.dialect()
        assert dialect.as_dict() == {
            "name": "0.14-style",
            "sign_method": "signrawtransaction",
            "has_address_info": False,
            "has_wallet_names": False,
            "has_address_types": False,
        }
        asked = len(daemon.received)
        assert wallet.dialect() is dialect
        assert len(daemon.received) == asked

    def test_the_dialect_is_asked_again_when_contact_was_lost(
        self, daemon: ReplayDaemon, wallet: DaemonWallet
    ) -> None:
        wallet.dialect()
        for method in ("signrawtransactionwithwallet", "getaddressinfo"):
            daemon.answer(method, result=f'{method} "argument" ( "option" )', code=-1)
        assert wallet.dialect().name == "0.14-style"
        daemon.inject(Fault(hang_up=True))
        wallet.tip()
        assert wallet.dialect().name == "0.21-style"

    def test_an_accident_while_probing_is_not_taken_for_knowledge(
        self, daemon: ReplayDaemon, wallet: DaemonWallet
    ) -> None:
        for code, said in ((-1, "std::bad_alloc"), (-32603, "signrawtransactionwithwallet failed")):
            daemon.answer("signrawtransactionwithwallet", result=said, code=code)
            with pytest.raises(RpcUnavailableError, match="stumbled over it"):
                wallet.dialect()
        daemon.answer("signrawtransactionwithwallet", result="Method not found", code=-32601)
        assert wallet.dialect().sign_method == "signrawtransaction"

    def test_a_daemon_without_a_wallet_is_named(self) -> None:
        with ReplayDaemon([]) as bare:
            wallet = wallet_at(bare.port, bare.user, bare.password)
            with pytest.raises(WalletIntegrationError, match="disablewallet"):
                wallet.dialect()
            wallet.rpc.close()

    def test_addresses(self, daemon: ReplayDaemon, wallet: DaemonWallet) -> None:
        assert wallet.new_address("wallet:7") == "mkCCQioNab8DtsoZhzzLJ9SZfuBoQPmSao"
        assert wallet.is_mine(OWN)
        wallet.validate_payout_address(OWN)
        daemon.answer("getrawchangeaddress", [], result=PAYOUT)
        assert wallet.new_change_address() == PAYOUT
        assert daemon.calls("getnewaddress") == [["wallet:7"]]

    def test_an_address_of_another_network_is_never_handed_out(
        self, daemon: ReplayDaemon, wallet: DaemonWallet
    ) -> None:
        daemon.answer("getnewaddress", ["x"], result=MAINNET)
        with pytest.raises(WalletIntegrationError, match="does not belong to regtest"):
            wallet.new_address("x")

    def test_a_payout_address_is_checked_here_first_and_then_by_the_daemon(
        self, daemon: ReplayDaemon, wallet: DaemonWallet
    ) -> None:
        for bad in (MAINNET, "notanaddress", "", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"):
            with pytest.raises(InvalidAddressError):
                wallet.validate_payout_address(bad)
        assert daemon.received == []
        daemon.answer("validateaddress", [PAYOUT], result={"isvalid": False})
        with pytest.raises(InvalidAddressError, match="refused by the coin daemon"):
            wallet.validate_payout_address(PAYOUT, field="to")

    def test_a_payout_address_is_accepted_by_its_form_while_the_daemon_is_down(self) -> None:
        wallet = wallet_at(1, "nobody", "")
        wallet.validate_payout_address(PAYOUT)
        with pytest.raises(InvalidAddressError):
            wallet.validate_payout_address(MAINNET)

    def test_balance_tip_and_headers(self, wallet: DaemonWallet) -> None:
        assert wallet.balance() == Amount.parse("40000056.0193")
        assert wallet.tip() == (86, "9a8ce4bd0d3c9afcd8c05c2e3fb27a52d6d670086d8cbba259e1d7be93fcaea2")
        assert (wallet.block_header(STALE) or {})["confirmations"] == 1
        assert (wallet.block_header(STALE) or {})["confirmations"] == -1

    def test_transactions_known_and_unknown(self, wallet: DaemonWallet) -> None:
        assert (wallet.get_transaction(SENT) or {})["confirmations"] == 0
        assert wallet.get_transaction(UNKNOWN) is None
        assert wallet.raw_mempool_has(SENT)

    def test_the_history_since_a_block(self, wallet: DaemonWallet) -> None:
        previous = recorded("listsinceblock", 1)["request"]["params"][0]
        entries, cursor = wallet.list_since_block(previous, 1)
        assert cursor == recorded("listsinceblock", 1)["response"]["result"]["lastblock"]
        first = entries[0]
        assert (first.category, first.amount, first.confirmations) == ("send", Amount.parse("1.5"), 0)
        assert first.block_hash is None
        assert {entry.is_incoming for entry in entries} == {True, False}
        generated = [entry for entry in entries if entry.is_coinbase]
        assert all(entry.category in ("generate", "immature", "orphan") for entry in generated)

    def test_a_transaction_is_built_signed_read_and_broadcast(
        self, daemon: ReplayDaemon, wallet: DaemonWallet
    ) -> None:
        raw = recorded("createrawtransaction")["response"]["result"]
        funded_answer = recorded("fundrawtransaction")["response"]["result"]
        options = {
            "changeAddress": OWN, "feeRate": "0.01000000", "lockUnspents": True, "subtractFeeFromOutputs": [0]
        }  # fmt: skip
        daemon.answer("fundrawtransaction", [raw, options], result=funded_answer)
        funded = wallet.fund_transaction({PAYOUT: Amount.parse(25)}, Amount.parse("0.01"), True, OWN)
        assert funded.hex == funded_answer["hex"]
        assert str(funded.fee) == f"{funded_answer['fee']:.8f}"
        assert funded.change_position == funded_answer["changepos"]

        signed = wallet.sign(funded.hex)
        decoded = wallet.decode(signed)
        assert decoded.size == 1848
        assert decoded.inputs[0] == ("09363d311dbbfee1d2113715cd78f7e1c7f4cb57fe0165d99f524c3afc1d9600", 24)
        assert decoded.outputs[0].address == PAYOUT
        assert decoded.outputs[0].amount == Amount.parse(25)

        assert wallet.send_raw(signed) is SendOutcome.ACCEPTED
        assert wallet.send_raw(signed) is SendOutcome.ACCEPTED
        assert wallet.send_raw(signed) is SendOutcome.ALREADY_KNOWN

    def test_a_transaction_that_cannot_be_signed_is_not_returned(self, wallet: DaemonWallet) -> None:
        unsigned = recorded("signrawtransaction", 1)["request"]["params"][0]
        with pytest.raises(SigningIncompleteError, match="Input not found or already spent"):
            wallet.sign(unsigned)

    def test_spent_inputs_are_refused_unless_it_was_this_transaction_that_spent_them(
        self, daemon: ReplayDaemon, wallet: DaemonWallet
    ) -> None:
        spent = recorded("sendrawtransaction", 3)["request"]["params"][0]
        decoded = {"txid": UNKNOWN, "vin": [], "vout": [], "size": 1}
        daemon.answer("decoderawtransaction", [spent], result=decoded)
        daemon.answer("getmempoolentry", [UNKNOWN], result="Transaction not in mempool", code=-5)
        with pytest.raises(RpcRefusedError, match="bad-txns-inputs-spent"):
            wallet.send_raw(spent)
        daemon.answer("gettransaction", [UNKNOWN], result={"confirmations": 3})
        assert wallet.send_raw(spent) is SendOutcome.ALREADY_KNOWN
        with pytest.raises(RpcRefusedError, match="TX decode failed"):
            wallet.send_raw("00")

    def test_a_lost_answer_to_a_broadcast_is_unknown_and_sent_once(
        self, daemon: ReplayDaemon, wallet: DaemonWallet
    ) -> None:
        wallet.dialect()
        daemon.inject(Fault(cut_body=True))
        with pytest.raises(RpcUnknownOutcomeError):
            wallet.send_raw("00")
        assert daemon.calls("sendrawtransaction") == [["00", True]]

    def test_too_little_money_for_a_transaction(self, daemon: ReplayDaemon, wallet: DaemonWallet) -> None:
        daemon.answer("createrawtransaction", result="00")
        daemon.answer("fundrawtransaction", result="Insufficient funds", code=-4)
        with pytest.raises(WalletInsufficientFundsError):
            wallet.fund_transaction({PAYOUT: Amount.parse(60_000_000)}, Amount.parse("0.01"), False, OWN)

    def test_locks(self, daemon: ReplayDaemon, wallet: DaemonWallet) -> None:
        output = OutPoint("09363d311dbbfee1d2113715cd78f7e1c7f4cb57fe0165d99f524c3afc1d9600", 0)
        assert wallet.lock_inputs([output]) == []
        wallet.unlock_inputs([output])
        assert wallet.lock_inputs([]) == []
        assert [params[0] for params in daemon.calls("lockunspent")] == [False, True]
        assert OutPoint(UNKNOWN, 0) in wallet.list_locked()

    @pytest.mark.parametrize(
        ("estimate", "relay", "expected"),
        [
            ("0.01002545", "0.001", "0.01002545"),
            ("-1", "0.001", "0.01"),
            ("0.00001", "0.001", "0.01"),
            ("5", "0.001", "0.1"),
            ("-1", "0.02", "0.02"),
            ("-1", "0.5", "0.5"),
        ],
    )
    def test_the_fee_rate_has_a_floor_and_a_ceiling(
        self, daemon: ReplayDaemon, wallet: DaemonWallet, estimate: str, relay: str, expected: str
    ) -> None:
        daemon.answer("estimatesmartfee", [6], result={"feerate": float(estimate), "blocks": 6})
        daemon.answer("getnetworkinfo", result={"relayfee": float(relay)})
        assert wallet.fee_rate_per_kb() == Amount.parse(expected)

    def test_an_unencrypted_wallet_needs_no_unlocking(
        self, daemon: ReplayDaemon, wallet: DaemonWallet
    ) -> None:
        with wallet.unlocked():
            pass
        assert daemon.calls("walletpassphrase") == []

    def test_the_status_of_a_healthy_daemon(self, wallet: DaemonWallet) -> None:
        status = wallet.status()
        assert status.usable and status.reachable and status.synced
        assert (status.network, status.blocks, status.headers) == ("regtest", 86, 86)
        assert status.subversion == "/Floptoshi:2.0.0/"
        assert status.dialect is not None and status.dialect.name == "0.14-style"
        assert not status.encrypted
        assert status.problems == []
        assert status.as_dict()["balance"] == "40000056.01930000"
        assert status.as_dict()["fee_rate_per_kb"] == "0.01002545"

    def test_what_is_wrong_is_in_the_status_with_advice(
        self, daemon: ReplayDaemon, wallet: DaemonWallet
    ) -> None:
        chain = recorded("getblockchaininfo")["response"]["result"]
        network = recorded("getnetworkinfo")["response"]["result"]
        daemon.answer("getblockchaininfo", result={**chain, "chain": "main", "headers": 90})
        daemon.answer("getnetworkinfo", result={**network, "warnings": "update!"})
        daemon.answer("getwalletinfo", result={"unlocked_until": 0})
        status = wallet.status()
        assert not status.usable
        assert not status.synced
        assert [problem.text for problem in status.problems] == [
            "The daemon runs on main, but wallet.network is regtest.",
            "The daemon has 86 of 90 known blocks.",
            "The daemon has no peers.",
            "The daemon's wallet is locked, so payouts cannot be signed.",
            "The daemon warns: update!",
        ]
        assert all(problem.advice for problem in status.problems)
        with pytest.raises(WrongNetworkError, match=r"runs on main, but wallet\.network is regtest"):
            wallet.require_network()


class TestRealDaemon:
    """On litecoind's regtest: the 0.21 dialect, and what only a living daemon shows."""

    @pytest.fixture
    def wallet(self, chain: Chain) -> Iterator[DaemonWallet]:
        wallet = self.connect(chain.custody)
        yield wallet
        wallet.rpc.close()

    def connect(self, daemon: RegtestDaemon, **changes: Any) -> DaemonWallet:
        password = changes.pop("password", daemon.rpc_password)
        return wallet_at(daemon.rpc_port, daemon.rpc_user, password, **changes)

    def test_a_deposit_is_seen_and_a_payout_goes_through_every_step(
        self, chain: Chain, wallet: DaemonWallet
    ) -> None:
        wallet.require_network()
        assert wallet.dialect().name == "0.21-style"
        start = wallet.tip()
        address = wallet.new_address("wallet:1")
        assert is_address(address, "regtest") and wallet.is_mine(address)
        txid = chain.deposit(address, "20.5", confirmations=2)
        entries, cursor = wallet.list_since_block(start.hash, 2)
        (entry,) = [each for each in entries if each.txid == txid]
        assert (entry.address, entry.amount, entry.confirmations) == (address, Amount.parse("20.5"), 2)
        assert entry.is_incoming and not entry.is_coinbase and entry.block_hash is not None
        assert cursor == wallet.rpc.read("getblockhash", wallet.tip().height - 1)
        assert wallet.balance() == Amount.parse("20.5")
        assert wallet.get_tx_out(txid, entry.vout) is not None

        outside = chain.new_outside_address()
        wallet.validate_payout_address(outside)
        assert not wallet.is_mine(outside)
        funded = wallet.fund_transaction({outside: Amount.parse("5")}, wallet.fee_rate_per_kb(), True)
        assert wallet.list_locked() == [OutPoint(txid, entry.vout)]
        signed = wallet.sign(funded.hex)
        decoded = wallet.decode(signed)
        assert decoded.inputs == (OutPoint(txid, entry.vout),)
        paid = {output.address: output.amount for output in decoded.outputs}
        assert paid.pop(outside) == Amount.parse("5") - funded.fee
        assert all(address is not None and is_address(address, "regtest") for address in paid)
        assert not wallet.raw_mempool_has(decoded.txid)
        assert wallet.send_raw(signed) is SendOutcome.ACCEPTED
        assert wallet.raw_mempool_has(decoded.txid)
        assert wallet.send_raw(signed) is SendOutcome.ACCEPTED
        chain.mine(1)
        assert wallet.send_raw(signed) is SendOutcome.ALREADY_KNOWN
        assert (wallet.get_transaction(decoded.txid) or {})["confirmations"] == 1
        assert wallet.get_tx_out(txid, entry.vout) is None
        assert chain.received(outside) == str(Amount.parse("5") - funded.fee)

    def test_locks_are_set_lifted_and_reported(self, chain: Chain, wallet: DaemonWallet) -> None:
        txid = chain.deposit(wallet.new_address(), "3")
        (entry,) = [e for e in wallet.list_since_block(None, 1)[0] if e.txid == txid]
        output, unknown = OutPoint(txid, entry.vout), OutPoint(UNKNOWN, 0)
        assert wallet.lock_inputs([output]) == []
        assert wallet.lock_inputs([output]) == []
        assert wallet.lock_inputs([output, unknown]) == [unknown]
        assert wallet.list_locked() == [output]
        with pytest.raises(WalletInsufficientFundsError):
            wallet.fund_transaction({wallet.new_address(): Amount.parse(1)}, Amount.parse("0.01"))
        wallet.unlock_inputs([output, unknown])
        wallet.unlock_inputs([output])
        assert wallet.list_locked() == []

    def test_a_block_that_was_undone_still_serves_as_a_cursor(
        self, chain: Chain, wallet: DaemonWallet
    ) -> None:
        txid = chain.send(wallet.new_address(), "2")
        (undone,) = chain.mine(1)
        assert wallet.block_header(undone) is not None
        chain.reorganise(1)
        assert (wallet.block_header(undone) or {})["confirmations"] == -1
        entries, _ = wallet.list_since_block(undone, 1)
        (entry,) = [each for each in entries if each.txid == txid]
        assert (entry.confirmations, entry.block_hash) == (0, None)
        assert wallet.block_header(UNKNOWN) is None
        assert txid in [each.txid for each in wallet.list_since_block(UNKNOWN, 1)[0]]

    def test_a_transaction_whose_outputs_are_all_spent_is_still_known(
        self, chain: Chain, wallet: DaemonWallet
    ) -> None:
        # The daemon looks for unspent outputs to see whether it has a transaction; here there are none left.
        chain.deposit(wallet.new_address(), "2")
        hop = wallet.new_address()
        first = wallet.sign(wallet.fund_transaction({hop: Amount.parse(2)}, Amount.parse("0.01"), True).hex)
        wallet.send_raw(first)
        outside = chain.new_outside_address()
        rest = wallet.balance()
        second = wallet.sign(wallet.fund_transaction({outside: rest}, Amount.parse("0.01"), True).hex)
        wallet.send_raw(second)
        chain.mine(1)
        assert wallet.send_raw(first) is SendOutcome.ALREADY_KNOWN

    def test_a_wrong_password_is_named_and_not_shown(self, chain: Chain) -> None:
        status = self.connect(chain.custody, password="hunter2").status()
        assert status.reachable and not status.usable
        (problem,) = status.problems
        assert "refused the RPC user or password" in problem.text
        assert "rpc.password" in problem.advice
        assert "hunter2" not in str(status.as_dict())

    def test_a_daemon_that_hangs_times_out_once_and_is_then_left_alone(self, chain: Chain) -> None:
        wallet = self.connect(chain.custody, timeout=0.5)
        assert wallet.tip()
        chain.custody.pause()
        try:
            assert "did not answer within" in wallet.status().problems[0].text
            assert "left alone" in wallet.status().problems[0].text
        finally:
            chain.custody.resume()
        time.sleep(2.1)
        assert wallet.status().usable
        wallet.rpc.close()


@pytest.fixture(scope="module")
def odd_daemon() -> Iterator[RegtestDaemon]:
    """A daemon of these tests' own, whose password needs care in a URL."""
    daemon = RegtestDaemon(temporary_folder("odd-daemon"))
    daemon.rpc_password = "p/a#s@s:w%25 ?&=ö"
    yield daemon.start()
    daemon.kill()


def test_a_password_of_special_characters_opens_a_real_daemon(odd_daemon: RegtestDaemon) -> None:
    wallet = wallet_at(odd_daemon.rpc_port, odd_daemon.rpc_user, odd_daemon.rpc_password)
    assert wallet.tip().height == 0
    wallet.rpc.close()


def test_a_daemon_without_a_wallet_says_what_to_do(odd_daemon: RegtestDaemon) -> None:
    wallet = wallet_at(odd_daemon.rpc_port, odd_daemon.rpc_user, odd_daemon.rpc_password)
    if odd_daemon.rpc("listwallets"):
        odd_daemon.rpc("unloadwallet", "")
    status = wallet.status()
    assert not status.usable
    assert "No wallet is loaded" in status.problems[0].text
    assert "flopcoin setup" in status.problems[0].advice
    wallet.rpc.close()


def test_an_encrypted_wallet_is_opened_for_signing_and_locked_again() -> None:
    daemon = RegtestDaemon(temporary_folder("encrypted")).start()
    try:
        daemon.rpc("createwallet", "", False, False, "open sesame")
        reach = (daemon.rpc_port, daemon.rpc_user, daemon.rpc_password)
        wallet = wallet_at(*reach, passphrase=SecretStr("open sesame"))
        assert wallet.status().encrypted and wallet.status().usable
        raw = wallet.rpc.read("createrawtransaction", [{"txid": UNKNOWN, "vout": 0}], {})
        with pytest.raises(WalletLockedError, match=r"wallet\.passphrase"):
            wallet.sign(raw)
        with wallet.unlocked(30):
            assert (wallet.status().unlocked_until or 0) > time.time()
            with pytest.raises(SigningIncompleteError):
                wallet.sign(raw)
        assert wallet.status().unlocked_until == 0
        with pytest.raises(ZeroDivisionError), wallet.unlocked(30):
            raise ZeroDivisionError
        assert wallet.status().unlocked_until == 0

        without = wallet_at(*reach)
        assert "locked" in without.status().problems[0].text
        with pytest.raises(WalletLockedError, match="Set wallet"), without.unlocked():
            pass
        daemon.rpc("walletpassphrase", "open sesame", 60)
        with without.unlocked():
            pass
        assert (without.status().unlocked_until or 0) > time.time(), "what the operator opened stays open"
        daemon.rpc("walletlock")
        wrong = wallet_at(*reach, passphrase=SecretStr("sesame"))
        with (
            pytest.raises(RpcRefusedError, match="passphrase entered was incorrect") as caught,
            wrong.unlocked(),
        ):
            pass
        assert caught.value.code == -14
        for each in (wallet, without, wrong):
            each.rpc.close()
    finally:
        daemon.kill()
