"""nodes with health and reputation, airdrops with their snapshots, changes of the fund's rules"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
WORKED = sa.text("worked_by_node_id IS NOT NULL")


def upgrade():
    _widen_nodes()
    _make_node_tables()
    _make_airdrops()
    with op.batch_alter_table("escrows") as table:
        table.add_column(sa.Column("worked_by_node_id", sa.String(64)))
        table.create_foreign_key(op.f("fk_escrows_worked_by_node_id"), "nodes", ["worked_by_node_id"], ["id"])
    op.execute("UPDATE escrows SET worked_by_node_id = provider_node_id")
    op.create_index(
        "ix_escrows_worked_by",
        "escrows",
        ["worked_by_node_id", "id"],
        sqlite_where=WORKED,
        postgresql_where=WORKED,
    )
    with op.batch_alter_table("payouts") as table:
        table.alter_column("wallet_id", existing_type=sa.Integer(), nullable=True)


def _widen_nodes():
    with op.batch_alter_table("nodes") as table:
        table.add_column(sa.Column("status_reason", sa.String(500), nullable=False, server_default=""))
        table.add_column(sa.Column("status_since", MOMENT))
        table.add_column(sa.Column("region", sa.String(32), nullable=False, server_default=""))
        table.add_column(sa.Column("version", sa.String(32), nullable=False, server_default=""))
        table.add_column(sa.Column("airdrop_to", sa.String(16), nullable=False, server_default="balance"))
        table.add_column(sa.Column("airdrop_address", sa.String(64)))
        table.add_column(sa.Column("verified_at", MOMENT))
    op.execute("UPDATE nodes SET status_since = registered_at")
    with op.batch_alter_table("nodes") as table:
        table.alter_column("status_since", existing_type=MOMENT, nullable=False)
        for column in ("status_reason", "region", "version", "airdrop_to"):
            table.alter_column(column, server_default=None)
        table.create_check_constraint(op.f("ck_nodes_airdrop_to_known"), "airdrop_to IN ('balance', 'chain')")
    op.create_index(op.f("ix_nodes_region_id"), "nodes", ["region", "id"])


def _make_node_tables():
    op.create_table(
        "node_capabilities",
        sa.Column("node_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_node_capabilities_node_id")),
        sa.PrimaryKeyConstraint("node_id", "name", name=op.f("pk_node_capabilities")),
    )
    op.create_index(op.f("ix_node_capabilities_name_node_id"), "node_capabilities", ["name", "node_id"])
    op.create_table(
        "node_heartbeats",
        sa.Column("node_id", sa.String(64), nullable=False),
        sa.Column("last_beat_at", MOMENT, nullable=False),
        sa.Column("signed_at", MOMENT, nullable=False),
        sa.Column("load", sa.Integer(), nullable=False),
        sa.Column("tasks_running", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_node_heartbeats_node_id")),
        sa.PrimaryKeyConstraint("node_id", name=op.f("pk_node_heartbeats")),
    )
    op.create_table(
        "node_challenges",
        sa.Column("node_id", sa.String(64), nullable=False),
        sa.Column("challenge", sa.String(64), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_node_challenges_node_id")),
        sa.PrimaryKeyConstraint("node_id", name=op.f("pk_node_challenges")),
    )
    op.create_table(
        "node_days",
        sa.Column("node_id", sa.String(64), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("released", sa.Integer(), nullable=False),
        sa.Column("released_amount", sa.BigInteger(), nullable=False),
        sa.Column("refunded", sa.Integer(), nullable=False),
        sa.Column("late", sa.Integer(), nullable=False),
        sa.Column("disputes_lost", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["node_id"], ["nodes.id"], name=op.f("fk_node_days_node_id")),
        sa.PrimaryKeyConstraint("node_id", "day", name=op.f("pk_node_days")),
    )
    op.create_index(op.f("ix_node_days_day"), "node_days", ["day"])


def _make_airdrops():
    op.create_table(
        "airdrops",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("requested_by", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("taken_at", MOMENT, nullable=False),
        sa.Column("block_height", sa.Integer(), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("recipient_count", sa.Integer(), nullable=False),
        sa.Column("snapshot_hash", sa.String(64), nullable=False),
        sa.Column("posted_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.CheckConstraint("kind IN ('automatic', 'manual')", name=op.f("ck_airdrops_kind_known")),
        sa.CheckConstraint(
            "status IN ('snapshot', 'paying', 'done', 'abandoned')", name=op.f("ck_airdrops_status_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_airdrops")),
        sa.UniqueConstraint("number", name=op.f("uq_airdrops_number")),
    )
    op.create_index(op.f("ix_airdrops_status"), "airdrops", ["status"])
    op.create_index(op.f("ix_airdrops_kind_taken_at"), "airdrops", ["kind", "taken_at"])
    op.create_table(
        "airdrop_snapshots",
        sa.Column("airdrop_id", sa.Uuid(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["airdrop_id"], ["airdrops.id"], name=op.f("fk_airdrop_snapshots_airdrop_id")
        ),
        sa.PrimaryKeyConstraint("airdrop_id", name=op.f("pk_airdrop_snapshots")),
    )
    op.create_table(
        "airdrop_recipients",
        sa.Column("airdrop_id", sa.Uuid(), nullable=False),
        sa.Column("node_id", sa.String(64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("wallet_id", sa.Integer()),
        sa.Column("pay_to", sa.String(16), nullable=False),
        sa.Column("address", sa.String(64)),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("payout_id", sa.Uuid()),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.CheckConstraint("pay_to IN ('balance', 'chain')", name=op.f("ck_airdrop_recipients_pay_to_known")),
        sa.CheckConstraint(
            "status IN ('chosen', 'credited', 'paying', 'paid', 'failed')",
            name=op.f("ck_airdrop_recipients_status_known"),
        ),
        sa.CheckConstraint(
            "wallet_id IS NOT NULL OR pay_to = 'chain'", name=op.f("ck_airdrop_recipients_wallet_or_address")
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_airdrop_recipients_amount_positive")),
        sa.ForeignKeyConstraint(
            ["airdrop_id"], ["airdrops.id"], name=op.f("fk_airdrop_recipients_airdrop_id")
        ),
        sa.ForeignKeyConstraint(["wallet_id"], ["wallets.id"], name=op.f("fk_airdrop_recipients_wallet_id")),
        sa.ForeignKeyConstraint(["payout_id"], ["payouts.id"], name=op.f("fk_airdrop_recipients_payout_id")),
        sa.PrimaryKeyConstraint("airdrop_id", "node_id", name=op.f("pk_airdrop_recipients")),
    )
    for columns in (
        ["airdrop_id", "position"],
        ["airdrop_id", "status"],
        ["node_id", "airdrop_id"],
        ["payout_id"],
    ):
        op.create_index(op.f(f"ix_airdrop_recipients_{'_'.join(columns)}"), "airdrop_recipients", columns)
    op.create_table(
        "airdrop_waits",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("due_since", MOMENT),
        sa.Column("blocked_since", MOMENT),
        sa.Column("reason", sa.String(1000), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_airdrop_waits")),
    )
    op.create_table(
        "fund_rule_changes",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("decided_at", MOMENT, nullable=False),
        sa.Column("decided_by", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("effective_at", MOMENT, nullable=False),
        sa.Column("changes", JSON, nullable=False),
        sa.Column("withdrawn_at", MOMENT),
        sa.Column("withdrawn_by", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fund_rule_changes")),
    )
    op.create_index(op.f("ix_fund_rule_changes_effective_at"), "fund_rule_changes", ["effective_at"])


def downgrade():
    for table in (
        "fund_rule_changes",
        "airdrop_waits",
        "airdrop_recipients",
        "airdrop_snapshots",
        "airdrops",
        "node_days",
        "node_challenges",
        "node_heartbeats",
        "node_capabilities",
    ):
        op.drop_table(table)
    with op.batch_alter_table("payouts") as table:
        table.alter_column("wallet_id", existing_type=sa.Integer(), nullable=False)
    op.drop_index("ix_escrows_worked_by", "escrows")
    with op.batch_alter_table("escrows") as table:
        table.drop_constraint(op.f("fk_escrows_worked_by_node_id"), type_="foreignkey")
        table.drop_column("worked_by_node_id")
    op.drop_index(op.f("ix_nodes_region_id"), "nodes")
    with op.batch_alter_table("nodes") as table:
        table.drop_constraint(op.f("ck_nodes_airdrop_to_known"), type_="check")
        for column in (
            "status_reason",
            "status_since",
            "region",
            "version",
            "airdrop_to",
            "airdrop_address",
            "verified_at",
        ):
            table.drop_column(column)
