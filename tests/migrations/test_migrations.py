"""Migrations: what they make is what the models say, on both databases, and they can be undone."""

from collections.abc import Iterator

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from notifier import migrations
from notifier.kit.db import Base, Database


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
