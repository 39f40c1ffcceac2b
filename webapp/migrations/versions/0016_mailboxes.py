"""where mail to users goes"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade():
    op.create_table(
        "mailboxes",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(254)),
        sa.Column("asked_for", sa.String(254)),
        sa.Column("asked_at", MOMENT),
        sa.Column("confirmed_at", MOMENT),
        sa.Column("refused_at", MOMENT),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", MOMENT, nullable=False),
        sa.Column("held_until", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_mailboxes_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_mailboxes")),
    )
    op.create_index(op.f("ix_mailboxes_asked_for"), "mailboxes", ["asked_for"])


def downgrade():
    op.drop_table("mailboxes")
