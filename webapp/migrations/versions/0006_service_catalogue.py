"""the service catalogue, and on an escrow the rules of the service that it ordered"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
INDEXES = ("provider_wallet_id", "is_active", "kind")


def upgrade():
    op.create_table(
        "services",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("provider_wallet_id", sa.Integer(), nullable=False),
        sa.Column("price", sa.BigInteger()),
        sa.Column("limits", JSON, nullable=False),
        sa.Column("requires_result", sa.Boolean(), nullable=False),
        sa.Column("deadline_hours", sa.Integer()),
        sa.Column("acceptance_hours", sa.Integer()),
        sa.Column("description", sa.String(1000), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "kind IN ('hash', 'image', 'text', 'computation', 'file')", name=op.f("ck_services_kind_known")
        ),
        sa.CheckConstraint("price IS NULL OR price > 0", name=op.f("ck_services_price_positive")),
        sa.ForeignKeyConstraint(
            ["provider_wallet_id"], ["wallets.id"], name=op.f("fk_services_provider_wallet_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_services")),
        sa.UniqueConstraint("provider_wallet_id", "name", name=op.f("uq_services_provider_wallet_id_name")),
    )
    for column in INDEXES:
        op.create_index(op.f(f"ix_services_{column}_id"), "services", [column, "id"])
    op.add_column("escrows", sa.Column("service_terms", JSON))


def downgrade():
    with op.batch_alter_table("escrows") as table:
        table.drop_column("service_terms")
    op.drop_table("services")
