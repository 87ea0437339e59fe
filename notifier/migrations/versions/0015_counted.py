"""Batches and waves say themselves that they are counted, with an index of those that are not."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_UNCOUNTED = sa.text("counted IS NULL")


def upgrade() -> None:
    # Only what is at rest may be marked: whoever looks for dead workers passes over what is counted.
    for table, unit, at_rest in (("batches", "id", "'done', 'cancelled'"), ("waves", "-id", "'planned'")):
        op.add_column(table, sa.Column("counted", sa.Boolean(), nullable=True))
        op.execute(
            f"UPDATE {table} SET counted = true WHERE status IN ({at_rest}) AND {unit} IN (SELECT unit FROM counted_units)"
        )
        op.create_index(
            f"ix_{table}_uncounted",
            table,
            ["status", "id"],
            sqlite_where=_UNCOUNTED,
            postgresql_where=_UNCOUNTED,
        )
    op.drop_table("counted_units")


def downgrade() -> None:
    op.create_table(
        "counted_units",
        sa.Column("unit", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("campaign_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("unit", name=op.f("pk_counted_units")),
    )
    op.create_index("ix_counted_units_campaign_id", "counted_units", ["campaign_id"])
    for table, unit in (("batches", "id"), ("waves", "-id")):
        op.execute(
            f"INSERT INTO counted_units (unit, campaign_id) SELECT {unit}, campaign_id FROM {table} WHERE counted"
        )
        op.drop_index(f"ix_{table}_uncounted", table_name=table)
        op.drop_column(table, "counted")
