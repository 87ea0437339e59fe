"""Compare an upload's rows in one pass instead of looking each up; the index cost more than it saved."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_import_rows_row_key", table_name="import_rows")


def downgrade() -> None:
    op.create_index("ix_import_rows_row_key", "import_rows", ["row_key", "import_id"], unique=False)
