"""People at a PostgreSQL server: whatever they do comes over connections of a name of its own.

The server knows when each connection last did something (pg_stat_activity, in
https://www.postgresql.org/docs/current/monitoring-stats.html). So every process, on whatever machine, can see that
people are about, and nobody has to write it down.
Where the server tells nothing (another role's connections, `track_activities` off) nobody is ever about.
"""

from threading import Lock
from time import monotonic

from sqlalchemy import Engine, text

# Their connections, in the server's list of who is connected.
NAME = "notifier: people"
# So long what the server said is believed.
_LOOK_AGAIN_S = 0.5

_SEEN = text(
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = :name "
    "AND state_change > clock_timestamp() - make_interval(secs => :seconds))"
)


class Lookout:
    """Looks now and then whether people are about."""

    def __init__(self, engine: Engine, within_s: float) -> None:
        self._engine = engine
        self._within_s = within_s
        self._lock = Lock()
        self._looked_at: float | None = None
        self._saw_some = False

    def sees_people(self) -> bool:
        """Whether somebody came in the last `within_s` seconds, as far as is known for half a second."""
        with self._lock:
            if self._looked_at is None or monotonic() - self._looked_at > _LOOK_AGAIN_S:
                with self._engine.connect() as connection:
                    found = connection.scalar(_SEEN, {"name": NAME, "seconds": self._within_s})
                self._looked_at, self._saw_some = monotonic(), bool(found)
            return self._saw_some
