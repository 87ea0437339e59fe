"""Taking turns inside one process: whoever answers a person goes first, all others in the order they came.

SQLite has one writer, and lets the next one in by chance: each sleeps and looks again, and so may be passed over for
seconds. Threads of one process can hand the turn on instead. Never here: other processes, which SQLite itself keeps
apart.
"""

from collections import deque
from enum import IntEnum
from math import inf
from threading import Lock
from time import monotonic


class Rank(IntEnum):
    """Who goes first."""

    PERSON = 0
    ORDINARY = 1


class Turns:
    """One turn, handed from one to the next."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._taken = False
        self._waiting: tuple[deque[Lock], ...] = tuple(deque() for _ in Rank)
        self._person_came = -inf

    def take(self, rank: Rank, timeout_s: float) -> bool:
        """Wait for the turn; return whether it came in time."""
        with self._lock:
            if rank is Rank.PERSON:
                self._person_came = monotonic()
            if not self._taken:
                self._taken = True
                return True
            place = Lock()
            place.acquire()
            self._waiting[rank].append(place)
        if place.acquire(timeout=timeout_s):
            return True
        with self._lock:
            if place not in self._waiting[rank]:
                return True  # it came in this very moment
            self._waiting[rank].remove(place)
            return False

    def person_came_within(self, seconds: float) -> bool:
        """Whether a person has asked for the turn in the last so many seconds."""
        return monotonic() - self._person_came <= seconds

    def hand_on(self) -> None:
        """Give the turn to whoever is next."""
        with self._lock:
            for queue in self._waiting:
                if queue:
                    queue.popleft().release()
                    return
            self._taken = False
