"""What is still to be applied in a narrow table of its own, so that the inbox itself is only ever added to."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pending_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=True),
        sa.Column("destination", sa.String(length=254), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pending_events")),
    )
    op.execute(
        "INSERT INTO pending_events "
        "(provider, kind, delivery_id, destination, occurred_at, received_at, code) "
        "SELECT provider, kind, delivery_id, destination, occurred_at, received_at, code FROM provider_events WHERE NOT applied ORDER BY id"
    )
    op.drop_index("ix_provider_events_pending", table_name="provider_events")
    op.drop_column("provider_events", "applied")
    op.drop_column("provider_events", "destination")


def downgrade() -> None:
    op.add_column("provider_events", sa.Column("destination", sa.String(length=254), nullable=True))
    # What is pending now would be applied by nobody afterwards: apply it before going back.
    op.add_column("provider_events", sa.Column("applied", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.create_index(
        "ix_provider_events_pending",
        "provider_events",
        ["id"],
        sqlite_where=sa.text("applied IS 0"),
        postgresql_where=sa.text("applied IS false"),
    )
    op.drop_table("pending_events")
