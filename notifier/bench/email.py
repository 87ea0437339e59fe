"""`notifier bench email`: a campaign planned and handed over through the SendGrid adapter, beside its floor.

Planning and handing over are measured one after the other, each in a process of its own as `notifier schedule` and
`notifier work` are, so that both figures are whole; in real life the second begins while the first is still going on.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import uvloop
from sqlalchemy import func, select

from notifier.bench.apart import apart
from notifier.bench.figures import Figure, Meter, Spent, together
from notifier.bench.floors import hand_over_floor, plan_floor
from notifier.bench.ground import Ground, Kind, Workshop, ground, house
from notifier.bench.neighbours import Neighbours
from notifier.bench.people import NEVER_QUIET, approved_campaign, settle_in
from notifier.bootstrap import House
from notifier.delivery.batches import BatchStatus
from notifier.delivery.models import Batch, Delivery
from notifier.delivery.status import DeliveryStatus
from notifier.kit.errors import Conflict
from notifier.vocabulary import Channel, ChannelPolicy
from notifier.worker import planning
from notifier.worker.loop import Worker

_LOOK_EVERY_S = 0.05


def email(shop: Workshop, kinds: list[Kind], recipients: int) -> list[Figure]:
    """Measure the email path on each kind of database."""
    return [figure for kind in kinds for figure in _on(kind, shop, recipients)]


@contextmanager
def planned(
    shop: Workshop, kind: Kind, recipients: int, channel: Channel, **settings: str
) -> Iterator[tuple[Ground, Mapping[str, str], int, Spent]]:
    """Make people, plan a campaign to them, start a sandbox that tells nobody of anything.

    Gives the database, the environment of the installation, how many may be written to, and what planning took.
    """
    with ground(kind, shop) as made:
        neighbours = Neighbours(
            shop.folder / f"{channel}-{kind}-{made.url[-8:].strip('/')}",
            {**shop.environment, **NEVER_QUIET, **settings},
            write_secrets=shop.write_secrets,
            database=made.url,
            parts=(),
            sandbox_options=("--webhook-url", ""),
        )
        with neighbours:
            shop.say(f"{kind}: making {recipients} people …")
            neighbours.start()
            with house(neighbours.environment) as opened:
                to_send = settle_in(opened, recipients, channel)
                approved_campaign(opened, ChannelPolicy(channel.value))
            shop.say(f"{kind}: planning …")
            yield made, neighbours.environment, to_send, apart(plan, neighbours.environment)


def _on(kind: Kind, shop: Workshop, recipients: int) -> list[Figure]:
    with planned(shop, kind, recipients, Channel.EMAIL, NOTIFIER_PROVIDERS_EMAIL="sendgrid") as found:
        made, environment, to_send, planning = found
        copied = made.copy("floor")
        floor_environment = {**environment, "NOTIFIER_DATABASE_URL": copied.url}
        with house(environment) as opened:
            slice_rows = opened.settings.planning.slice_addresses
            in_flight = opened.settings.worker.email_in_flight
        shop.say(f"{kind}: handing over …")
        sent = apart(hand_over, environment)
        check_all_accepted(environment, to_send)
        shop.say(f"{kind}: the floor …")
        floor_sent = apart(hand_over_floor, floor_environment, in_flight)
        floor_planned = apart(plan_floor, floor_environment, slice_rows)
        copied.drop()
    name, note = str(kind), f"{to_send} of them may be written to"
    return [
        Figure("email: plan", name, recipients, planning, floor_planned, note=note),
        Figure("email: hand over", name, to_send, sent, floor_sent),
        Figure("email", name, recipients, together(planning, sent), together(floor_planned, floor_sent)),
    ]


def plan(environment: Mapping[str, str]) -> Spent:
    """Plan what is due."""
    with house(environment) as opened:
        engine = opened.engine
        engine.press()
        with Meter() as meter:
            planning.plan_due(engine)
        return meter.spent


def hand_over(environment: Mapping[str, str]) -> Spent:
    """Run a worker until no batch is left, as `notifier work` runs it."""
    with house(environment) as opened:
        opened.settle()
        with Meter() as meter:
            uvloop.run(_work_until_done(opened))
        return meter.spent


async def _work_until_done(opened: House) -> None:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(Worker(opened.engine).run(stop))
        await asyncio.to_thread(_wait_until_done, opened)
        stop.set()
    await opened.close_providers()


def _wait_until_done(opened: House) -> None:
    while _has_work(opened):
        time.sleep(_LOOK_EVERY_S)


def _has_work(opened: House) -> bool:
    unfinished = select(Batch.id).where(Batch.status.in_([BatchStatus.READY, BatchStatus.CLAIMED])).limit(1)
    with opened.database.reading() as session:
        return session.scalar(unfinished) is not None


def check_all_accepted(environment: Mapping[str, str], expected: int) -> None:
    """Refuse to call a run a measurement that did not do its work."""
    with house(environment) as opened, opened.database.reading() as session:
        found: dict[str, Any] = dict(
            session.execute(select(Delivery.status, func.count()).group_by(Delivery.status)).all()
        )
    if found.get(DeliveryStatus.ACCEPTED) != expected:
        raise Conflict(f"Not everything was handed over ({expected} should be): {found}")
