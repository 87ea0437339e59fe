"""Name a subscription's list and addresses without constraints; they cost an import more than the row itself."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_KEYS = (
    ("fk_subscriptions_list_id_contact_lists", "contact_lists", "list_id"),
    ("fk_subscriptions_email_address_id_addresses", "addresses", "email_address_id"),
    ("fk_subscriptions_sms_address_id_addresses", "addresses", "sms_address_id"),
)


def upgrade() -> None:
    with op.batch_alter_table("subscriptions", schema=None) as table:
        for name, _, _ in _KEYS:
            table.drop_constraint(name, type_="foreignkey")


def downgrade() -> None:
    with op.batch_alter_table("subscriptions", schema=None) as table:
        for name, other, column in _KEYS:
            table.create_foreign_key(name, other, [column], ["id"])
