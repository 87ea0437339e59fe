"""SQLite is told once, before its first use, and never when it is too late."""

import subprocess
import sys

_ASK = """
from notifier.kit.sqlite_threads import stop_counting_memory
import sys
assert "_sqlite3" not in sys.modules
told = stop_counting_memory()
import sqlite3
assert sqlite3.connect(":memory:").execute("SELECT 6 * 7").fetchone() == (42,)
print(told, stop_counting_memory())
"""


def test_sqlite_is_told_before_its_first_use_and_works_as_before() -> None:
    command = [sys.executable, "-c", _ASK]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()  # noqa: S603 - our own words
    # Where SQLite is built into the interpreter nothing can be told, and nothing changes.
    assert said in (["True", "False"], ["False", "False"])
