"""One-click unsubscribes, timed one after the other: first while nothing else happens, then while everything does.

Everything is: campaigns planned and sent one after the other, their provider's webhooks, and Twilio's posts without
end. The next campaign is let go as soon as the last is planned, so that there is something to plan and something to
send all the time; when nothing is left to send, the clicking ends. p99 needs many clicks: it is the tenth slowest of a
thousand.
"""

import multiprocessing
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from itertools import count, islice
from urllib.parse import urlsplit

from sqlalchemy import Select, select, update

from notifier.bench.figures import Figure, Spent
from notifier.bench.ground import Kind, Workshop
from notifier.bench.neighbours import WITH_WEB, Neighbours
from notifier.bench.people import approved_campaign
from notifier.bench.posting import Addressee, addressees, post_all, twilio_posts
from notifier.bench.watching import watched
from notifier.bootstrap import House
from notifier.config import Settings
from notifier.delivery import waves
from notifier.delivery.batches import BatchStatus
from notifier.delivery.models import Batch, Delivery, Wave
from notifier.delivery.waves import WaveStatus
from notifier.kit.errors import Conflict
from notifier.kit.tokens import Purpose
from notifier.vocabulary import Channel, ChannelPolicy

CLICKS_AT_REST, FEWEST_CLICKS, MOST_CLICKS, MOST_S = 300, 100, 2_000, 40.0
# More than can be sent in the time; what is left over is not sent.
_CAMPAIGNS = 12
_PATIENCE_S = 120.0
_BETWEEN_CLICKS_S = 0.01
_POURING_CONNECTIONS = 2
_CLICK = {"Content-Type": "application/x-www-form-urlencoded"}


def clicks(shop: Workshop, kind: Kind, neighbours: Neighbours, opened: House) -> Figure:
    """Time clicks on the addresses of a campaign that was sent before."""
    shop.say(f"{kind}: one-click unsubscribes …")
    tokens = _tokens(opened)
    first = min(CLICKS_AT_REST, len(tokens) // 2)
    web = [part.process.pid for part in neighbours.parts if part.name in WITH_WEB]
    with watched(web) as calm:
        quiet = _click(neighbours.web_url, tokens[:first], lambda: True)
    people = addressees(opened, Channel.SMS)
    sending = _Sending(opened)
    if kind is Kind.POSTGRESQL:
        neighbours.spawn("work")
    with _pouring(neighbours.web_url, opened.settings, people), watched(web) as spent:
        busy = _click(neighbours.web_url, tokens[first:], sending.goes_on)
    more = {
        name: round(1_000 * _percentile(times, percent), 1)
        for prefix, times in (("", busy), ("floor_", quiet))
        for name, percent in ((f"{prefix}p50_ms", 50), (f"{prefix}p99_ms", 99))
    }
    share = len(busy) / len(quiet)
    return Figure(
        "one-click while sending",
        str(kind),
        len(busy),
        Spent(sum(busy), spent[0].cpu_s, spent[0].rss_mb),
        Spent(sum(quiet) * share, calm[0].cpu_s * share, calm[0].rss_mb),
        note="floor: the same with nothing else going on; cpu_us is all its process did meanwhile",
        more={"clicks_at_rest": len(quiet), "campaigns": sending.let_go, **more},
    )


def _tokens(opened: House) -> list[str]:
    rows = select(Delivery.address_id, Delivery.campaign_id).where(Delivery.channel == Channel.EMAIL)
    with opened.database.reading() as session:
        pairs = session.execute(rows.limit(CLICKS_AT_REST + MOST_CLICKS)).all()
    return [opened.keyring.seal(Purpose.UNSUBSCRIBE, *pair) for pair in pairs]


class _Sending:
    """Campaigns that are approved, and let go one after the other."""

    def __init__(self, opened: House) -> None:
        self._opened = opened
        self._waiting = deque(self._held_back() for _ in range(_CAMPAIGNS))
        self._let_go: list[int] = []
        self._release()

    @property
    def let_go(self) -> int:
        """How many campaigns have been let go."""
        return len(self._let_go)

    def goes_on(self) -> bool:
        """Whether anything is left to plan or to send; lets the next campaign go when it is time."""
        before, latest = [0, *self._let_go][-2:]
        if self._is_unplanned(latest) or self._is_unsent(before):
            return True
        if self._waiting:
            self._release()
            return True
        return self._is_unsent(latest)

    def _is_unplanned(self, campaign_id: int) -> bool:
        return self._any(select(Wave.id).where(Wave.campaign_id == campaign_id, Wave.status != WaveStatus.PLANNED))

    def _is_unsent(self, campaign_id: int) -> bool:
        return self._any(select(Batch.id).where(Batch.campaign_id == campaign_id, Batch.status != BatchStatus.DONE))

    def _any(self, wanted: Select[int]) -> bool:
        with self._opened.database.reading() as session:
            return session.scalar(wanted.limit(1)) is not None

    def _held_back(self) -> int:
        campaign_id = approved_campaign(self._opened, ChannelPolicy.EMAIL)
        with self._opened.database.transaction() as session:
            session.execute(update(Wave).where(Wave.campaign_id == campaign_id).values(status=WaveStatus.WAITING))
        return campaign_id

    def _release(self) -> None:
        self._let_go.append(self._waiting.popleft())
        with self._opened.database.transaction() as session:
            waves.release(session, self._let_go[-1], now=self._opened.clock())


def _click(url: str, tokens: Sequence[str], goes_on: Callable[[], bool]) -> list[float]:
    """Post unsubscribes one after the other, at least FEWEST_CLICKS of them; return how long each took, in seconds."""
    address = urlsplit(url)
    times: list[float] = []
    began = time.monotonic()
    with closing(HTTPConnection(address.hostname or "", address.port, timeout=_PATIENCE_S)) as connection:
        for token in islice(tokens, MOST_CLICKS):
            is_enough = not goes_on() or time.monotonic() - began > MOST_S
            if is_enough and len(times) >= FEWEST_CLICKS:
                break
            started = time.perf_counter()
            connection.request("POST", f"/u/{token}", b"List-Unsubscribe=One-Click", _CLICK)
            answer = connection.getresponse()
            answer.read()
            times.append(time.perf_counter() - started)
            if answer.status != 200:  # noqa: PLR2004 - what RFC 8058 asks for
                raise Conflict(f"A one-click unsubscribe was answered with {answer.status}")
            time.sleep(_BETWEEN_CLICKS_S)
    return times


@contextmanager
def _pouring(url: str, settings: Settings, people: Sequence[Addressee]) -> Iterator[None]:
    """Let another process post events until the block ends."""
    process = multiprocessing.get_context("spawn").Process(target=pour, args=(url, settings, people))
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def pour(url: str, settings: Settings, people: Sequence[Addressee]) -> None:
    """Post Twilio's callbacks without end; every round tells the same of the same messages, under new ids."""
    for number in count():
        post_all(url, twilio_posts(settings, people, f"p{number}"), _POURING_CONNECTIONS)


def _percentile(times: Sequence[float], percent: int) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[percent - 1]
