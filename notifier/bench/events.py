"""`notifier bench events`: what providers report, from the signed post to the row that says what became of a message.

The product runs as it is meant to: on SQLite as one process (`notifier run`), on PostgreSQL as several (`serve`,
`schedule`, and `work` once there is something to send). A post counts when its events are applied. Beside it stands a
bare server that verifies, parses and inserts (`bare_door`). Then one-click unsubscribes are timed, one after the other,
first while nothing else happens, then while a campaign is planned and sent and events pour in.
"""

import multiprocessing
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from itertools import count, islice
from urllib.parse import urlsplit

from sqlalchemy import select, update

from notifier.bench import bare_door, watching
from notifier.bench.figures import Figure, Spent
from notifier.bench.ground import Kind, Workshop, ground
from notifier.bench.neighbours import Neighbours
from notifier.bench.people import approved_campaign, settle_in
from notifier.bench.posting import Addressee, post_all, sendgrid_posts, twilio_posts
from notifier.bootstrap import House
from notifier.config import Settings
from notifier.delivery.batches import BatchStatus
from notifier.delivery.models import Batch, Delivery, Wave
from notifier.delivery.status import DeliveryStatus
from notifier.delivery.waves import WaveStatus
from notifier.kit.errors import Conflict
from notifier.kit.tokens import Purpose
from notifier.tracking.models import PendingEvent
from notifier.vocabulary import Channel, ChannelPolicy
from notifier.worker import planning

PATIENCE_S = 120.0
CLICKS, MOST_CLICKS, MOST_S = 100, 2_000, 30.0
_BETWEEN_CLICKS_S = 0.01
_POURING_CONNECTIONS = 2
_EVENTS_EACH = 2
# Every event of Twilio is a post of its own; some of them show as much as all.
_MOST = {Channel.EMAIL: None, Channel.SMS: 10_000}
_CLICK = {"Content-Type": "application/x-www-form-urlencoded"}

_PARTS = {Kind.SQLITE: ("run",), Kind.POSTGRESQL: ("serve", "schedule")}
_WITH_WEB = ("run", "serve")

Posts = Callable[[Settings, Sequence[Addressee], str], Iterator[bytes]]
_POSTS: Mapping[Channel, Posts] = {Channel.EMAIL: sendgrid_posts, Channel.SMS: twilio_posts}
_NAMES = {Channel.EMAIL: "events: SendGrid batches", Channel.SMS: "events: Twilio posts"}


def events(shop: Workshop, kinds: list[Kind], recipients: int) -> list[Figure]:
    """Measure on each kind of database; two events come for each of the recipients on each channel."""
    return [figure for kind in kinds for figure in _on(kind, shop, recipients)]


def _on(kind: Kind, shop: Workshop, recipients: int) -> list[Figure]:
    with ground(kind, shop) as made:
        neighbours = Neighbours(
            shop.folder / f"events-{kind}",
            {**shop.environment, "NOTIFIER_PROVIDERS_EMAIL": "sendgrid", "NOTIFIER_PROVIDERS_SMS": "twilio"},
            write_secrets=shop.write_secrets,
            database=made.url,
            parts=_PARTS[kind],
        )
        with neighbours, neighbours.house() as opened:
            shop.say(f"{kind}: making {recipients} people …")
            settle_in(opened, recipients, Channel.EMAIL, Channel.SMS)
            _sent_campaign(opened)
            neighbours.start()
            figures = [_posted(shop, kind, neighbours, opened, channel) for channel in Channel]
            figures.append(_clicked(shop, kind, neighbours, opened))
            return figures


def _sent_campaign(opened: House) -> None:
    """Plan a campaign and mark all of it as handed over, so that there is something to report about."""
    approved_campaign(opened, ChannelPolicy.BOTH)
    planning.plan_due(opened.engine)
    with opened.database.transaction() as session:
        session.execute(
            update(Delivery)
            .where(Delivery.status == DeliveryStatus.QUEUED)
            .values(status=DeliveryStatus.ACCEPTED, accepted_at=opened.clock())
        )
        session.execute(update(Batch).values(status=BatchStatus.DONE))


def _posted(shop: Workshop, kind: Kind, neighbours: Neighbours, opened: House, channel: Channel) -> Figure:
    people = _addressees(opened, channel)[: _MOST[channel]]
    posts = list(_POSTS[channel](opened.settings, people, "1"))
    amount = len(people) * _EVENTS_EACH
    shop.say(f"{kind}: posting {amount} events in {len(posts)} posts …")
    with _watched([part.process.pid for part in neighbours.parts]) as spent:
        post_all(neighbours.web_url, posts)
        _wait_until_applied(opened)
    with _bare_door(neighbours.environment) as (url, process), _watched([process]) as floor:
        post_all(url, posts)
    note = f"{len(posts)} posts"
    return Figure(_NAMES[channel], str(kind), amount, spent[0], floor[0], note=note)


@contextmanager
def _watched(processes: Sequence[int]) -> Iterator[list[Spent]]:
    """Give a list in which, at the end, stands what the processes spent in between."""
    found: list[Spent] = []
    cpu, wall = watching.cpu_s(processes), time.perf_counter()
    yield found
    took = time.perf_counter() - wall
    found.append(Spent(took, watching.cpu_s(processes) - cpu, watching.peak_mb_of(processes)))


def _addressees(opened: House, channel: Channel) -> list[Addressee]:
    wanted = (
        select(Delivery.id, Delivery.destination)
        .where(Delivery.channel == channel, Delivery.status != DeliveryStatus.HELD_BACK)
        .order_by(Delivery.id)
    )
    with opened.database.reading() as session:
        rows = session.execute(wanted).all()
    references = opened.keyring.seal_many(Purpose.DELIVERY, [delivery_id for delivery_id, _ in rows])
    return [(reference, destination or "") for reference, (_, destination) in zip(references, rows, strict=True)]


def _wait_until_applied(opened: House) -> None:
    pending = select(PendingEvent.id).limit(1)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with opened.database.reading() as session:
            if session.scalar(pending) is None:
                return
        time.sleep(0.02)
    raise Conflict(f"The events were not applied within {PATIENCE_S:g} s")


@contextmanager
def _bare_door(environment: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Run the floor's server; give its address and the id of its process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = multiprocessing.get_context("spawn").Process(target=bare_door.serve, args=(environment, port))
    process.start()
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}", process.pid or 0
    finally:
        process.terminate()
        process.join()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise Conflict("The floor's server did not start")


def _clicked(shop: Workshop, kind: Kind, neighbours: Neighbours, opened: House) -> Figure:
    shop.say(f"{kind}: one-click unsubscribes …")
    with opened.database.reading() as session:
        rows = select(Delivery.address_id, Delivery.campaign_id).where(Delivery.channel == Channel.EMAIL)
        pairs = [(address_id, campaign_id) for address_id, campaign_id in session.execute(rows)]
    tokens = [opened.keyring.seal(Purpose.UNSUBSCRIBE, *pair) for pair in pairs[: CLICKS + MOST_CLICKS]]
    first = min(CLICKS, len(tokens) // 2)
    web = [part.process.pid for part in neighbours.parts if part.name in _WITH_WEB]
    with _watched(web) as calm:
        quiet = _click(neighbours.web_url, tokens[:first], lambda: True)
    people = _addressees(opened, Channel.SMS)
    campaign_id = approved_campaign(opened, ChannelPolicy.EMAIL)
    if kind is Kind.POSTGRESQL:
        neighbours.spawn("work")
    with _pouring(neighbours.web_url, opened.settings, people), _watched(web) as spent:
        busy = _click(neighbours.web_url, tokens[first:], lambda: _is_being_sent(opened, campaign_id))
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
        more=more,
    )


def _click(url: str, tokens: Sequence[str], goes_on: Callable[[], bool]) -> list[float]:
    """Post unsubscribes one after the other, at least CLICKS of them; return how long each took, in seconds."""
    address = urlsplit(url)
    times: list[float] = []
    began = time.monotonic()
    with closing(HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE_S)) as connection:
        for token in islice(tokens, MOST_CLICKS):
            if len(times) >= CLICKS and (time.monotonic() - began > MOST_S or not goes_on()):
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


def _is_being_sent(opened: House, campaign_id: int) -> bool:
    unplanned = select(Wave.id).where(Wave.campaign_id == campaign_id, Wave.status != WaveStatus.PLANNED)
    unsent = select(Delivery.id).where(
        Delivery.campaign_id == campaign_id, Delivery.status.in_([DeliveryStatus.QUEUED, DeliveryStatus.SENDING])
    )
    with opened.database.reading() as session:
        return any(session.scalar(some.limit(1)) is not None for some in (unplanned, unsent))


def _percentile(times: Sequence[float], percent: int) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[percent - 1]
