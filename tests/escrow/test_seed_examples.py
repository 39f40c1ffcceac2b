"""The usage examples of the document that the system was asked for with, as written there but for the import path.

What is a placeholder there ("abc123...", "signature_data...") is a real hash and a real signature here, and the
wallets 1 and 2 have been given coins; so has the fund, and wallet 2 has the nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.instances import write_config
from tests.support.money import credit, fill_fund
from webapp.config import load_config
from webapp.domain.canonical import sign_result
from webapp.services.community_fund_manager import CommunityFundManager
from webapp.services.container import Services
from webapp.services.database import Session
from webapp.services.escrow_manager import EscrowManager
from webapp.services.transaction_validator import TransactionValidator
from webapp.services.wallet_integration import WalletIntegration

RESULT_HASH = "abc123" + "0" * 58


@pytest.fixture
def secret(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An instance in `duxos_escrow/` with wallets 1 and 2; the provider's secret."""
    folder = tmp_path / "duxos_escrow"
    seed_config = {
        "rpc": {
            "host": "127.0.0.1",
            "port": 32553,
            "user": "flopcoinrpc",
            "password": "your_secure_password",
        },
        "community_fund": {
            "airdrop_threshold": 100.0,
            "min_airdrop_amount": 1.0,
            "airdrop_interval_hours": 24,
            "max_airdrop_nodes": 1000,
        },
        "security": {
            "enable_rate_limiting": True,
            "max_requests_per_minute": 60,
            "require_authentication": True,
            "session_timeout_minutes": 30,
        },
    }
    write_config(folder, seed_config, {"database": {"url": database_url}})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DUXOS_INSTANCE_PATH", str(folder))
    services = Services.of(load_config())
    with Session() as session:
        for email in ("payer@example.com", "provider@example.com"):
            services.identity(session).register(email, "correct horse battery", "payer")
        credit(session, 1, "250")
        key = services.signing_keys(session).create(2, ["escrow:deliver"])
    yield key.secret
    session.get_bind().engine.dispose()


def test_the_examples_of_the_seed_run_as_written(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    # Initialize escrow manager
    db_session = Session()
    config = load_config("duxos_escrow/config.yaml")
    escrow_manager = EscrowManager(db_session, config=config)

    # Create escrow contract
    escrow = escrow_manager.create_escrow(
        payer_wallet_id=1,
        provider_wallet_id=2,
        amount=100.0,
        service_name="image_upscaler_v1",
        task_id="task_001",
        metadata={"image_size": "1024x1024"},
    )

    print(f"Created escrow: {escrow.id}")  # noqa: T201
    print(f"Provider amount: {escrow.provider_amount} FLOP")  # noqa: T201
    print(f"Community fund: {escrow.community_amount} FLOP")  # noqa: T201
    signature = sign_result(secret, escrow.id, escrow.amount, RESULT_HASH)

    validator = TransactionValidator(db_session)

    # Validate result and signature
    is_valid = validator.validate_result(escrow=escrow, result_hash=RESULT_HASH, provider_signature=signature)
    assert is_valid
    assert not validator.validate_result(
        escrow=escrow, result_hash="abc123...", provider_signature="signature_data..."
    )

    # Release funds after successful task completion
    result = escrow_manager.release_escrow(
        escrow_id=escrow.id, result_hash=RESULT_HASH, provider_signature=signature
    )

    if result:
        print("Escrow released successfully")  # noqa: T201
        print(f"Provider received: {escrow.provider_amount} FLOP")  # noqa: T201
        print(f"Community fund received: {escrow.community_amount} FLOP")  # noqa: T201

    escrow = escrow_manager.create_escrow(1, 2, 50.0, "image_upscaler_v1", "task_002")

    # Refund funds if task fails
    result = escrow_manager.refund_escrow(escrow_id=escrow.id, reason="Task timeout")

    if result:
        print("Escrow refunded successfully")  # noqa: T201

    wallet_integration = WalletIntegration(db_session)
    fund_manager = CommunityFundManager(db_session, wallet_integration, config)

    # Get fund statistics
    stats = fund_manager.get_fund_statistics()
    print(f"Current balance: {stats['current_balance']} FLOP")  # noqa: T201
    print(f"Next airdrop trigger: {stats['next_airdrop_trigger']}")  # noqa: T201

    for number in (1, 2, 3):
        Services.of(config).node_auth(db_session).register_node(f"node_00{number}", 2)
    fill_fund(db_session, "20")

    # Manual airdrop to specific nodes
    result = fund_manager.manual_airdrop(node_ids=["node_001", "node_002", "node_003"], amount_per_node=5.0)

    print(f"Successful airdrops: {result['successful_airdrops']}")  # noqa: T201
    print(f"Total distributed: {result['total_distributed']} FLOP")  # noqa: T201

    payer, provider = (wallet_integration.get_balance(wallet_id) for wallet_id in (1, 2))
    db_session.close()
    assert (str(payer.available), str(payer.held)) == ("150.00000000", "0.00000000")
    assert str(provider.available) == "110.00000000"
    assert capsys.readouterr().out.splitlines()[1:] == [
        "Provider amount: 95.00000000 FLOP",
        "Community fund: 5.00000000 FLOP",
        "Escrow released successfully",
        "Provider received: 95.00000000 FLOP",
        "Community fund received: 5.00000000 FLOP",
        "Escrow refunded successfully",
        "Current balance: 5.00000000 FLOP",
        "Next airdrop trigger: 95.00000000",
        "Successful airdrops: 3",
        "Total distributed: 15.00000000 FLOP",
    ]
