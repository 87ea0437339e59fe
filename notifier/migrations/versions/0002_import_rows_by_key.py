"""Find a row of an upload by its key alone."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_import_rows_import_id_row_key", table_name="import_rows")
    op.create_index("ix_import_rows_row_key", "import_rows", ["row_key", "import_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_import_rows_row_key", table_name="import_rows")
    op.create_index("ix_import_rows_import_id_row_key", "import_rows", ["import_id", "row_key"], unique=False)
