"""How a PostgreSQL server is best set up, said to whoever runs it. Notifier itself changes no server.

What each setting does: https://www.postgresql.org/docs/current/runtime-config-wal.html.
"""

from collections.abc import Callable

from sqlalchemy import text

from notifier.kit.db import Database
from notifier.kit.reachable import reachable

_WAL_KEPT_BYTES = 1024**3

_FORGETS = (
    "{name} is {value}: after a power cut the database may have forgotten what has left, and it would be sent again. "
    "Have the administrator of the server switch it on."
)
_RESTS = (
    "{name} is {value}: a server that rests between campaigns makes its log files anew in the middle of the next, and "
    "whoever presses “unsubscribe” waits for it. Have its administrator say: ALTER SYSTEM SET min_wal_size = '1GB'."
)
_BLIND = (
    "{name} is {value}: nobody can see that people are about, so campaigns do not make way for them. Have the "
    "administrator of the server switch it on."
)


def _is_off(value: str, _bytes: int | None) -> bool:
    return value == "off"


def _is_small(_value: str, size: int | None) -> bool:
    return size is not None and size < _WAL_KEPT_BYTES


# Order as data: what endangers a promise comes first.
_EXPECTED: dict[str, tuple[Callable[[str, int | None], bool], str]] = {
    "fsync": (_is_off, _FORGETS),
    "full_page_writes": (_is_off, _FORGETS),
    "synchronous_commit": (_is_off, _FORGETS),
    "track_activities": (_is_off, _BLIND),
    "min_wal_size": (_is_small, _RESTS),
}

# A size is shown with a unit, as it was written; counted, it comes in bytes.
_SETTINGS = text(
    "SELECT name, current_setting(name) AS shown, CASE WHEN unit IS NOT NULL THEN pg_size_bytes(current_setting(name)) "
    "END AS bytes FROM pg_settings WHERE name = ANY(:names)"
)


def advice(database: Database) -> list[str]:
    """Return a sentence for each setting of the server that is better changed; none on SQLite."""
    if database.is_sqlite:
        return []
    with reachable(database.engine), database.engine.connect() as connection:
        found = {row.name: row for row in connection.execute(_SETTINGS, {"names": list(_EXPECTED)})}
    return [
        words.format(name=name, value=found[name].shown)
        for name, (is_wrong, words) in _EXPECTED.items()
        if name in found and is_wrong(found[name].shown, found[name].bytes)
    ]
