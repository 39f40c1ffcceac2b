"""escrows that are the parts of one plan"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

IS_PART = sa.text("plan_id IS NOT NULL")
PART = "(plan_id IS NULL) = (part_number IS NULL) AND (plan_id IS NULL) = (part_title IS NULL)"


def upgrade():
    op.create_table(
        "plans",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("payer_wallet_id", sa.Integer(), nullable=False),
        sa.Column("provider_wallet_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(128), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("parts", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("total > 0", name=op.f("ck_plans_total_positive")),
        sa.CheckConstraint("parts >= 2", name=op.f("ck_plans_has_parts")),
        sa.CheckConstraint("payer_wallet_id <> provider_wallet_id", name=op.f("ck_plans_two_wallets")),
        sa.ForeignKeyConstraint(["payer_wallet_id"], ["wallets.id"], name=op.f("fk_plans_payer_wallet_id")),
        sa.ForeignKeyConstraint(
            ["provider_wallet_id"], ["wallets.id"], name=op.f("fk_plans_provider_wallet_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
    )
    for column in ("payer_wallet_id", "provider_wallet_id"):
        op.create_index(op.f(f"ix_plans_{column}_id"), "plans", [column, "id"])
    with op.batch_alter_table("escrows") as table:
        table.add_column(sa.Column("plan_id", sa.Uuid()))
        table.add_column(sa.Column("part_number", sa.SmallInteger()))
        table.add_column(sa.Column("part_title", sa.String(128)))
        table.create_foreign_key(op.f("fk_escrows_plan_id"), "plans", ["plan_id"], ["id"])
        table.create_check_constraint(op.f("ck_escrows_part_is_whole"), PART)
    op.create_index(
        "uq_escrows_part",
        "escrows",
        ["plan_id", "part_number"],
        unique=True,
        sqlite_where=IS_PART,
        postgresql_where=IS_PART,
    )


def downgrade():
    op.drop_index("uq_escrows_part", "escrows")
    with op.batch_alter_table("escrows") as table:
        table.drop_constraint(op.f("ck_escrows_part_is_whole"), type_="check")
        table.drop_constraint(op.f("fk_escrows_plan_id"), type_="foreignkey")
        table.drop_column("part_title")
        table.drop_column("part_number")
        table.drop_column("plan_id")
    op.drop_table("plans")
