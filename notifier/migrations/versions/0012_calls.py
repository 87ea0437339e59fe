"""Totals of the calls to providers, the guards' counts by channel, and when providers were last heard of."""

import sqlalchemy as sa
from alembic import op

from notifier.kit.db import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_OPEN_DOUBT = sa.text("doubt = 'open'")
_UNCOUNTED = sa.text("counted IS NULL")


def upgrade() -> None:
    op.create_table(
        "call_totals",
        sa.Column("campaign_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("channel", sa.String(length=5), nullable=False),
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("recipients", sa.BigInteger(), nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.Column("refused_permille", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "channel", "provider", "outcome", name=op.f("pk_call_totals")),
    )
    op.create_table(
        "provider_news",
        sa.Column("provider", sa.String(length=20), nullable=False),
        sa.Column("heard_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_provider_news")),
    )
    op.execute(
        "INSERT INTO provider_news (provider, heard_at) SELECT provider, max(received_at) FROM provider_events "
        "WHERE delivery_id IS NOT NULL GROUP BY provider"
    )
    op.add_column("attempts", sa.Column("taken", sa.Integer(), nullable=True))
    op.add_column("attempts", sa.Column("counted", sa.Boolean(), nullable=True))
    # Nobody wrote down how many of a call were taken; its outcome says it for nearly all of them.
    op.execute(
        "UPDATE attempts SET taken = CASE WHEN doubt = 'open' OR outcome IN ('accepted', 'partly', 'taken', "
        "'partly_taken') THEN recipients ELSE 0 END WHERE outcome IS NOT NULL"
    )
    op.drop_index("ix_attempts_doubt", table_name="attempts")
    op.create_index("ix_attempts_doubt", "attempts", ["id"], sqlite_where=_OPEN_DOUBT, postgresql_where=_OPEN_DOUBT)
    op.drop_index("ix_attempts_campaign_id", table_name="attempts")
    op.create_index("ix_attempts_provider", "attempts", ["provider", "id"])
    op.create_index("ix_attempts_uncounted", "attempts", ["id"], sqlite_where=_UNCOUNTED, postgresql_where=_UNCOUNTED)
    op.drop_table("guard_counts")
    _guard_counts(sa.Column("channel", sa.String(length=5), nullable=False))


def downgrade() -> None:
    op.drop_table("guard_counts")
    _guard_counts()
    op.drop_index("ix_attempts_uncounted", table_name="attempts")
    op.drop_index("ix_attempts_provider", table_name="attempts")
    op.create_index("ix_attempts_campaign_id", "attempts", ["campaign_id"])
    op.drop_index("ix_attempts_doubt", table_name="attempts")
    op.create_index(
        "ix_attempts_doubt", "attempts", ["campaign_id"], sqlite_where=_OPEN_DOUBT, postgresql_where=_OPEN_DOUBT
    )
    op.drop_column("attempts", "counted")
    op.drop_column("attempts", "taken")
    op.drop_table("provider_news")
    op.drop_table("call_totals")


def _guard_counts(*channel: sa.Column[str]) -> None:
    """Make the table anew: what a guard has seen of a running campaign is judged once more, and nothing else is lost."""
    op.create_table(
        "guard_counts",
        sa.Column("campaign_id", sa.BigInteger(), autoincrement=False, nullable=False),
        *channel,
        sa.Column("hard_bounces", sa.Integer(), nullable=False),
        sa.Column("complaints", sa.Integer(), nullable=False),
        sa.Column("seen_hard_bounces", sa.Integer(), nullable=False),
        sa.Column("seen_complaints", sa.Integer(), nullable=False),
        sa.Column("seen_sent", sa.Integer(), nullable=False),
        sa.Column("seen_calls", sa.Integer(), nullable=False),
        sa.Column("seen_errors", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", *[one.name for one in channel], name=op.f("pk_guard_counts")),
    )
