"""One writer for everything the web stores: posts that arrive together share one transaction.

A provider posts tens of times a second, and a commit is a flush to disk. While one transaction is being committed the
next posts gather, and all of them are answered when theirs is done: nobody is told 2xx before the commit. What people
do (an opt-out, a choice) goes first, in rounds of its own, and never waits behind more than one round of events.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from notifier.kit.clock import Clock
from notifier.kit.db import Database
from notifier.kit.tokens import Keyring
from notifier.providers.base import Event
from notifier.tracking import inbox

T = TypeVar("T")
Verb = Callable[[Session, datetime], T]


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
    """The writer: takes events and acts of people, and answers when they are committed."""

    def __init__(
        self, database: Database, keyring: Keyring, clock: Clock, *, events_per_commit: int, waiting_max: int
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock
        self._events_per_commit = events_per_commit
        self._waiting_max = waiting_max
        self._posts: deque[_Post] = deque()
        self._acts: deque[_Act] = deque()
        self._work = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._stopping = False
        self.commits = 0
        self.stored = 0

    @property
    def waiting(self) -> int:
        """How many posts and acts are not committed yet."""
        return len(self._posts) + len(self._acts)

    def start(self) -> None:
        """Begin to write; call inside the running event loop."""
        self._loop = asyncio.create_task(self._run(), name="intake")

    async def stop(self) -> None:
        """Write what is waiting, then end."""
        self._stopping = True
        self._work.set()
        if self._loop is not None:
            await self._loop

    async def store(self, events: Sequence[Event]) -> None:
        """Store events; return once they are committed. Raises Busy if too many posts are waiting."""
        if len(self._posts) >= self._waiting_max:
            raise Busy
        post = _Post(events, asyncio.get_running_loop().create_future())
        self._posts.append(post)
        self._work.set()
        await post.answer

    async def act(self, verb: Verb[T]) -> T:
        """Do what a person asked for; return the result once it is committed, or raise the refusal."""
        act = _Act(verb, asyncio.get_running_loop().create_future())
        self._acts.append(act)
        self._work.set()
        result: T = await act.answer
        return result

    async def _run(self) -> None:
        while not self._stopping or self.waiting:
            await self._work.wait()
            acts, posts = self._next_round()
            if not self.waiting and not self._stopping:
                self._work.clear()
            try:
                await asyncio.to_thread(self._commit, acts, posts)
            except Exception as failure:  # noqa: BLE001 - whoever is waiting must hear of it, and the writer must go on
                _answer([*acts, *posts], failure)
            else:
                _answer([*acts, *posts], None)

    def _next_round(self) -> tuple[list[_Act], list[_Post]]:
        """Return what people ask for, alone; where nobody does, the posts one transaction has room for."""
        if self._acts:
            acts = list(self._acts)
            self._acts.clear()
            return acts, []
        posts: list[_Post] = []
        room = self._events_per_commit
        while self._posts and (not posts or len(self._posts[0].events) <= room):
            post = self._posts.popleft()
            room -= len(post.events)
            posts.append(post)
        return [], posts

    def _commit(self, acts: Sequence[_Act], posts: Sequence[_Post]) -> None:
        now = self._clock()
        with self._database.transaction() as session:
            for act in acts:
                _try(act, session, now)
            events = [event for post in posts for event in post.events]
            stored = inbox.store(session, events, keyring=self._keyring, now=now)
        self.commits += 1
        self.stored += stored


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
