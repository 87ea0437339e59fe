"""Gathering ahead: what was gathered while the slice before was written is used only if it is what is wanted."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from sqlalchemy import func, select

from notifier.audiences import suppressions
from notifier.audiences.forgetting import forget
from notifier.campaigns.options import Options
from notifier.delivery import control, waves
from notifier.delivery.gathering import Gathered
from notifier.delivery.models import Batch
from notifier.delivery.planner import PlanSettings
from notifier.vocabulary import Channel, SuppressionReason
from notifier.worker import planning
from notifier.worker.planning import Ahead, Approved
from tests.delivery.conftest import World
from tests.factories import SECRET, Person


def _people(number: int) -> list[Person]:
    return [Person(email=f"p{place}@example.org") for place in range(number)]


@pytest.fixture
def ahead(world: World) -> Iterator[Ahead]:
    world.planning = PlanSettings(slice_addresses=3, email_batch=8)
    world.people(*_people(7))
    made = Ahead(world.engine)
    yield made
    made.close()


@contextmanager
def _slice(world: World, ahead: Ahead) -> Iterator[Gathered | None]:
    """Plan the next slice; give what was gathered for it before."""
    with ahead.next_slice() as (session, gathered):
        wave = waves.next_due(session, now=world.clock())
        assert wave is not None
        yield gathered
        planning.plan_slice(session, wave, world.engine, Approved(world.engine), {}, gathered, ahead)


def test_the_people_of_the_next_slice_are_there_when_this_one_is_written(world: World, ahead: Ahead) -> None:
    campaign = world.campaign()
    with _slice(world, ahead) as first:
        assert first is None
    with _slice(world, ahead) as second:
        assert second is not None
        assert sum(one.everybody for one in second.found) == 3
    assert len(world.statuses(campaign)) == 6
    world.plan()
    assert set(world.statuses(campaign).values()) == {"queued"}
    assert len(world.statuses(campaign)) == 7


def test_what_another_scheduler_has_planned_meanwhile_is_not_planned_again(world: World, ahead: Ahead) -> None:
    campaign = world.campaign()
    with _slice(world, ahead):
        pass
    with closing(Ahead(world.engine)) as other, other.next_slice() as (session, _):
        wave = waves.next_due(session, now=world.clock())
        assert wave is not None
        planning.plan_slice(session, wave, world.engine, Approved(world.engine), {})
    with _slice(world, ahead) as stale:
        assert stale is not None
    assert len(world.statuses(campaign)) == 7
    with world.database.reading() as session:
        assert session.scalar(select(func.sum(Batch.size))) == 7


def test_a_campaign_cancelled_meanwhile_is_not_planned_any_further(world: World, ahead: Ahead) -> None:
    campaign = world.campaign()
    with _slice(world, ahead):
        pass
    with world.database.transaction() as session:
        control.cancel(session, campaign, by=world.officer(session, campaign), reason="a test", now=world.clock())
    with ahead.next_slice() as (session, gathered):
        assert gathered is not None
        assert waves.next_due(session, now=world.clock()) is None
    assert set(world.statuses(campaign).values()) == {"cancelled"}


def test_an_opt_out_between_gathering_and_leaving_is_honoured(world: World, ahead: Ahead) -> None:
    campaign = world.campaign()
    with _slice(world, ahead):
        pass
    with world.database.transaction() as session:
        suppressions.suppress(
            session, SECRET, Channel.EMAIL, "p4@example.org", SuppressionReason.OPT_OUT,
            source="test", actor="test", now=world.clock(),
        )  # fmt: skip
    with _slice(world, ahead) as second:
        assert second is not None
    world.plan()
    world.work()
    assert world.statuses(campaign)["p4@example.org"] == "held_back"
    assert "p4@example.org" not in {envelope.destination for envelope in world.email.taken}


def test_the_first_so_many_of_a_canary_are_not_gathered_ahead(world: World, ahead: Ahead) -> None:
    world.campaign(options=Options(canary_first=4, canary_wait_s=600.0))
    with _slice(world, ahead):
        pass
    with _slice(world, ahead) as second:
        assert second is None


def test_nobody_erased_meanwhile_is_copied_into_the_ledger(world: World, ahead: Ahead) -> None:
    campaign = world.campaign()
    with _slice(world, ahead):
        pass
    with world.database.transaction() as session:
        forget(session, SECRET, Channel.EMAIL, "p4@example.org", actor="test", now=world.clock())
    with _slice(world, ahead) as second:
        assert second is not None
    assert "p4@example.org" not in world.statuses(campaign)
    world.plan()
    assert len(world.statuses(campaign)) == 6


def test_what_was_gathered_long_ago_is_gathered_again(world: World, ahead: Ahead) -> None:
    campaign = world.campaign()
    with _slice(world, ahead):
        pass
    world.clock.forward(seconds=2)
    with _slice(world, ahead) as second:
        assert second is None
    assert len(world.statuses(campaign)) == 6
