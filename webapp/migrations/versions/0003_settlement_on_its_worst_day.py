"""upkeep transactions, held and approved payouts, escrows paid by deposit, outages, reserves and their proof"""

import sqlalchemy as sa
from alembic import op
from embit.transaction import Transaction
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
APPEND_ONLY = "operator_actions"

PAYOUT_STATES = "'queued', 'claimed', 'signed', 'broadcast', 'unknown', 'confirmed', 'failed'"


def upgrade():
    _make_operations()
    _make_reserves()
    _widen_transactions()
    _widen_payouts(f"'awaiting_approval', 'held', {PAYOUT_STATES}", 32)
    with op.batch_alter_table("payouts") as table:
        table.add_column(sa.Column("requested_by", sa.String(64), nullable=False, server_default="worker"))
        table.add_column(sa.Column("approved_by", sa.String(64)))
        table.add_column(
            sa.Column("is_return_requested", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        table.add_column(sa.Column("times_undone", sa.Integer(), nullable=False, server_default="0"))
    _drop_defaults("payouts", "requested_by", "is_return_requested", "times_undone")
    op.create_index(op.f("ix_payouts_wallet_id_transaction_id"), "payouts", ["wallet_id", "transaction_id"])
    op.create_index(op.f("ix_payouts_status_status_since"), "payouts", ["status", "status_since"])
    _widen_escrows()
    _widen_addresses()
    _widen_deposits()
    _refuse_change(APPEND_ONLY)


def _make_operations():
    op.create_table(
        "operator_actions",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("detail", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_actions")),
    )
    op.create_index(op.f("ix_operator_actions_subject_id"), "operator_actions", ["subject", "id"])
    op.create_table(
        "pulses",
        sa.Column("part", sa.String(16), nullable=False),
        sa.Column("last_good_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("part", name=op.f("pk_pulses")),
    )
    op.create_table(
        "outages",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("parts", sa.String(64), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=False),
        sa.Column("applied_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outages")),
    )


def _make_reserves():
    op.create_table(
        "daemon_figures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("immature_balance", sa.BigInteger(), nullable=False),
        sa.Column("coins", sa.Integer(), nullable=False),
        sa.Column("fee_rate", sa.BigInteger(), nullable=False),
        sa.Column("block_height", sa.Integer(), nullable=False),
        sa.Column("headers", sa.Integer(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_daemon_figures")),
    )
    op.create_table(
        "reconciliations",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("block_height", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.String(64), nullable=False),
        sa.Column("owed", sa.BigInteger(), nullable=False),
        sa.Column("in_flight", sa.BigInteger(), nullable=False),
        sa.Column("cold", sa.BigInteger(), nullable=False),
        sa.Column("expected", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("unexplained", sa.BigInteger(), nullable=False),
        sa.Column("checked_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliations")),
        sa.UniqueConstraint("block_hash", name=op.f("uq_reconciliations_block_hash")),
    )
    op.create_index(op.f("ix_reconciliations_checked_at"), "reconciliations", ["checked_at"])
    op.create_table(
        "unexplained_coins",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("txid", sa.String(64), nullable=False),
        sa.Column("vout", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("confirmations", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.String(64)),
        sa.Column("block_height", sa.Integer()),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("wallet_id", sa.Integer()),
        sa.Column("first_seen_at", MOMENT, nullable=False),
        sa.Column("settled_at", MOMENT),
        sa.Column("settled_by", sa.String(64), nullable=False),
        sa.CheckConstraint(
            "status IN ('open', 'assigned', 'ours', 'gone')", name=op.f("ck_unexplained_coins_status_known")
        ),
        sa.ForeignKeyConstraint(["wallet_id"], ["wallets.id"], name=op.f("fk_unexplained_coins_wallet_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unexplained_coins")),
        sa.UniqueConstraint("txid", "vout", name=op.f("uq_unexplained_coins_txid_vout")),
    )
    op.create_index(op.f("ix_unexplained_coins_status_id"), "unexplained_coins", ["status", "id"])
    op.create_table(
        "solvency_statements",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("block_height", sa.Integer(), nullable=False),
        sa.Column("block_hash", sa.String(64), nullable=False),
        sa.Column("root_hash", sa.String(64), nullable=False),
        sa.Column("liabilities", sa.BigInteger(), nullable=False),
        sa.Column("reserves", sa.BigInteger(), nullable=False),
        sa.Column("document", JSON, nullable=False),
        sa.Column("subtrees", JSON, nullable=False),
        sa.Column("published_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_solvency_statements")),
    )
    op.create_table(
        "solvency_leaves",
        sa.Column("statement_id", BIG_KEY, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("wallet_id", sa.Integer()),
        sa.Column("label", sa.String(64), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("nonce", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["statement_id"], ["solvency_statements.id"], name=op.f("fk_solvency_leaves_statement_id")
        ),
        sa.ForeignKeyConstraint(["wallet_id"], ["wallets.id"], name=op.f("fk_solvency_leaves_wallet_id")),
        sa.PrimaryKeyConstraint("statement_id", "position", name=op.f("pk_solvency_leaves")),
    )
    op.create_index(
        op.f("ix_solvency_leaves_statement_id_wallet_id"), "solvency_leaves", ["statement_id", "wallet_id"]
    )


def _widen_transactions():
    with op.batch_alter_table("chain_transactions") as table:
        table.add_column(sa.Column("kind", sa.String(16), nullable=False, server_default="payouts"))
        table.add_column(sa.Column("parent_id", sa.Uuid()))
        table.add_column(sa.Column("amount", sa.BigInteger(), nullable=False, server_default="0"))
        table.add_column(sa.Column("size", sa.Integer(), nullable=False, server_default="0"))
        table.add_column(sa.Column("change_index", sa.Integer()))
        table.add_column(sa.Column("block_height", sa.Integer()))
        table.add_column(sa.Column("times_undone", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE chain_transactions SET size = length(signed_hex) / 2")
    _remember_depth()
    _remember_change()
    with op.batch_alter_table("chain_transactions") as table:
        for column in ("kind", "amount", "size", "times_undone"):
            table.alter_column(column, server_default=None)
        table.create_check_constraint(
            op.f("ck_chain_transactions_kind_known"),
            "kind IN ('payouts', 'merge', 'sweep', 'fee_bump', 'cancel')",
        )
        table.create_foreign_key(
            op.f("fk_chain_transactions_parent_id"), "chain_transactions", ["parent_id"], ["id"]
        )
    op.create_index(op.f("ix_chain_transactions_parent_id"), "chain_transactions", ["parent_id"])
    op.drop_index(op.f("ix_chain_transactions_status"), "chain_transactions")
    op.create_index(
        op.f("ix_chain_transactions_status_block_height"), "chain_transactions", ["status", "block_height"]
    )


def _remember_depth():
    """What was final or given up is watched for as long as if it had become so at the last block that was read."""
    op.execute(
        "UPDATE chain_transactions SET block_height = (SELECT tip_height FROM chain_cursor WHERE id = 1) "
        "WHERE status IN ('confirmed', 'replaced')"
    )


def _remember_change():
    """The change of a transaction that is on its way is the one output that no payout names."""
    connection = op.get_bind()
    on_their_way = connection.execute(
        sa.text(
            "SELECT id, signed_hex FROM chain_transactions WHERE status IN ('signed', 'unknown', 'broadcast')"
        )
    ).all()
    for transaction_id, signed_hex in on_their_way:
        named = connection.execute(
            sa.text("SELECT output_index FROM payouts WHERE transaction_id = :id"), {"id": transaction_id}
        ).scalars()
        outputs = len(Transaction.from_string(signed_hex).vout)
        others = set(range(outputs)) - set(named)
        if len(others) == 1:
            connection.execute(
                sa.text("UPDATE chain_transactions SET change_index = :index WHERE id = :id"),
                {"index": others.pop(), "id": transaction_id},
            )


def _widen_payouts(states, length):
    with op.batch_alter_table("payouts") as table:
        table.drop_constraint(op.f("ck_payouts_status_known"), type_="check")
        table.alter_column("status", type_=sa.String(length), existing_nullable=False)
        table.create_check_constraint(op.f("ck_payouts_status_known"), f"status IN ({states})")


def _widen_escrows():
    with op.batch_alter_table("escrows") as table:
        table.add_column(sa.Column("funding", sa.String(16), nullable=False, server_default="balance"))
        table.add_column(sa.Column("deposit_address", sa.String(64)))
        table.add_column(sa.Column("deposited_amount", sa.BigInteger(), nullable=False, server_default="0"))
        table.add_column(sa.Column("refund_address", sa.String(64)))
        table.add_column(sa.Column("fund_by", MOMENT))
        table.add_column(sa.Column("outage_id", sa.Integer(), nullable=False, server_default="0"))
        table.create_check_constraint(op.f("ck_escrows_funding_known"), "funding IN ('balance', 'deposit')")
        table.create_check_constraint(
            op.f("ck_escrows_deposited_within_amount"), "deposited_amount >= 0 AND deposited_amount <= amount"
        )
    _drop_defaults("escrows", "funding", "deposited_amount", "outage_id")
    op.create_index(op.f("ix_escrows_status_fund_by"), "escrows", ["status", "fund_by"])


def _widen_addresses():
    with op.batch_alter_table("deposit_addresses") as table:
        table.add_column(sa.Column("purpose", sa.String(16), nullable=False, server_default="stock"))
        table.add_column(sa.Column("escrow_id", sa.Uuid()))
    op.execute("UPDATE deposit_addresses SET purpose = 'wallet' WHERE wallet_id IS NOT NULL")
    with op.batch_alter_table("deposit_addresses") as table:
        table.alter_column("purpose", server_default=None)
        table.create_foreign_key(op.f("fk_deposit_addresses_escrow_id"), "escrows", ["escrow_id"], ["id"])
        table.create_check_constraint(
            op.f("ck_deposit_addresses_purpose_known"), "purpose IN ('stock', 'wallet', 'escrow', 'refill')"
        )
        table.create_check_constraint(
            op.f("ck_deposit_addresses_wallet_fits_purpose"),
            "(purpose IN ('wallet', 'escrow')) = (wallet_id IS NOT NULL)",
        )
        table.create_check_constraint(
            op.f("ck_deposit_addresses_escrow_fits_purpose"),
            "(purpose = 'escrow') = (escrow_id IS NOT NULL)",
        )
    op.create_index(op.f("ix_deposit_addresses_escrow_id"), "deposit_addresses", ["escrow_id"])
    op.create_index(
        op.f("ix_deposit_addresses_purpose_created_at"), "deposit_addresses", ["purpose", "created_at"]
    )


def _widen_deposits():
    with op.batch_alter_table("deposits") as table:
        table.alter_column("wallet_id", existing_type=sa.Integer(), nullable=True)
        table.add_column(sa.Column("escrow_id", sa.Uuid()))
        table.add_column(sa.Column("held_amount", sa.BigInteger(), nullable=False, server_default="0"))
        table.add_column(sa.Column("disposition", sa.String(16), nullable=False, server_default="balance"))
        table.create_foreign_key(op.f("fk_deposits_escrow_id"), "escrows", ["escrow_id"], ["id"])
        table.create_check_constraint(
            op.f("ck_deposits_disposition_known"),
            "disposition IN ('balance', 'refill', 'part', 'exact', 'over', 'double', 'late')",
        )
        table.create_check_constraint(op.f("ck_deposits_held_within_amount"), "held_amount <= amount")
    _drop_defaults("deposits", "held_amount", "disposition")
    with op.batch_alter_table("chain_cursor") as table:
        table.add_column(sa.Column("pass_number", sa.Integer(), nullable=False, server_default="0"))
    _drop_defaults("chain_cursor", "pass_number")
    op.create_index(op.f("ix_deposits_escrow_id"), "deposits", ["escrow_id"])


def _drop_defaults(table_name, *columns):
    """What was needed for the rows that exist; from here on the program says what it means."""
    with op.batch_alter_table(table_name) as table:
        for column in columns:
            table.alter_column(column, server_default=None)


def _refuse_change(table):
    if op.get_bind().dialect.name == "sqlite":
        for event in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_refuse_{event.lower()} BEFORE {event} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    op.execute(
        f"CREATE TRIGGER {table}_refuse_change BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    op.execute(
        f"CREATE TRIGGER {table}_refuse_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade():
    _narrow_deposits()
    _narrow_addresses()
    _narrow_escrows()
    op.drop_index(op.f("ix_payouts_status_status_since"), "payouts")
    op.drop_index(op.f("ix_payouts_wallet_id_transaction_id"), "payouts")
    with op.batch_alter_table("payouts") as table:
        for column in ("requested_by", "approved_by", "is_return_requested", "times_undone"):
            table.drop_column(column)
    op.execute("UPDATE payouts SET status = 'queued' WHERE status IN ('awaiting_approval', 'held')")
    _widen_payouts(PAYOUT_STATES, 16)
    _narrow_transactions()
    for table in (
        "solvency_leaves",
        "solvency_statements",
        "unexplained_coins",
        "reconciliations",
        "daemon_figures",
        "outages",
        "pulses",
        "operator_actions",
    ):
        op.drop_table(table)


def _narrow_deposits():
    with op.batch_alter_table("chain_cursor") as table:
        table.drop_column("pass_number")
    op.drop_index(op.f("ix_deposits_escrow_id"), "deposits")
    with op.batch_alter_table("deposits") as table:
        table.drop_constraint(op.f("ck_deposits_held_within_amount"), type_="check")
        table.drop_constraint(op.f("ck_deposits_disposition_known"), type_="check")
        table.drop_constraint(op.f("fk_deposits_escrow_id"), type_="foreignkey")
        for column in ("escrow_id", "held_amount", "disposition"):
            table.drop_column(column)
        table.alter_column("wallet_id", existing_type=sa.Integer(), nullable=False)


def _narrow_addresses():
    op.drop_index(op.f("ix_deposit_addresses_purpose_created_at"), "deposit_addresses")
    op.drop_index(op.f("ix_deposit_addresses_escrow_id"), "deposit_addresses")
    with op.batch_alter_table("deposit_addresses") as table:
        for check in ("purpose_known", "wallet_fits_purpose", "escrow_fits_purpose"):
            table.drop_constraint(op.f(f"ck_deposit_addresses_{check}"), type_="check")
        table.drop_constraint(op.f("fk_deposit_addresses_escrow_id"), type_="foreignkey")
        table.drop_column("escrow_id")
        table.drop_column("purpose")


def _narrow_escrows():
    op.drop_index(op.f("ix_escrows_status_fund_by"), "escrows")
    with op.batch_alter_table("escrows") as table:
        for check in ("funding_known", "deposited_within_amount"):
            table.drop_constraint(op.f(f"ck_escrows_{check}"), type_="check")
        for column in (
            "funding",
            "deposit_address",
            "deposited_amount",
            "refund_address",
            "fund_by",
            "outage_id",
        ):
            table.drop_column(column)


def _narrow_transactions():
    op.drop_index(op.f("ix_chain_transactions_parent_id"), "chain_transactions")
    op.drop_index(op.f("ix_chain_transactions_status_block_height"), "chain_transactions")
    with op.batch_alter_table("chain_transactions") as table:
        table.drop_constraint(op.f("ck_chain_transactions_kind_known"), type_="check")
        table.drop_constraint(op.f("fk_chain_transactions_parent_id"), type_="foreignkey")
        for column in (
            "kind",
            "parent_id",
            "amount",
            "size",
            "change_index",
            "block_height",
            "times_undone",
        ):
            table.drop_column(column)
    op.create_index(op.f("ix_chain_transactions_status"), "chain_transactions", ["status"])
