"""One line of what is still to be applied for all deliveries that were told the same at the same moment."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pending_events", sa.Column("delivery_ids", sa.JSON(), nullable=True))
    op.add_column("pending_events", sa.Column("number", sa.Integer(), nullable=False, server_default="1"))
    cast = "::json" if op.get_context().dialect.name == "postgresql" else ""
    op.execute(
        f"UPDATE pending_events SET delivery_ids = ('[' || delivery_id || ']'){cast} WHERE delivery_id IS NOT NULL"
    )
    op.drop_column("pending_events", "delivery_id")


def downgrade() -> None:
    # What is pending now would be about nobody afterwards: apply it before going back.
    op.add_column("pending_events", sa.Column("delivery_id", sa.BigInteger(), nullable=True))
    op.drop_column("pending_events", "number")
    op.drop_column("pending_events", "delivery_ids")
