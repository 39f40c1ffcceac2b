"""indexes for the orders in which escrows are listed"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INDEXES = (
    ("status", "id"),
    ("payer_wallet_id", "status", "amount", "id"),
    ("provider_wallet_id", "status", "amount", "id"),
    ("status", "amount", "id"),
    ("payer_wallet_id", "status", "expires_at", "id"),
    ("provider_wallet_id", "status", "expires_at", "id"),
)


def upgrade():
    for columns in INDEXES:
        op.create_index(op.f(f"ix_escrows_{'_'.join(columns)}"), "escrows", list(columns))


def downgrade():
    for columns in reversed(INDEXES):
        op.drop_index(op.f(f"ix_escrows_{'_'.join(columns)}"), "escrows")
