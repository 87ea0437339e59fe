"""SQLite's threads, let off a lock they all share.

SQLite counts every piece of memory it takes, for statistics nobody here reads, under one lock of the whole process: two
threads with a connection each get hardly more done than one. It can be told not to, before it is used for the first
time (https://www.sqlite.org/c3ref/c_config_covering_index_scan.html, SQLITE_CONFIG_MEMSTATUS). Nothing here imports
sqlite3, which would be its first use.
"""

import ctypes
from importlib.util import find_spec

_CONFIG_MEMSTATUS = 9
_OK = 0


def stop_counting_memory() -> bool:
    """Tell SQLite not to count; return whether it heard. Too late, or with SQLite out of reach, nothing changes."""
    driver = find_spec("_sqlite3")
    if driver is None or driver.origin is None:
        return False
    try:
        # Through the driver, so that it is the very library the driver uses.
        configure = ctypes.CDLL(driver.origin).sqlite3_config
    except (OSError, AttributeError):
        return False
    return bool(configure(_CONFIG_MEMSTATUS, 0) == _OK)
