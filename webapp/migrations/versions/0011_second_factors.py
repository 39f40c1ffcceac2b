"""second factors, their recovery codes, and when a session's user last proved who they are"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade():
    op.create_table(
        "second_factors",
        sa.Column("user_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed_secret", sa.String(255), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("confirmed_at", MOMENT),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_second_factors_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_second_factors")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("used_at", MOMENT),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
        sa.UniqueConstraint("user_id", "code_hash", name=op.f("uq_recovery_codes_user_id_code_hash")),
    )
    # The log-in was a proof, too.
    op.add_column("user_sessions", sa.Column("confirmed_at", MOMENT))
    op.execute("UPDATE user_sessions SET confirmed_at = created_at")
    with op.batch_alter_table("user_sessions") as table:
        table.alter_column("confirmed_at", existing_type=MOMENT, nullable=False)


def downgrade():
    with op.batch_alter_table("user_sessions") as table:
        table.drop_column("confirmed_at")
    op.drop_table("recovery_codes")
    op.drop_table("second_factors")
