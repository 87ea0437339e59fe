"""Which contact lists are entrusted to which users of schools."""

import sqlalchemy as sa
from alembic import op

from notifier.kit.db import BigId, UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "list_keepers",
        sa.Column("list_id", BigId, nullable=False),
        sa.Column("user_id", BigId, nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["list_id"], ["contact_lists.id"], name=op.f("fk_list_keepers_list_id_contact_lists")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_list_keepers_user_id_users")),
        sa.PrimaryKeyConstraint("list_id", "user_id", name=op.f("pk_list_keepers")),
    )


def downgrade() -> None:
    op.drop_table("list_keepers")
