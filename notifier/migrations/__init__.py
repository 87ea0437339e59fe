"""Alembic migrations, numbered and linear. `upgrade` brings any database up to date; `pending` says what it lacks."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from notifier.kit.db import Database
from notifier.kit.errors import Conflict


def upgrade(database: Database) -> None:
    """Bring a database up to the newest revision. Raises Conflict if it is newer than this program."""
    settings = config()
    with database.changing() as connection:
        _revisions(connection)
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")


def pending(database: Database) -> list[str]:
    """Return the revisions a database lacks, oldest first. Raises Conflict if it is newer than this program."""
    with database.reading() as session:
        current, known = _revisions(session.connection())
    return known if current is None else known[known.index(current) + 1 :]


def _revisions(connection: Connection) -> tuple[str | None, list[str]]:
    """Return where a database is, and every revision there is, oldest first."""
    known = [script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()][::-1]
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in known:
        raise Conflict(
            f"The database is at migration {current}, and this program knows them up to {known[-1]}: a newer Notifier "
            "has been at it. Use that one, or name another database with NOTIFIER_DATABASE_URL."
        )
    return current, known


def config() -> Config:
    """Return what Alembic needs to know; a connection is handed over in its attributes."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    return settings
