"""SQLite's write lock between processes: whoever wants it looks again every millisecond.

SQLite itself looks again after up to a tenth of a second; by then a planner in another process has begun its next
slice, and whoever approves something urgent beside it would wait for a lucky moment. Never here: threads of one process
(`turns.py`).
"""

import sqlite3
from time import monotonic, sleep
from typing import cast

from sqlalchemy.engine import Connection

_LOOK_AGAIN_S = 0.001


def begin_writing(connection: Connection, *, timeout_s: float) -> None:
    """Begin a transaction that writes. Raises SQLAlchemy's OperationalError if the lock is not free in time."""
    driver = cast("sqlite3.Connection", connection.connection.driver_connection)
    driver.execute("PRAGMA busy_timeout=0")
    try:
        deadline = monotonic() + timeout_s
        while monotonic() < deadline:
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as refused:
                if refused.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    break
                sleep(_LOOK_AGAIN_S)
            else:
                return
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # it says what is wrong, in the form everybody expects
    finally:
        driver.execute(f"PRAGMA busy_timeout={timeout_s * 1_000:.0f}")
