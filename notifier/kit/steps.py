"""A transaction in two steps: its questions are asked beside whoever writes, and what they found is written after.

Between the two what was found lies in temporary tables of the connection. SQLite lets in one writer at a time, so there
the questions are a transaction of their own that keeps nobody waiting; on PostgreSQL both steps are one. Whoever writes
looks first whether what was asked is still what is wanted. Never here: what is asked or written.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from notifier.kit.db import Database
from notifier.kit.reachable import reachable


class Steps:
    """One connection for both steps; the first may be left out. Another thread may take the second step."""

    def __init__(self, database: Database) -> None:
        self._database = database
        with reachable(database.engine):
            self._connection = database.engine.connect()
        self._session = Session(self._connection, expire_on_commit=False)

    @contextmanager
    def asking(self) -> Iterator[Session]:
        """Take the first step: nothing is written but temporary tables."""
        with reachable(self._database.engine):
            self._connection.execution_options(sqlite_begin="BEGIN")
            try:
                yield self._session
                if self._database.is_sqlite:
                    self._session.commit()
            except BaseException:
                self._session.rollback()
                raise

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Take the second step: committed at the end, or rolled back, questions and all, if anything is raised.

        Its loss in a power cut must do no harm, as that of `Database.repeatable_transaction`.
        """
        with self._database.turn(), reachable(self._database.engine):
            self._connection.execution_options(sqlite_begin=None, sqlite_synchronous="NORMAL")
            try:
                self._database.need_not_last(self._session)
                yield self._session
                self._session.commit()
            finally:
                self._session.rollback()

    def close(self) -> None:
        """Give the connection back; what was not committed is undone."""
        self._session.close()
        self._connection.close()
