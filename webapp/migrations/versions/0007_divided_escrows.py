"""escrows that are divided, and the fund's share as it was agreed"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

DIVISION = (
    "(status = 'resolved') = (resolved_provider_amount IS NOT NULL)"
    " AND (resolved_provider_amount IS NULL) = (resolved_community_amount IS NULL)"
    " AND resolved_provider_amount + resolved_community_amount < amount"
)


def upgrade():
    with op.batch_alter_table("escrows") as table:
        table.add_column(
            sa.Column("fund_basis_points", sa.SmallInteger(), nullable=False, server_default="500")
        )
        table.add_column(sa.Column("resolved_provider_amount", sa.BigInteger()))
        table.add_column(sa.Column("resolved_community_amount", sa.BigInteger()))
        table.create_check_constraint(op.f("ck_escrows_division_is_told"), DIVISION)
    # The share is whole basis points, so that the nearest ones to the two amounts are those that were agreed.
    op.execute(
        "UPDATE escrows SET fund_basis_points = ROUND(community_amount * 10000.0 / amount) WHERE amount > 10000"
    )


def downgrade():
    with op.batch_alter_table("escrows") as table:
        table.drop_constraint(op.f("ck_escrows_division_is_told"), type_="check")
        table.drop_column("resolved_community_amount")
        table.drop_column("resolved_provider_amount")
        table.drop_column("fund_basis_points")
