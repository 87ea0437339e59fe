"""`notifier bench events`: what providers report, from the signed post to the row that says what became of a message.

The product runs as it is meant to: on SQLite as one process (`notifier run`), on PostgreSQL as several (`serve`,
`schedule`, and `work` once there is something to send). A post counts when its events are applied. Beside it stands a
bare server that verifies, parses and inserts (`bare_door`). Then people click (`clicks`).
"""

import multiprocessing
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import select, update

from notifier.bench import bare_door
from notifier.bench.clicks import clicks
from notifier.bench.figures import Figure
from notifier.bench.ground import Kind, Workshop, ground
from notifier.bench.neighbours import Neighbours
from notifier.bench.people import approved_campaign, settle_in
from notifier.bench.posting import Addressee, addressees, post_all, sendgrid_posts, twilio_posts
from notifier.bench.watching import watched
from notifier.bootstrap import House
from notifier.config import Settings
from notifier.delivery.batches import BatchStatus
from notifier.delivery.models import Batch, Delivery
from notifier.delivery.status import DeliveryStatus
from notifier.kit.errors import Conflict
from notifier.tracking.models import PendingEvent
from notifier.vocabulary import Channel, ChannelPolicy
from notifier.worker import planning

_PATIENCE_S = 120.0
_EVENTS_EACH = 2
# Every event of Twilio is a post of its own; some of them show as much as all.
_MOST = {Channel.EMAIL: None, Channel.SMS: 10_000}

_PARTS = {Kind.SQLITE: ("run",), Kind.POSTGRESQL: ("serve", "schedule")}

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
            figures.append(clicks(shop, kind, neighbours, opened))
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
    people = addressees(opened, channel)[: _MOST[channel]]
    posts = list(_POSTS[channel](opened.settings, people, "1"))
    amount = len(people) * _EVENTS_EACH
    shop.say(f"{kind}: posting {amount} events in {len(posts)} posts …")
    with watched([part.process.pid for part in neighbours.parts]) as spent:
        post_all(neighbours.web_url, posts)
        _wait_until_applied(opened)
    with _bare_door(neighbours.environment) as (url, process), watched([process]) as floor:
        post_all(url, posts)
    note = f"{len(posts)} posts"
    return Figure(_NAMES[channel], str(kind), amount, spent[0], floor[0], note=note)


def _wait_until_applied(opened: House) -> None:
    pending = select(PendingEvent.id).limit(1)
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        with opened.database.reading() as session:
            if session.scalar(pending) is None:
                return
        time.sleep(0.02)
    raise Conflict(f"The events were not applied within {_PATIENCE_S:g} s")


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
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise Conflict("The floor's server did not start")
