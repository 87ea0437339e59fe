"""Posting webhooks: a few at a time, late, twice or out of order if told so, and again when they were not taken."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from notifier.sandbox.behaviour import Dice
from notifier.sandbox.store import Counts

CARRIERS = 16
TIMEOUT_S = 15.0
FIRST_WAIT_S = 0.2
SENDGRID_RETRIES = 8


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to a request."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Letter:
    """One webhook to be posted. `write` makes body and headers, or None if there is nothing to say."""

    provider: str
    url: str
    write: Callable[[], tuple[bytes, dict[str, str]] | None]
    retries: int = SENDGRID_RETRIES
    tried: int = 0
    on_posted: Callable[[], None] = lambda: None
    counts: Counts = field(default_factory=Counts)


class Postman:
    """Carries letters in the background."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self._waiting: asyncio.Queue[Letter] = asyncio.Queue()
        self._later: set[asyncio.TimerHandle] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._session: ClientSession | None = None

    async def start(self) -> None:
        """Begin to carry."""
        self._session = ClientSession(
            timeout=ClientTimeout(total=TIMEOUT_S), connector=TCPConnector(limit=CARRIERS), auto_decompress=False
        )
        self._tasks = [asyncio.create_task(self._carry()) for _ in range(CARRIERS)]

    async def stop(self) -> None:
        """Drop what is waiting."""
        for handle in self._later:
            handle.cancel()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self._session is not None:
            await self._session.close()

    def take(self, letters: Iterable[Letter], dice: Dice) -> None:
        """Accept letters, in the order and at the times the behaviour asks for."""
        pile = [replace(letter, counts=self.counts) for letter in letters]
        pile += [letter for letter in pile if dice.happens(dice.behaviour.duplicate_rate)]
        dice.shuffle(pile)
        self.counts.webhooks_pending += len(pile)
        for letter in pile:
            self._put(letter, dice.webhook_delay_s())

    async def post(self, letter: Letter) -> tuple[int, str, str]:
        """Post one letter now and return status, content type and text of the answer; 0 if there was none."""
        written = letter.write()
        if written is None or self._session is None:
            return 204, "", ""
        body, headers = written
        try:
            async with self._session.post(
                letter.url.partition("#")[0], data=body, headers=headers, allow_redirects=False
            ) as answer:
                return answer.status, answer.content_type, (await answer.read()).decode("utf-8", "replace")
        except (ClientError, TimeoutError, OSError):
            return 0, "", ""

    def _put(self, letter: Letter, delay_s: float) -> None:
        if delay_s <= 0:
            self._waiting.put_nowait(letter)
            return
        loop = asyncio.get_running_loop()

        def arrive() -> None:
            self._later.discard(handle)
            self._waiting.put_nowait(letter)

        handle = loop.call_later(delay_s, arrive)
        self._later.add(handle)

    async def _carry(self) -> None:
        while True:
            letter = await self._waiting.get()
            status, _, _ = await self.post(letter)
            if 200 <= status < 300:  # noqa: PLR2004 - the class of success
                letter.counts.webhooks_posted += 1
                letter.counts.webhooks_pending -= 1
                letter.on_posted()
            elif letter.tried < letter.retries:
                self._put(replace(letter, tried=letter.tried + 1), FIRST_WAIT_S * 2**letter.tried)
            else:
                letter.counts.webhooks_failed += 1
                letter.counts.webhooks_pending -= 1
