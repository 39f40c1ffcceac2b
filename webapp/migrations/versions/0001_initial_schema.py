"""initial schema"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "account_checkpoints",
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column(
            "total_in",
            sa.Numeric(precision=38, scale=0).with_variant(sa.BigInteger(), "sqlite"),
            nullable=False,
        ),
        sa.Column(
            "total_out",
            sa.Numeric(precision=38, scale=0).with_variant(sa.BigInteger(), "sqlite"),
            nullable=False,
        ),
        sa.Column("last_posting_id", sa.BigInteger(), nullable=False),
        sa.Column("folded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_account_checkpoints")),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("detail", sa.String(length=1000), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alerts")),
    )
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index(
            "uq_alerts_standing",
            ["kind", "subject"],
            unique=True,
            sqlite_where=sa.text("acknowledged_at IS NULL"),
            postgresql_where=sa.text("acknowledged_at IS NULL"),
        )

    op.create_table(
        "chain_cursor",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("since_block", sa.String(length=64), nullable=False),
        sa.Column("tip_hash", sa.String(length=64), nullable=False),
        sa.Column("tip_height", sa.Integer(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chain_cursor")),
    )
    op.create_table(
        "chain_transactions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("txid", sa.String(length=64), nullable=False),
        sa.Column("signed_hex", sa.Text(), nullable=False),
        sa.Column("fee", sa.BigInteger(), nullable=False),
        sa.Column("confirmations", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.String(length=64), nullable=True),
        sa.Column("built_on_block", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("broadcast_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('signed', 'unknown', 'broadcast', 'confirmed', 'replaced')",
            name=op.f("ck_chain_transactions_status_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chain_transactions")),
    )
    with op.batch_alter_table("chain_transactions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_chain_transactions_status"), ["status"], unique=False)
        batch_op.create_index(batch_op.f("ix_chain_transactions_txid"), ["txid"], unique=False)

    op.create_table(
        "community_fund",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("total_collected", sa.BigInteger(), nullable=False),
        sa.Column("total_distributed", sa.BigInteger(), nullable=False),
        sa.Column("airdrop_threshold", sa.BigInteger(), nullable=False),
        sa.Column("min_airdrop_amount", sa.BigInteger(), nullable=False),
        sa.Column("airdrop_interval_hours", sa.Integer(), nullable=False),
        sa.Column("max_airdrop_nodes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_community_fund")),
    )
    with op.batch_alter_table("community_fund", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_community_fund_recorded_at"), ["recorded_at"], unique=False)

    op.create_table(
        "idempotency_keys",
        sa.Column("principal", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("response_status", sa.Integer(), nullable=False),
        sa.Column("response_location", sa.String(length=255), nullable=True),
        sa.Column("response_body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("principal", "key", name=op.f("pk_idempotency_keys")),
    )
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_idempotency_keys_created_at"), ["created_at"], unique=False)

    op.create_table(
        "journal_entries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("escrow_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_entries")),
        sa.UniqueConstraint("key", name=op.f("uq_journal_entries_key")),
    )
    with op.batch_alter_table("journal_entries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_journal_entries_escrow_id"), ["escrow_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_journal_entries_kind_created_at"), ["kind", "created_at"], unique=False
        )

    op.create_table(
        "payout_halts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.String(length=1000), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cleared_by", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout_halts")),
    )
    with op.batch_alter_table("payout_halts", schema=None) as batch_op:
        batch_op.create_index(
            "uq_payout_halts_standing_cause",
            ["cause"],
            unique=True,
            sqlite_where=sa.text("cleared_at IS NULL"),
            postgresql_where=sa.text("cleared_at IS NULL"),
        )

    op.create_table(
        "request_nonces",
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("nonce", sa.String(length=128), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_id", "nonce", name=op.f("pk_request_nonces")),
    )
    with op.batch_alter_table("request_nonces", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_request_nonces_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('payer', 'provider', 'operator', 'arbiter')", name=op.f("ck_users_role_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email", name=op.f("uq_users_email")),
    )
    op.create_table(
        "worker_tasks",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("holder", sa.String(length=128), nullable=False),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_success_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_worker_tasks")),
    )
    op.create_table(
        "chain_transaction_inputs",
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("txid", sa.String(length=64), nullable=False),
        sa.Column("vout", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["transaction_id"],
            ["chain_transactions.id"],
            name=op.f("fk_chain_transaction_inputs_transaction_id"),
        ),
        sa.PrimaryKeyConstraint("transaction_id", "txid", "vout", name=op.f("pk_chain_transaction_inputs")),
    )
    with op.batch_alter_table("chain_transaction_inputs", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_chain_transaction_inputs_txid_vout"), ["txid", "vout"], unique=False
        )

    op.create_table(
        "postings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("journal_entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("destination", sa.String(length=32), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_postings_amount_positive")),
        sa.CheckConstraint("source <> destination", name=op.f("ck_postings_two_accounts")),
        sa.ForeignKeyConstraint(
            ["journal_entry_id"], ["journal_entries.id"], name=op.f("fk_postings_journal_entry_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_postings")),
    )
    with op.batch_alter_table("postings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_postings_destination_id"), ["destination", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_postings_journal_entry_id"), ["journal_entry_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_postings_source_id"), ["source", "id"], unique=False)

    op.create_table(
        "user_sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ip_address", sa.String(length=45), nullable=False),
        sa.Column("user_agent", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_sessions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_user_sessions_token_hash")),
    )
    with op.batch_alter_table("user_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_user_sessions_user_id_id"), ["user_id", "id"], unique=False)

    op.create_table(
        "wallets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("available", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("payout_address", sa.String(length=64), nullable=True),
        sa.Column("is_frozen", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("available >= 0", name=op.f("ck_wallets_available_not_negative")),
        sa.CheckConstraint("held >= 0", name=op.f("ck_wallets_held_not_negative")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_wallets_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wallets")),
    )
    with op.batch_alter_table("wallets", schema=None) as batch_op:
        batch_op.create_index(
            "ix_wallets_frozen",
            ["id"],
            unique=False,
            sqlite_where=sa.text("is_frozen"),
            postgresql_where=sa.text("is_frozen"),
        )
        batch_op.create_index(batch_op.f("ix_wallets_user_id"), ["user_id"], unique=False)

    op.create_table(
        "deposit_addresses",
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("wallet_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["wallet_id"], ["wallets.id"], name=op.f("fk_deposit_addresses_wallet_id")),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_deposit_addresses")),
    )
    with op.batch_alter_table("deposit_addresses", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_deposit_addresses_wallet_id_assigned_at"),
            ["wallet_id", "assigned_at"],
            unique=False,
        )

    op.create_table(
        "nodes",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("wallet_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('active', 'suspended')", name=op.f("ck_nodes_status_known")),
        sa.ForeignKeyConstraint(["wallet_id"], ["wallets.id"], name=op.f("fk_nodes_wallet_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nodes")),
    )
    with op.batch_alter_table("nodes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_nodes_wallet_id"), ["wallet_id"], unique=False)

    op.create_table(
        "deposits",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("wallet_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("txid", sa.String(length=64), nullable=False),
        sa.Column("vout", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("confirmations", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.String(length=64), nullable=True),
        sa.Column("block_height", sa.Integer(), nullable=True),
        sa.Column("credit_round", sa.Integer(), nullable=False),
        sa.Column("shortfall", sa.BigInteger(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("credited_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('seen', 'credited', 'reversed')", name=op.f("ck_deposits_status_known")
        ),
        sa.ForeignKeyConstraint(["address"], ["deposit_addresses.address"], name=op.f("fk_deposits_address")),
        sa.ForeignKeyConstraint(["wallet_id"], ["wallets.id"], name=op.f("fk_deposits_wallet_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deposits")),
        sa.UniqueConstraint("txid", "vout", name=op.f("uq_deposits_txid_vout")),
    )
    with op.batch_alter_table("deposits", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_deposits_status_block_height"), ["status", "block_height"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_deposits_wallet_id_id"), ["wallet_id", "id"], unique=False)

    op.create_table(
        "signing_keys",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("wallet_id", sa.Integer(), nullable=False),
        sa.Column("node_id", sa.String(length=64), nullable=True),
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("secret_sealed", sa.String(length=512), nullable=False),
        sa.Column("scopes", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("spend_limit", sa.BigInteger(), nullable=True),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("answers_for", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "spend_limit IS NULL OR spent <= spend_limit", name=op.f("ck_signing_keys_spent_within_limit")
        ),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_signing_keys_node_id")),
        sa.ForeignKeyConstraint(["wallet_id"], ["wallets.id"], name=op.f("fk_signing_keys_wallet_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_keys")),
    )
    with op.batch_alter_table("signing_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_signing_keys_node_id"), ["node_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_signing_keys_wallet_id_created_at"), ["wallet_id", "created_at"], unique=False
        )

    op.create_table(
        "escrows",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payer_wallet_id", sa.Integer(), nullable=False),
        sa.Column("provider_wallet_id", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("provider_amount", sa.BigInteger(), nullable=False),
        sa.Column("community_amount", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("service_name", sa.String(length=128), nullable=False),
        sa.Column("task_id", sa.String(length=128), nullable=False),
        sa.Column("metadata", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("provider_node_id", sa.String(length=64), nullable=True),
        sa.Column("verifier_key_id", sa.String(length=40), nullable=True),
        sa.Column("expected_result_hash", sa.String(length=64), nullable=True),
        sa.Column("result_hash", sa.String(length=64), nullable=True),
        sa.Column("provider_signature", sa.String(length=64), nullable=True),
        sa.Column("refund_reason", sa.String(length=500), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accept_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refunded_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'active', 'delivered', 'disputed', 'released', 'refunded', 'resolved')",
            name=op.f("ck_escrows_status_known"),
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_escrows_amount_positive")),
        sa.CheckConstraint("payer_wallet_id <> provider_wallet_id", name=op.f("ck_escrows_two_wallets")),
        sa.CheckConstraint(
            "provider_amount + community_amount = amount", name=op.f("ck_escrows_split_is_exact")
        ),
        sa.CheckConstraint(
            "provider_amount >= 0 AND community_amount >= 0", name=op.f("ck_escrows_split_not_negative")
        ),
        sa.ForeignKeyConstraint(["payer_wallet_id"], ["wallets.id"], name=op.f("fk_escrows_payer_wallet_id")),
        sa.ForeignKeyConstraint(["provider_node_id"], ["nodes.id"], name=op.f("fk_escrows_provider_node_id")),
        sa.ForeignKeyConstraint(
            ["provider_wallet_id"], ["wallets.id"], name=op.f("fk_escrows_provider_wallet_id")
        ),
        sa.ForeignKeyConstraint(
            ["verifier_key_id"], ["signing_keys.id"], name=op.f("fk_escrows_verifier_key_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escrows")),
    )
    with op.batch_alter_table("escrows", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_escrows_payer_wallet_id_id"), ["payer_wallet_id", "id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_escrows_payer_wallet_id_status_id"),
            ["payer_wallet_id", "status", "id"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_escrows_provider_wallet_id_id"), ["provider_wallet_id", "id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_escrows_provider_wallet_id_status_id"),
            ["provider_wallet_id", "status", "id"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_escrows_status_accept_by"), ["status", "accept_by"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_escrows_status_expires_at"), ["status", "expires_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_escrows_verifier_key_id_id"), ["verifier_key_id", "id"], unique=False
        )

    op.create_table(
        "disputes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("escrow_id", sa.Uuid(), nullable=False),
        sa.Column("opened_by_wallet_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('open', 'resolved')", name=op.f("ck_disputes_status_known")),
        sa.ForeignKeyConstraint(["escrow_id"], ["escrows.id"], name=op.f("fk_disputes_escrow_id")),
        sa.ForeignKeyConstraint(
            ["opened_by_wallet_id"], ["wallets.id"], name=op.f("fk_disputes_opened_by_wallet_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
    )
    with op.batch_alter_table("disputes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_disputes_escrow_id"), ["escrow_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_disputes_status_created_at"), ["status", "created_at"], unique=False
        )

    op.create_table(
        "escrow_transactions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("escrow_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["escrow_id"], ["escrows.id"], name=op.f("fk_escrow_transactions_escrow_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_escrow_transactions")),
        sa.UniqueConstraint("escrow_id", "sequence", name=op.f("uq_escrow_transactions_escrow_id_sequence")),
    )
    op.create_table(
        "payouts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("wallet_id", sa.Integer(), nullable=False),
        sa.Column("escrow_id", sa.Uuid(), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("gross", sa.BigInteger(), nullable=False),
        sa.Column("fee", sa.BigInteger(), nullable=True),
        sa.Column("net", sa.BigInteger(), nullable=True),
        sa.Column("fee_paid_by", sa.String(length=16), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=True),
        sa.Column("output_index", sa.Integer(), nullable=True),
        sa.Column("claim_token", sa.String(length=128), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status_since", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("fee_paid_by IN ('recipient', 'fund')", name=op.f("ck_payouts_fee_payer_known")),
        sa.CheckConstraint(
            "net IS NULL OR (fee_paid_by = 'recipient' AND net + fee = gross) OR (fee_paid_by = 'fund' AND net = gross)",
            name=op.f("ck_payouts_net_is_exact"),
        ),
        sa.CheckConstraint(
            "status IN ('queued', 'claimed', 'signed', 'broadcast', 'unknown', 'confirmed', 'failed')",
            name=op.f("ck_payouts_status_known"),
        ),
        sa.CheckConstraint("gross > 0", name=op.f("ck_payouts_gross_positive")),
        sa.ForeignKeyConstraint(["escrow_id"], ["escrows.id"], name=op.f("fk_payouts_escrow_id")),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["chain_transactions.id"], name=op.f("fk_payouts_transaction_id")
        ),
        sa.ForeignKeyConstraint(["wallet_id"], ["wallets.id"], name=op.f("fk_payouts_wallet_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payouts")),
    )
    with op.batch_alter_table("payouts", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_payouts_escrow_id"), ["escrow_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_payouts_status_next_attempt_at"), ["status", "next_attempt_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_payouts_transaction_id"), ["transaction_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_payouts_wallet_id_id"), ["wallet_id", "id"], unique=False)


def downgrade():
    with op.batch_alter_table("payouts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_payouts_wallet_id_id"))
        batch_op.drop_index(batch_op.f("ix_payouts_transaction_id"))
        batch_op.drop_index(batch_op.f("ix_payouts_status_next_attempt_at"))
        batch_op.drop_index(batch_op.f("ix_payouts_escrow_id"))

    op.drop_table("payouts")
    op.drop_table("escrow_transactions")
    with op.batch_alter_table("disputes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_disputes_status_created_at"))
        batch_op.drop_index(batch_op.f("ix_disputes_escrow_id"))

    op.drop_table("disputes")
    with op.batch_alter_table("escrows", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_escrows_verifier_key_id_id"))
        batch_op.drop_index(batch_op.f("ix_escrows_status_expires_at"))
        batch_op.drop_index(batch_op.f("ix_escrows_status_accept_by"))
        batch_op.drop_index(batch_op.f("ix_escrows_provider_wallet_id_status_id"))
        batch_op.drop_index(batch_op.f("ix_escrows_provider_wallet_id_id"))
        batch_op.drop_index(batch_op.f("ix_escrows_payer_wallet_id_status_id"))
        batch_op.drop_index(batch_op.f("ix_escrows_payer_wallet_id_id"))

    op.drop_table("escrows")
    with op.batch_alter_table("signing_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_signing_keys_wallet_id_created_at"))
        batch_op.drop_index(batch_op.f("ix_signing_keys_node_id"))

    op.drop_table("signing_keys")
    with op.batch_alter_table("deposits", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_deposits_wallet_id_id"))
        batch_op.drop_index(batch_op.f("ix_deposits_status_block_height"))

    op.drop_table("deposits")
    with op.batch_alter_table("nodes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_nodes_wallet_id"))

    op.drop_table("nodes")
    with op.batch_alter_table("deposit_addresses", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_deposit_addresses_wallet_id_assigned_at"))

    op.drop_table("deposit_addresses")
    with op.batch_alter_table("wallets", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_wallets_user_id"))
        batch_op.drop_index(
            "ix_wallets_frozen", sqlite_where=sa.text("is_frozen"), postgresql_where=sa.text("is_frozen")
        )

    op.drop_table("wallets")
    with op.batch_alter_table("user_sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_user_sessions_user_id_id"))

    op.drop_table("user_sessions")
    with op.batch_alter_table("postings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_postings_source_id"))
        batch_op.drop_index(batch_op.f("ix_postings_journal_entry_id"))
        batch_op.drop_index(batch_op.f("ix_postings_destination_id"))

    op.drop_table("postings")
    with op.batch_alter_table("chain_transaction_inputs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_chain_transaction_inputs_txid_vout"))

    op.drop_table("chain_transaction_inputs")
    op.drop_table("worker_tasks")
    op.drop_table("users")
    with op.batch_alter_table("request_nonces", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_request_nonces_expires_at"))

    op.drop_table("request_nonces")
    with op.batch_alter_table("payout_halts", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_payout_halts_standing_cause",
            sqlite_where=sa.text("cleared_at IS NULL"),
            postgresql_where=sa.text("cleared_at IS NULL"),
        )

    op.drop_table("payout_halts")
    with op.batch_alter_table("journal_entries", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_journal_entries_kind_created_at"))
        batch_op.drop_index(batch_op.f("ix_journal_entries_escrow_id"))

    op.drop_table("journal_entries")
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_idempotency_keys_created_at"))

    op.drop_table("idempotency_keys")
    with op.batch_alter_table("community_fund", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_community_fund_recorded_at"))

    op.drop_table("community_fund")
    with op.batch_alter_table("chain_transactions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_chain_transactions_txid"))
        batch_op.drop_index(batch_op.f("ix_chain_transactions_status"))

    op.drop_table("chain_transactions")
    op.drop_table("chain_cursor")
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_alerts_standing",
            sqlite_where=sa.text("acknowledged_at IS NULL"),
            postgresql_where=sa.text("acknowledged_at IS NULL"),
        )

    op.drop_table("alerts")
    op.drop_table("account_checkpoints")
