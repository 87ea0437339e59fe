"""Several schedulers at once: every duty may run in many places, and what it does is done once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier.delivery.models import Batch, Delivery
from notifier.kit.db import Database
from notifier.kit.tokens import Purpose
from notifier.providers.base import Ambiguous, Event
from notifier.tracking import inbox
from notifier.vocabulary import ChannelPolicy, EventKind
from notifier.worker import doubts, duties, planning
from notifier.worker.engine import Engine
from tests.delivery.conftest import World
from tests.factories import Person


def _together(world: World, duty: Callable[[Engine], object], times: int = 4) -> None:
    engine = world.engine
    with ThreadPoolExecutor(times) as schedulers:
        for done in [schedulers.submit(duty, engine) for _ in range(times)]:
            done.result()


def _count(world: World, what: type[Batch | Delivery]) -> int:
    with world.database.reading() as session:
        return session.scalar(select(func.count()).select_from(what)) or 0


def test_four_planners_write_one_delivery_for_each_address(world: World) -> None:
    world.people(*(Person(email=f"p{number}@example.org") for number in range(20)))
    for _ in range(3):
        world.campaign()
    _together(world, planning.plan_due)
    world.plan()
    assert _count(world, Delivery) == 60
    with world.database.reading() as session:
        assert session.scalar(select(func.sum(Batch.size))) == 60
    world.work()
    taken = [(envelope.destination, envelope.reference) for envelope in world.email.taken]
    assert len(taken) == len(set(taken)) == 60


def test_slices_are_as_large_as_they_are_set_while_nobody_comes(world: World) -> None:
    world.planning = type(world.planning)(slice_addresses=10_000)
    assert planning.planning_now(world.engine) == world.planning


def test_slices_are_smaller_while_people_are_about(world: World) -> None:
    with world.database.overtaking_transaction() as session:
        session.execute(select(1))
    world.planning = type(world.planning)(slice_addresses=10_000)
    assert planning.planning_now(world.engine).slice_addresses == 500
    world.planning = type(world.planning)(slice_addresses=100)
    assert planning.planning_now(world.engine) == world.planning


def test_what_is_pending_is_applied_at_once_however_its_lines_fill_the_portions(world: World) -> None:
    references = world.keyring.seal_many(Purpose.DELIVERY, range(1, 451))
    told = [
        Event("fake", f"{second}-{reference}", EventKind.DELIVERED, moment, reference=reference)
        for second in range(10)
        for moment in [world.clock() - timedelta(seconds=second)]
        for reference in references
    ]
    with world.database.transaction() as session:
        inbox.store(session, told, keyring=world.keyring, now=world.clock())
    assert duties.apply_events(world.engine) == 4_500


def test_four_settlers_queue_again_once(world: World) -> None:
    world.planning = type(world.planning)(slice_addresses=100, email_batch=100)
    world.people(*(Person(email=f"p{number}@example.org") for number in range(5)))
    campaign = world.campaign()
    world.email.answers = [lambda _: Ambiguous("timeout")]
    world.plan()
    world.work()
    world.people(Person(email="other@example.org"), code="preston-primary")
    world.campaign()
    world.plan()
    world.work()
    world.clock.forward(minutes=1)
    world.tell("other@example.org", EventKind.DELIVERED)
    world.clock.forward(hours=1)
    before = _count(world, Batch)
    _together(world, doubts.settle)
    assert _count(world, Batch) == before + 1
    world.work()
    assert set(world.statuses(campaign).values()) == {"accepted"}


def test_four_finishers_close_a_campaign_once(world: World) -> None:
    world.people(Person(email="ada@example.org"))
    campaign = world.campaign()
    world.plan()
    world.work()
    _together(world, duties.watch)
    _together(world, duties.take_over)
    duties.finish(world.engine)
    _together(world, duties.finish)
    assert world.found(campaign).status == "sent"


def test_counting_ends_though_more_comes_to_rest_all_the_time(world: World) -> None:
    """A duty that waits for nothing more to come would count without end while a campaign is being sent."""
    world.people(*(Person(email=f"p{number}@example.org") for number in range(3)))
    sent = 0

    def send_another() -> None:
        nonlocal sent
        if sent < 5:
            sent += 1
            world.campaign()
            world.plan()
            world.work()

    class Restless(Database):
        @contextmanager
        def repeatable_transaction(self) -> Iterator[Session]:
            with super().repeatable_transaction() as session:
                yield session
            send_another()

    send_another()
    with closing(Restless(world.database.engine.url.render_as_string(hide_password=False))) as restless:
        assert duties.count(replace(world.engine, database=restless)) > 0
    assert sent == 2


def test_beside_events_that_wait_a_tick_counts_only_a_little(world: World) -> None:
    world.people(*(Person(email=f"p{number}@example.org") for number in range(60)))
    world.planning = type(world.planning)(email_batch=1)
    world.campaign(channels=ChannelPolicy.EMAIL)
    world.plan()
    world.work()
    reference = world.keyring.seal(Purpose.DELIVERY, 1)
    told = Event("fake", "1", EventKind.DELIVERED, world.clock(), reference=reference)
    with world.database.transaction() as session:
        inbox.store(session, [told], keyring=world.keyring, now=world.clock())
    uncounted = select(func.count()).select_from(Batch).where(Batch.counted.is_(None))
    left = []
    for _ in range(2):
        duties.count(world.engine)
        with world.database.reading() as session:
            left.append(session.scalar(uncounted))
        duties.apply_events(world.engine)
    assert left == [40, 0]
