"""Alembic migrations, numbered and linear. `upgrade` brings any database up to date; `pending` says what it lacks."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from notifier.kit.db import Database


def upgrade(database: Database) -> None:
    """Bring a database up to the newest revision."""
    settings = config()
    with database.engine.connect() as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")
        connection.commit()


def pending(database: Database) -> list[str]:
    """Return the revisions a database lacks, oldest first."""
    newest_first = [script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()]
    with database.engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current in newest_first:
        newest_first = newest_first[: newest_first.index(current)]
    return newest_first[::-1]


def config() -> Config:
    """Return what Alembic needs to know; a connection is handed over in its attributes."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    return settings
