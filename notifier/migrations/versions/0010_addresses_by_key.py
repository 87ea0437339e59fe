"""Find addresses by their keyed hash alone; an index of the values said the same once more, at the price of a row."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_CHOICES = ("list_choices", "topic_choices")


def upgrade() -> None:
    with _let_go(), op.batch_alter_table("addresses", schema=None) as table:
        table.drop_constraint("uq_addresses_channel_value", type_="unique")


def downgrade() -> None:
    with _let_go(), op.batch_alter_table("addresses", schema=None) as table:
        table.create_unique_constraint("uq_addresses_channel_value", ["channel", "value"])


@contextmanager
def _let_go() -> Iterator[None]:
    """Take the choices' hands off the addresses meanwhile: SQLite changes a table by making it anew."""
    for name in _CHOICES:
        with op.batch_alter_table(name, schema=None) as table:
            table.drop_constraint(f"fk_{name}_address_id_addresses", type_="foreignkey")
    yield
    for name in _CHOICES:
        with op.batch_alter_table(name, schema=None) as table:
            table.create_foreign_key(f"fk_{name}_address_id_addresses", "addresses", ["address_id"], ["id"])
