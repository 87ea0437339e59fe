"""Counts of deliveries by school, kept as the others are. What was counted before is counted anew."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "school_counts",
        sa.Column("unit", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("list_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(length=5), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("unit", "list_id", "channel", "status", name=op.f("pk_school_counts")),
    )
    op.execute("DELETE FROM counted_units")


def downgrade() -> None:
    op.drop_table("school_counts")
