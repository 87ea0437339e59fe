"""Migrations: what they make is what the models say, on both databases, and they can be undone."""

from collections.abc import Iterator

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text

from notifier import migrations
from notifier.delivery.models import Batch, Wave
from notifier.kit.db import Base, Database
from notifier.tracking.models import PendingEvent


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database without any table."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{request.getfixturevalue('tmp_path') / 'empty.sqlite3'}")
        yield database
        database.close()
        return
    database = Database(request.getfixturevalue("empty_postgres_url"))
    yield database
    database.close()


def test_the_migrations_make_what_the_models_say(empty: Database) -> None:
    migrations.upgrade(empty)
    with empty.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_an_empty_database_lacks_every_revision_and_a_new_one_none(empty: Database) -> None:
    assert migrations.pending(empty)[0] == "0001"
    migrations.upgrade(empty)
    assert migrations.pending(empty) == []


def test_upgrading_twice_changes_nothing(empty: Database) -> None:
    migrations.upgrade(empty)
    migrations.upgrade(empty)
    assert migrations.pending(empty) == []


def test_the_migrations_can_be_undone(empty: Database) -> None:
    migrations.upgrade(empty)
    config = migrations.config()
    with empty.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        connection.commit()
    assert set(inspect(empty.engine).get_table_names()) <= {"alembic_version"}


def _upgrade_to(database: Database, revision: str) -> None:
    config = migrations.config()
    with database.changing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_what_is_pending_is_still_about_the_same_delivery_or_address(empty: Database) -> None:
    _upgrade_to(empty, "0013")
    row = "INSERT INTO pending_events (provider, kind, delivery_id, destination, occurred_at, received_at) VALUES "
    moments = "'2026-11-23 09:00:00', '2026-11-23 09:00:00'"
    with empty.transaction() as session:
        session.execute(text(f"{row} ('sendgrid', 'delivered', 7, NULL, {moments})"))
        session.execute(text(f"{row} ('sendgrid', 'hard_bounced', NULL, 'maria@example.org', {moments})"))
    migrations.upgrade(empty)
    with empty.reading() as session:
        waiting = select(PendingEvent.delivery_ids, PendingEvent.destination, PendingEvent.number)
        found = session.execute(waiting.order_by(PendingEvent.id)).all()
    assert [tuple(row) for row in found] == [([7], None, 1), (None, "maria@example.org", 1)]


def test_what_was_counted_stays_counted_and_nothing_else_is(empty: Database) -> None:
    _upgrade_to(empty, "0014")
    batch = (
        "INSERT INTO batches (id, campaign_id, wave_id, variant_id, channel, priority, due_at, size, tries, status, "
        "claims) VALUES (:id, 1, 5, 1, 'email', 10, '2026-11-23 09:00:00', 1, 0, 'done', 1)"
    )
    wave = (
        "INSERT INTO waves (id, campaign_id, occurrence, priority, due_at, status, scope, planned_through, planned) "
        "VALUES (:id, 1, 1, 10, '2026-11-23 09:00:00', 'planned', '{}', 0, 0)"
    )
    with empty.transaction() as session:
        for statement, ids in ((batch, (5, 6, 8)), (wave, (5, 6, 7))):
            for one in ids:
                session.execute(text(statement), {"id": one})
        session.execute(text("INSERT INTO counted_units (unit, campaign_id) VALUES (6, 1), (8, 1), (-5, 1), (-7, 1)"))
        session.execute(text("UPDATE batches SET status = 'claimed' WHERE id = 8"))
    migrations.upgrade(empty)
    with empty.reading() as session:
        assert session.scalars(select(Batch.id).where(Batch.counted.is_(True))).all() == [6]
        assert session.scalars(select(Wave.id).where(Wave.counted.is_(True)).order_by(Wave.id)).all() == [5, 7]
    config = migrations.config()
    with empty.changing() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0014")
        assert sorted(connection.scalars(text("SELECT unit FROM counted_units"))) == [-7, -5, 6]


def test_an_address_with_a_choice_outlives_the_change_of_its_table(empty: Database) -> None:
    _upgrade_to(empty, "0009")
    moment = "2026-11-23 09:00:00.000000+00:00" if not empty.is_sqlite else "2026-11-23 09:00:00.000000"
    key = "'\\x01'::bytea" if not empty.is_sqlite else "x'01'"
    with empty.transaction() as session:
        session.execute(
            text(
                "INSERT INTO addresses (id, channel, value, key, created_at) "
                f"VALUES (7, 'email', 'maria@example.org', {key}, '{moment}')"
            )
        )
        session.execute(
            text(
                "INSERT INTO topic_choices (address_id, topic, wanted, changed_at) "
                f"VALUES (7, 'sextortion', {'0' if empty.is_sqlite else 'false'}, '{moment}')"
            )
        )
    migrations.upgrade(empty)
    with empty.reading() as session:
        assert session.execute(text("SELECT id, value FROM addresses")).all() == [(7, "maria@example.org")]
        assert session.execute(text("SELECT address_id, topic FROM topic_choices")).all() == [(7, "sextortion")]
