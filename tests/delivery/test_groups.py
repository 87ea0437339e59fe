"""A batch that leaves in groups: each is asked about by itself, at the last moment, and nobody is in two of them."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.audiences import suppressions
from notifier.delivery import queue, sender
from notifier.delivery.models import Delivery
from notifier.vocabulary import Channel, SuppressionReason
from notifier.worker.clocks import Clocks
from tests.delivery.conftest import World
from tests.factories import Person

LEASE = timedelta(seconds=60)


@pytest.fixture
def job(world: World) -> sender.Job:
    """A batch of two that a worker has claimed."""
    world.people(Person(email="ada@example.org"), Person(email="bob@example.org"))
    world.campaign()
    world.plan()
    engine, shelf = world.engine, sender.Shelf()
    with world.database.transaction() as session:
        claim = queue.claim(session, Channel.EMAIL, owner="one", now=world.clock(), lease=LEASE)
        assert claim is not None
        return sender.open_job(session, claim, audience=engine.audience, place=Clocks(engine).place, shelf=shelf)


def test_each_group_holds_the_next_of_its_batch(world: World, job: sender.Job) -> None:
    groups = [_next(world, job) for _ in range(3)]
    assert [_destinations(group) for group in groups] == [["ada@example.org"], ["bob@example.org"], []]
    with world.database.reading() as session:
        marked = session.execute(select(Delivery.status, Delivery.attempt_id).order_by(Delivery.id)).all()
    assert [tuple(row) for row in marked] == [("sending", group.attempt_id) for group in groups if group]


def test_an_opt_out_between_two_groups_is_honoured(world: World, job: sender.Job) -> None:
    _next(world, job)
    with world.database.transaction() as session:
        _opt_out(session, world, "bob@example.org")
    assert _next(world, job) is None
    with world.database.reading() as session:
        found = session.execute(select(Delivery.status, Delivery.reason).order_by(Delivery.id)).all()
    assert [tuple(row) for row in found] == [("sending", None), ("held_back", "opt_out")]


def test_a_group_goes_on_until_somebody_may_be_written_to(world: World, job: sender.Job) -> None:
    with world.database.transaction() as session:
        _opt_out(session, world, "ada@example.org")
    assert _destinations(_next(world, job)) == ["bob@example.org"]


def _next(world: World, job: sender.Job) -> sender.Group | None:
    now = world.clock()
    with world.database.transaction() as session:
        return sender.prepare(session, job, provider="fake", limit=1, lease=LEASE, latest=now, now=now)


def _destinations(group: sender.Group | None) -> list[str]:
    return [row[2] for row in group.rows] if group else []


def _opt_out(session: Session, world: World, email: str) -> None:
    address_id = session.scalars(select(Delivery.address_id).where(Delivery.destination == email)).one()
    suppressions.suppress_address(
        session, address_id, SuppressionReason.OPT_OUT, source="one-click", actor="recipient", now=world.clock()
    )
