"""Duties cost the same at any age: what they look for every few seconds is never looked for in all there ever was."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event

from notifier.kit.db import Database
from notifier.worker.schedule import duties_of
from tests.delivery.conftest import World
from tests.factories import Person

# These grow with every campaign.
_GROWING = ("deliveries", "batches", "waves", "attempts", "provider_events", "delivery_counts", "school_counts")

# Indexes of the few that are looked for again and again.
_OF_FEW = ("_doubt", "_uncounted", "_in_flight", "_unbatched")

# Forgetting comes round every ten minutes, and begins at the oldest row each time.
_OFTEN_S = 60


@contextmanager
def _walks(database: Database) -> Iterator[list[str]]:
    """Collect the statements that walk through a table that grows, with SQLite's plan for them."""
    found: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def _look(
        _connection: object,
        cursor: sqlite3.Cursor,
        statement: str,
        values: tuple[object, ...],
        _context: object,
        many: object,
    ) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "INSERT")) and not many:
            plan = [row[-1] for row in cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
            found.extend(f"{step} in {statement}" for step in plan if _is_walk(step))

    yield found
    event.remove(database.engine, "before_cursor_execute", _look)


def _is_walk(step: str) -> bool:
    found = re.match(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", step)
    return found is not None and found[1] in _GROWING and not (found[2] or "").endswith(_OF_FEW)


# The plans of PostgreSQL depend on how much there is, and here there is little.
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_duty_walks_through_a_table_that_grows(world: World) -> None:
    world.people(*(Person(email=f"p{number}@example.org") for number in range(20)))
    world.campaign()
    world.plan()
    world.work()
    often = {name: duty for name, (duty, every_s) in duties_of(world.engine).items() if every_s < _OFTEN_S}
    for name, duty in often.items():
        with _walks(world.database) as walks:
            duty(world.engine)
        assert not walks, (name, walks)
    assert len(often) > 5
