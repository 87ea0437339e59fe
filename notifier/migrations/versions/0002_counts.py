"""Kept counts of deliveries, how far forgetting has come, a smaller index of what is still to be applied."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "counted_units",
        sa.Column("unit", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("unit", name=op.f("pk_counted_units")),
    )
    op.create_index("ix_counted_units_campaign_id", "counted_units", ["campaign_id"])
    op.create_table(
        "delivery_counts",
        sa.Column("unit", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("variant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(length=5), nullable=False),
        sa.Column("region", sa.String(length=12), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=60), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "unit", "variant_id", "channel", "region", "status", "reason", name=op.f("pk_delivery_counts")
        ),
    )
    op.create_table(
        "forgettings",
        sa.Column("campaign_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("through_batch", sa.BigInteger(), nullable=False),
        sa.Column("addresses_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("content_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("campaign_id", name=op.f("pk_forgettings")),
    )
    op.create_index(
        "ix_deliveries_unbatched",
        "deliveries",
        ["wave_id"],
        sqlite_where=sa.text("batch_id IS NULL"),
        postgresql_where=sa.text("batch_id IS NULL"),
    )
    op.drop_index("ix_provider_events_applied", table_name="provider_events")
    op.create_index(
        "ix_provider_events_pending",
        "provider_events",
        ["id"],
        sqlite_where=sa.text("applied IS 0"),
        postgresql_where=sa.text("applied IS false"),
    )


def downgrade() -> None:
    op.drop_index("ix_provider_events_pending", table_name="provider_events")
    op.create_index("ix_provider_events_applied", "provider_events", ["applied", "id"])
    op.drop_index("ix_deliveries_unbatched", table_name="deliveries")
    op.drop_table("forgettings")
    op.drop_table("delivery_counts")
    op.drop_table("counted_units")
