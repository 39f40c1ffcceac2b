"""the language that a user has chosen to read"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("users", sa.Column("language", sa.String(16)))


def downgrade():
    with op.batch_alter_table("users") as table:
        table.drop_column("language")
