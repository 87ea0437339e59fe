"""Alembic's way in: it runs on the connection it is handed, in batch mode on SQLite, with a lock timeout elsewhere."""

from typing import Literal

from alembic import context
from sqlalchemy import text

from notifier.kit.db import Base, UtcDateTime


def render_item(kind: str, item: object, _autogen_context: object) -> str | Literal[False]:
    """Write our moments as plain timestamps, so that a migration never depends on the program's later classes."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


connection = context.config.attributes["connection"]
if connection.dialect.name == "postgresql":
    # A migration that cannot get its lock soon must fail, not stand in front of every sending worker.
    connection.execute(text("SET lock_timeout = '5s'"))
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
