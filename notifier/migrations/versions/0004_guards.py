"""What the guards have counted."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "guard_counts",
        sa.Column("campaign_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hard_bounces", sa.Integer(), nullable=False),
        sa.Column("complaints", sa.Integer(), nullable=False),
        sa.Column("seen_hard_bounces", sa.Integer(), nullable=False),
        sa.Column("seen_complaints", sa.Integer(), nullable=False),
        sa.Column("seen_sent", sa.Integer(), nullable=False),
        sa.Column("seen_calls", sa.Integer(), nullable=False),
        sa.Column("seen_errors", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_guard_counts")),
    )
    op.create_index("ix_attempts_campaign_id", "attempts", ["campaign_id"])


def downgrade() -> None:
    op.drop_index("ix_attempts_campaign_id", table_name="attempts")
    op.drop_table("guard_counts")
