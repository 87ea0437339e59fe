"""SQLite's write lock between processes, here between two databases that know nothing of each other."""

import threading
from contextlib import closing

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from notifier.kit.db import Database
from notifier.kit.write_lock import begin_writing


def test_who_waits_for_another_process_goes_on_when_it_is_done(sqlite_url: str) -> None:
    with closing(Database(sqlite_url)) as one, closing(Database(sqlite_url)) as other:
        finished: list[str] = []

        def wait() -> None:
            with other.transaction() as session:
                session.connection()
                finished.append("other")

        waiting = threading.Thread(target=wait)
        with one.transaction() as session:
            session.connection()
            waiting.start()
            waiting.join(timeout=0.05)
            finished.append("one")
        waiting.join()
    assert finished == ["one", "other"]


def test_a_lock_that_is_never_free_is_an_error_and_the_connection_can_be_used_again(sqlite_url: str) -> None:
    with closing(Database(sqlite_url)) as one, closing(Database(sqlite_url)) as other, other.reading() as session:
        connection = session.connection()
        connection.exec_driver_sql("COMMIT")
        with one.transaction() as holding, pytest.raises(OperationalError, match="locked"):
            holding.connection()
            begin_writing(connection, timeout_s=0.01)
        begin_writing(connection, timeout_s=1.0)
        assert session.scalar(text("PRAGMA busy_timeout")) == 1_000
