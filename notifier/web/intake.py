"""What the web stores: posts that arrive together share one transaction, and what people do goes before them.

A provider posts tens of times a second, and a commit is a flush to disk. While one transaction is being committed the
next posts gather, and all of them are answered when theirs is done: nobody is told 2xx before the commit. What people
do (an opt-out, a choice) has a writer of its own, which overtakes everything that waits to write.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from math import inf
from time import monotonic
from typing import Any, Generic, TypeVar

from sqlalchemy.orm import Session

from notifier.kit.clock import Clock
from notifier.kit.db import Database
from notifier.kit.tokens import Keyring
from notifier.providers.base import Event
from notifier.tracking import inbox

T = TypeVar("T")
Verb = Callable[[Session, datetime], T]


# While people come, who wait for its end on SQLite and beside it on PostgreSQL, one transaction takes this many events.
_BESIDE_PEOPLE = 250
# Where one person has just come, others are likely to come in the next seconds.
_ABOUT_S = 5.0
# How long events wait for what a person does; longer only takes what waits for something else itself.
PATIENCE_S = 0.25


class Busy(Exception):
    """Too much is waiting; the caller should come again."""


@dataclass(slots=True)
class _Post:
    events: Sequence[Event]
    answer: asyncio.Future[None]


@dataclass(slots=True)
class _Act:
    verb: Verb[Any]
    answer: asyncio.Future[Any]
    result: Any = None
    refusal: Exception | None = None


class Intake:
    """The writers: they take events and acts of people, and answer when they are committed."""

    def __init__(
        self, database: Database, keyring: Keyring, clock: Clock, *, events_per_commit: int, waiting_max: int
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock
        self._events_per_commit = events_per_commit
        self._waiting_max = waiting_max
        self._acts = _Line[_Act]("people")
        self._posts = _Line[_Post]("events")
        self._writers: list[asyncio.Task[None]] = []
        self.commits = 0
        self.stored = 0

    @property
    def waiting(self) -> int:
        """How many posts and acts are not committed yet."""
        return len(self._posts.waiting) + len(self._acts.waiting)

    def start(self) -> None:
        """Begin to write; call inside the running event loop."""
        self._writers = [
            asyncio.create_task(self._acts.serve(self._next_acts, self._do), name="intake of acts"),
            asyncio.create_task(self._posts.serve(self._next_posts, self._store), name="intake of events"),
        ]

    async def stop(self) -> None:
        """Write what is waiting, then end."""
        self._acts.end()
        self._posts.end()
        await asyncio.gather(*self._writers)

    async def store(self, events: Sequence[Event]) -> None:
        """Store events; return once they are committed. Raises Busy if too many posts are waiting."""
        if len(self._posts.waiting) >= self._waiting_max:
            raise Busy
        post = _Post(events, asyncio.get_running_loop().create_future())
        self._posts.add(post)
        await post.answer

    async def let_people_through(self) -> None:
        """Wait until what people do at this moment is committed, for a while at most.

        They share cores, interpreter and disk with whoever asks. Who comes next does not keep the same one waiting.
        """
        if not self._acts.rests.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._acts.rests.wait(), PATIENCE_S)

    async def act(self, verb: Verb[T]) -> T:
        """Do what a person asked for; return the result once it is committed, or raise the refusal."""
        act = _Act(verb, asyncio.get_running_loop().create_future())
        self._acts.add(act)
        result: T = await act.answer
        return result

    async def _next_acts(self) -> list[_Act]:
        acts = list(self._acts.waiting)
        self._acts.waiting.clear()
        return acts

    async def _next_posts(self) -> list[_Post]:
        """Return the posts one transaction has room for."""
        await self.let_people_through()
        posts: list[_Post] = []
        waiting, room = self._posts.waiting, self._events_per_commit
        if monotonic() - self._acts.latest <= _ABOUT_S:
            room = min(room, _BESIDE_PEOPLE)
        while waiting and (not posts or len(waiting[0].events) <= room):
            post = waiting.popleft()
            room -= len(post.events)
            posts.append(post)
        return posts

    def _do(self, acts: Sequence[_Act]) -> None:
        now = self._clock()
        with self._database.overtaking_transaction() as session:
            if len(acts) == 1:
                # Alone, as most are: whatever refuses it undoes the transaction, and no savepoint is needed.
                acts[0].result = acts[0].verb(session, now)
            else:
                for act in acts:
                    _try(act, session, now)
        self.commits += 1

    def _store(self, posts: Sequence[_Post]) -> None:
        events = [event for post in posts for event in post.events]
        dialect = self._database.engine.dialect.name
        made = inbox.ready(events, keyring=self._keyring, now=self._clock(), dialect=dialect)
        with self._database.transaction() as session:
            stored = inbox.put_away(session, made)
        self.commits += 1
        self.stored += stored


W = TypeVar("W", _Post, _Act)


class _Line(Generic[W]):
    """What waits for one writer, and the thread it writes in: no other work of the process stands before it there."""

    def __init__(self, name: str) -> None:
        self.waiting: deque[W] = deque()
        self._something = asyncio.Event()
        self._ending = False
        self.latest = -inf  # when somebody last came
        self.rests = asyncio.Event()
        self.rests.set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"intake-{name}")

    def add(self, one: W) -> None:
        self.waiting.append(one)
        self.latest = monotonic()
        self.rests.clear()
        self._something.set()

    def end(self) -> None:
        self._ending = True
        self._something.set()

    async def serve(self, take: Callable[[], Awaitable[list[W]]], write: Callable[[Sequence[W]], None]) -> None:
        """Write round after round; whoever waits for one hears of it, and a failure never ends the writer."""
        with self._thread:
            while not self._ending or self.waiting:
                await self._something.wait()
                if not self.waiting:
                    if not self._ending:
                        self._something.clear()
                    continue
                some = await take()
                self.rests.clear()
                try:
                    await asyncio.get_running_loop().run_in_executor(self._thread, write, some)
                except Exception as failure:  # noqa: BLE001 - whoever is waiting must hear of it
                    _answer(some, failure)
                else:
                    _answer(some, None)
                self.rests.set()


def _try(act: _Act, session: Session, now: datetime) -> None:
    # Each act has a savepoint of its own: a refusal undoes that act and nobody else's.
    try:
        with session.begin_nested():
            act.result = act.verb(session, now)
    except Exception as refusal:  # noqa: BLE001 - handed to the one who asked
        act.refusal = refusal


def _answer(waiting: Sequence[_Act | _Post], failure: Exception | None) -> None:
    for one in waiting:
        if one.answer.done():
            continue
        refusal = failure or (one.refusal if isinstance(one, _Act) else None)
        if refusal is not None:
            one.answer.set_exception(refusal)
        else:
            one.answer.set_result(one.result if isinstance(one, _Act) else None)
