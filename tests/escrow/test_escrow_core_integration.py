"""The escrow core, end to end: coins arrive on a real chain, are locked, released, refunded, and leave again.

Every balance is stated. The books are proved against the coins in the daemon after each test (`market`).
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from tests.support.market import Market
from tests.support.people import RESULT_HASH, make_node, signature
from webapp.domain.canonical import sign_result
from webapp.domain.exceptions import (
    EscrowStateError,
    InsufficientFundsError,
    InvalidAmountError,
    NotFoundError,
    PermissionDeniedError,
    ResultValidationError,
    RpcUnavailableError,
    ValidationError,
)
from webapp.domain.money import Amount
from webapp.models import Escrow
from webapp.services import audit_trail
from webapp.services.community_fund_manager import CommunityFundManager
from webapp.services.database import Session
from webapp.services.escrow_manager import EscrowManager
from webapp.services.transaction_validator import TransactionValidator
from webapp.services.wallet_integration import Balance, WalletIntegration


def balance(available: str, held: str) -> Balance:
    return Balance(Amount.parse(available, allow_zero=True), Amount.parse(held, allow_zero=True))


class TestEscrowCoreIntegration:
    """One capability each."""

    def test_wallet_integration_initialization(self, market: Market) -> None:
        """It reaches the daemon, hands out addresses of its network, and sees coins that arrive."""
        wallets = WalletIntegration(market.session, market.services.settings)
        assert wallets.get_daemon_balance() == Amount(0)
        assert wallets.get_balance(market.payer.wallet_id) == balance("0", "0")

        address = wallets.deposit_address(market.payer.wallet_id)
        assert address is not None
        assert market.chain.custody.rpc("validateaddress", address)["isvalid"]
        assert wallets.deposit_address(market.payer.wallet_id) == address
        assert wallets.deposit_address(market.provider.wallet_id) != address

        market.chain.deposit(address, "250", confirmations=1)
        market.work()
        assert market.balances(market.payer) == ("0.00000000", "0.00000000")
        market.chain.mine()
        market.work()
        market.session.rollback()
        assert wallets.get_balance(market.payer.wallet_id) == balance("250.00000000", "0")
        assert str(wallets.get_daemon_balance()) == "250.00000000"

    def test_fund_locking_mechanism(self, market: Market) -> None:
        """Creating an escrow moves its amount from available to held; the coins do not move."""
        market.deposit(market.payer, "250")
        first = market.escrow("100")
        assert market.balances(market.payer) == ("150.00000000", "100.00000000")
        second = market.escrow("0.00000001")
        assert market.balances(market.payer) == ("149.99999999", "100.00000001")
        assert (first.status, second.status) == ("active", "active")
        assert market.balances(market.provider) == ("0.00000000", "0.00000000")
        assert str(market.services.daemon.balance()) == "250.00000000"

    def test_fund_unlocking_mechanism(self, market: Market) -> None:
        """A refund gives the whole amount back, and it can be locked again."""
        market.deposit(market.payer, "100")
        escrow = market.escrow("100")
        assert market.balances(market.payer) == ("0.00000000", "100.00000000")
        market.services.escrow_manager(market.session, market.provider.actor).refund_escrow(
            escrow.id, "broken"
        )
        assert market.balances(market.payer) == ("100.00000000", "0.00000000")
        market.escrow("100")
        assert market.balances(market.payer) == ("0.00000000", "100.00000000")

    def test_insufficient_funds_handling(self, market: Market) -> None:
        """One base unit too much is refused, and nothing has happened; all of it is accepted."""
        market.deposit(market.payer, "100")
        with pytest.raises(InsufficientFundsError):
            market.escrow("100.00000001")
        assert market.balances(market.payer) == ("100.00000000", "0.00000000")
        assert market.session.query(Escrow).count() == 0
        market.escrow("100")
        with pytest.raises(InsufficientFundsError):
            market.escrow("0.00000001")
        assert market.balances(market.payer) == ("0.00000000", "100.00000000")

    def test_transaction_signing(self, market: Market) -> None:
        """The signature is HMAC-SHA256 over the canonical result: deterministic, and bound to escrow and key."""
        market.deposit(market.payer, "250")
        node = make_node(market.session, market.services, market.provider)
        plain = market.escrow("100")
        with_node = market.escrow("100", provider_node_id=node.node.id)
        auth = market.services.node_auth(market.session)

        signed = auth.sign_result(
            market.provider.wallet_id, node.node.id, with_node.id, with_node.amount, RESULT_HASH
        )
        assert signed == sign_result(node.key.secret, with_node.id, Amount.parse("100.00000000"), RESULT_HASH)
        assert len(signed) == 64
        # With a node named, another key of the same wallet is not enough; without one, it is.
        manager = market.services.escrow_manager(market.session, market.payer.actor)
        with pytest.raises(ResultValidationError):
            manager.release_escrow(with_node.id, RESULT_HASH, signature(market.pair, with_node))
        with pytest.raises(ResultValidationError):
            manager.release_escrow(plain.id, RESULT_HASH, signed)
        manager.release_escrow(with_node.id, RESULT_HASH, signed)
        manager.release_escrow(plain.id, RESULT_HASH, signature(market.pair, plain))
        assert market.balances(market.provider) == ("190.00000000", "0.00000000")

    def test_escrow_creation_with_real_integration(self, market: Market) -> None:
        """Coins that arrived on the chain become an escrow of 100 with its parts 95 and 5."""
        market.deposit(market.payer, "100")
        manager = EscrowManager(market.session, config=market.services.settings)
        escrow = manager.create_escrow(
            payer_wallet_id=market.payer.wallet_id,
            provider_wallet_id=market.provider.wallet_id,
            amount=100.0,
            service_name="image_upscaler_v1",
            task_id="task_001",
            metadata={"image_size": "1024x1024"},
        )
        assert (str(escrow.amount), str(escrow.provider_amount), str(escrow.community_amount)) == (
            "100.00000000",
            "95.00000000",
            "5.00000000",
        )
        with Session(market.services.settings) as other:
            stored = other.get_one(Escrow, escrow.id)
            assert (stored.status, stored.task_metadata) == ("active", {"image_size": "1024x1024"})
        assert market.balances(market.payer) == ("0.00000000", "100.00000000")

    def test_escrow_release_workflow(self, market: Market) -> None:
        """Deposit, escrow, delivery, release, and the provider's coins on the chain, every balance stated."""
        market.deposit(market.payer, "100")
        escrow = market.escrow("100")
        as_provider = market.services.escrow_manager(market.session, market.provider.actor)
        as_provider.deliver_escrow(escrow.id, RESULT_HASH, signature(market.pair, escrow))
        with pytest.raises(PermissionDeniedError):
            as_provider.release_escrow(escrow.id)
        released = market.services.escrow_manager(market.session, market.payer.actor).release_escrow(
            escrow.id
        )

        assert released.status == "released"
        assert market.balances(market.payer) == ("0.00000000", "0.00000000")
        assert market.balances(market.provider) == ("95.00000000", "0.00000000")
        assert market.fund() == "5.00000000"

        outside = market.chain.new_outside_address()
        market.withdraw(market.provider, outside, "95")
        assert market.balances(market.provider) == ("0.00000000", "0.00000000")
        market.settle()
        (payout,) = market.payouts()
        assert payout.status == "confirmed"
        assert payout.net is not None and payout.fee is not None
        assert payout.net + payout.fee == Amount.parse("95")
        assert market.chain.received(outside) == str(payout.net)
        assert market.services.daemon.balance() == Amount.parse("5")

    def test_escrow_refund_workflow(self, market: Market) -> None:
        """The payer cannot take it back while time remains; the provider can give it back, once."""
        market.deposit(market.payer, "100")
        escrow = market.escrow("100")
        as_payer = market.services.escrow_manager(market.session, market.payer.actor)
        with pytest.raises(PermissionDeniedError):
            as_payer.refund_escrow(escrow.id, "I changed my mind")
        assert market.balances(market.payer) == ("0.00000000", "100.00000000")

        program = EscrowManager(market.session, config=market.services.settings)
        refunded = program.refund_escrow(escrow_id=escrow.id, reason="Task timeout")
        assert (refunded.status, refunded.refund_reason) == ("refunded", "Task timeout")
        assert market.balances(market.payer) == ("100.00000000", "0.00000000")
        assert market.balances(market.provider) == ("0.00000000", "0.00000000")
        assert market.fund() == "0.00000000"
        with pytest.raises(EscrowStateError):
            program.refund_escrow(escrow_id=escrow.id, reason="Task timeout")
        with pytest.raises(EscrowStateError):
            market.release(escrow)

    def test_community_fund_integration(self, market: Market) -> None:
        """Five per cent, rounded down: the provider gets the rest to the last base unit."""
        market.deposit(market.payer, "250")
        for amount in ("100", "0.00000019", "0.00000020", "33.33333333"):
            market.release(market.escrow(amount))
        # 5 + 0 + 0.00000001 + 1.66666666
        assert market.fund() == "6.66666667"
        # 95 + 0.00000019 + 0.00000019 + 31.66666667
        assert market.balances(market.provider) == ("126.66666705", "0.00000000")
        assert market.balances(market.payer) == ("116.66666628", "0.00000000")

    def test_community_fund_statistics(self, market: Market) -> None:
        """Balance, distance to the threshold and collected sums, before and after the checkpoint moved."""
        market.deposit(market.payer, "250")
        wallets = market.services.wallets(market.session)
        fund = CommunityFundManager(market.session, wallets, market.services.settings)
        before = fund.get_fund_statistics()
        assert (str(before["current_balance"]), str(before["next_airdrop_trigger"])) == (
            "0.00000000",
            "100.00000000",
        )
        market.release(market.escrow("100"))
        first = fund.get_fund_statistics()
        market.work()
        second = fund.get_fund_statistics()
        assert first == second
        assert {
            key: str(second[key]) for key in ("current_balance", "total_collected", "total_distributed")
        } == {
            "current_balance": "5.00000000",
            "total_collected": "5.00000000",
            "total_distributed": "0.00000000",
        }
        assert str(second["next_airdrop_trigger"]) == "95.00000000"
        assert str(second["recent_24h_collected"]) == "5.00000000"
        assert second["last_airdrop_at"] is None

    @pytest.mark.settings(community_fund={"airdrop_threshold": "10"})
    def test_airdrop_trigger_logic(self, market: Market) -> None:
        """Due exactly when the balance reaches the threshold, and not one base unit earlier."""
        market.deposit(market.payer, "250")
        fund = market.services.fund_manager(market.session)
        market.release(market.escrow("199.99999980"))
        assert market.fund() == "9.99999999"
        assert not fund.is_airdrop_due()
        assert str(fund.get_fund_statistics()["next_airdrop_trigger"]) == "0.00000001"
        market.release(market.escrow("0.00000020"))
        assert market.fund() == "10.00000000"
        assert fund.is_airdrop_due()
        assert str(fund.get_fund_statistics()["next_airdrop_trigger"]) == "0.00000000"

    def test_transaction_validation(self, market: Market) -> None:
        """Hash, signature, escrow, amount and key must all be the right ones."""
        market.deposit(market.payer, "250")
        escrow = market.escrow("100", expected_result_hash=RESULT_HASH)
        other = market.escrow("100")
        validator = TransactionValidator(market.session, market.services.settings)
        good = signature(market.pair, escrow)

        assert validator.validate_result(escrow=escrow, result_hash=RESULT_HASH, provider_signature=good)
        assert validator.validate_result(escrow, RESULT_HASH.upper(), good.upper())
        other_hash = "cd" * 32
        refused = {
            "another result": (escrow, other_hash, signature(market.pair, escrow, other_hash)),
            "another escrow's signature": (escrow, RESULT_HASH, signature(market.pair, other)),
            "another key": (
                escrow,
                RESULT_HASH,
                sign_result("guessed", escrow.id, escrow.amount, RESULT_HASH),
            ),
            "another amount": (
                escrow,
                RESULT_HASH,
                sign_result(market.pair.key.secret, escrow.id, Amount.parse("99"), RESULT_HASH),
            ),
            "the seed's placeholder": (escrow, "abc123...", "signature_data..."),
            "nothing": (escrow, "", ""),
            "a character that is none": (escrow, RESULT_HASH, "\ud800" * 64),
        }
        for what, (about, result_hash, signed) in refused.items():
            assert not validator.validate_result(about, result_hash, signed), what
        market.services.signing_keys(market.session).revoke(
            market.pair.key.key_id, market.provider.actor.wallet_ids
        )
        assert not validator.validate_result(escrow, RESULT_HASH, good)

    def test_error_handling(self, market: Market) -> None:
        """Whatever is refused leaves no trace; with the daemon gone escrows go on."""
        market.deposit(market.payer, "250")
        refused: list[tuple[type[Exception], dict[str, object]]] = [
            (InvalidAmountError, {"amount": "0"}),
            (InvalidAmountError, {"amount": -1}),
            (InvalidAmountError, {"amount": "0.000000001"}),
            (InvalidAmountError, {"amount": float("nan")}),
            (InvalidAmountError, {"amount": Decimal("1e400")}),
            (ValidationError, {"provider_wallet_id": market.payer.wallet_id}),
            (ValidationError, {"provider_wallet_id": 10**6}),
            (ValidationError, {"service_name": " "}),
            (ValidationError, {"metadata": {"big": "x" * 5000}}),
            (ValidationError, {"provider_node_id": "nobody"}),
            (ValidationError, {"expected_result_hash": "abc123..."}),
            (PermissionDeniedError, {"payer_wallet_id": market.provider.wallet_id, "provider_wallet_id": 1}),
        ]
        manager = market.services.escrow_manager(market.session, market.payer.actor)
        terms: dict[str, object] = {
            "payer_wallet_id": market.payer.wallet_id,
            "provider_wallet_id": market.provider.wallet_id,
            "amount": "1",
            "service_name": "service",
            "task_id": "task",
        }
        for error, change in refused:
            with pytest.raises(error):
                manager.create_escrow(**{**terms, **change})  # type: ignore[arg-type]
        for unknown in ("not-an-id", "00000000-0000-7000-8000-000000000000"):
            with pytest.raises(NotFoundError):
                manager.release_escrow(unknown, RESULT_HASH, "00")
        assert market.balances(market.payer) == ("250.00000000", "0.00000000")
        assert market.session.query(Escrow).count() == 0

        escrow = market.escrow("100")
        market.stop_daemon()
        with pytest.raises(RpcUnavailableError):
            market.services.wallets(market.session).get_daemon_balance()
        market.release(escrow)
        assert market.balances(market.provider) == ("95.00000000", "0.00000000")
        market.start_daemon()

    def test_concurrent_operations(self, market: Market) -> None:
        """Release and refund of one escrow at the same moment, many times: one of them wins each."""
        market.deposit(market.payer, "250")
        settings = market.services.settings
        escrows = [market.escrow("10") for _ in range(10)]
        start = threading.Barrier(2)

        def attempt(action: str, escrow: Escrow) -> str | None:
            with Session(settings) as session:
                manager = EscrowManager(session, config=settings)
                start.wait()
                try:
                    if action == "release":
                        manager.release_escrow(escrow.id, RESULT_HASH, signature(market.pair, escrow))
                    else:
                        manager.refund_escrow(escrow.id, "failed")
                except EscrowStateError:
                    return None
            return action

        released = refunded = 0
        with ThreadPoolExecutor(2) as threads:
            for escrow in escrows:
                outcomes = list(threads.map(attempt, ("release", "refund"), (escrow, escrow)))
                assert outcomes.count(None) == 1
                released += "release" in outcomes
                refunded += "refund" in outcomes
        assert released + refunded == 10
        available, held = market.balances(market.payer)
        assert (Decimal(available), held) == (Decimal(150 + 10 * refunded), "0.00000000")
        assert Decimal(market.balances(market.provider)[0]) == Decimal("9.5") * released
        assert Decimal(market.fund()) == Decimal("0.5") * released

    def test_audit_trail(self, market: Market) -> None:
        """The timeline tells everything in order, down to the coins on the chain, and its hashes hold."""
        market.pay_to(market.provider, market.chain.new_outside_address())
        market.deposit(market.payer, "100")
        escrow = market.escrow("100")
        market.release(escrow)
        market.settle()
        entries = audit_trail.entries(market.session, escrow.id)
        assert [(entry.kind, entry.actor) for entry in entries] == [
            ("created", market.payer.actor.name),
            ("released", market.payer.actor.name),
            ("payout_queued", "worker"),
            ("payout_signed", "worker"),
            ("payout_broadcast", "worker"),
            ("payout_confirmed", "worker"),
        ]
        (payout,) = market.payouts()
        assert payout.transaction is not None
        assert entries[3].detail["txid"] == payout.transaction.txid
        assert (entries[3].detail["fee"], entries[3].detail["net"]) == (str(payout.fee), str(payout.net))
        assert entries[5].detail["confirmations"] == 2
        assert [entry.sequence for entry in entries] == [1, 2, 3, 4, 5, 6]
        assert list(audit_trail.broken_links(market.session)) == []


class TestEscrowCorePerformance:
    """Enough of them at once."""

    def test_bulk_escrow_creation(self, market: Market) -> None:
        """A hundred escrows one after the other, each exact, in a few seconds."""
        market.deposit(market.payer, "250")
        started = time.monotonic()
        escrows = [market.escrow("1.00000001") for _ in range(100)]
        assert time.monotonic() - started < 10
        assert len({escrow.id for escrow in escrows}) == 100
        assert market.balances(market.payer) == ("149.99999900", "100.00000100")

    def test_concurrent_wallet_operations(self, market: Market) -> None:
        """Forty attempts to lock 10 out of 250: twenty-five succeed, whoever they are, and nothing is overdrawn."""
        market.deposit(market.payer, "250")
        settings = market.services.settings

        def attempt(number: int) -> bool:
            with Session(settings) as session:
                manager = EscrowManager(session, config=settings)
                try:
                    manager.create_escrow(
                        market.payer.wallet_id, market.provider.wallet_id, "10", "service", f"task-{number}"
                    )
                except InsufficientFundsError:
                    return False
            return True

        with ThreadPoolExecutor(8) as threads:
            outcomes = list(threads.map(attempt, range(40)))
        assert outcomes.count(True) == 25
        assert market.balances(market.payer) == ("0.00000000", "250.00000000")
