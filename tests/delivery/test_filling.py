"""Batches grow over the slices of a plan, as long as nobody has taken them, and nothing is lost or counted twice."""

from sqlalchemy import func, select, update

from notifier.campaigns.lifecycle import CampaignStatus
from notifier.campaigns.models import Campaign
from notifier.delivery import control, counts, queue, waves
from notifier.delivery.batches import BatchStatus
from notifier.delivery.filling import Unfilled
from notifier.delivery.models import Batch, Delivery
from notifier.delivery.planner import Planned, PlanSettings
from notifier.vocabulary import Channel, ChannelPolicy
from notifier.worker import planning
from tests.delivery.conftest import World
from tests.factories import Person


def _people(amount: int, language: str = "en") -> list[Person]:
    return [Person(email=f"p{number}-{language}@example.org", language=language) for number in range(amount)]


def _sizes(world: World) -> list[tuple[int, int]]:
    """Return for every batch how large it says it is, and how many deliveries it has."""
    with world.database.reading() as session:
        rows = session.execute(
            select(Batch.size, func.count())
            .join(Delivery, Delivery.batch_id == Batch.id)
            .group_by(Batch.id, Batch.size)
            .order_by(Batch.id)
        )
        return [(size, amount) for size, amount in rows]


def test_what_a_slice_leaves_unfilled_the_next_one_fills_up(world: World) -> None:
    world.planning = PlanSettings(slice_addresses=3, email_batch=8)
    world.people(*_people(10))
    world.campaign()
    world.plan()
    assert _sizes(world) == [(8, 8), (2, 2)]


def test_each_variant_has_batches_of_its_own_in_every_slice(world: World) -> None:
    world.planning = PlanSettings(slice_addresses=4, email_batch=3)
    mixed = [one for pair in zip(_people(10), _people(10, "vi"), strict=True) for one in pair]
    world.people(*mixed)
    campaign = world.campaign()
    world.plan()
    assert sorted(_sizes(world)) == [(1, 1), (1, 1)] + [(3, 3)] * 6
    with world.database.reading() as session:
        mixed_up = (
            select(Batch.id)
            .join(Delivery, Delivery.batch_id == Batch.id)
            .where(Delivery.variant_id != Batch.variant_id)
        )
        assert session.scalars(mixed_up).all() == []
    world.work()
    assert set(world.statuses(campaign).values()) == {"accepted"}


def test_a_batch_that_was_claimed_does_not_grow(world: World) -> None:
    world.planning = PlanSettings(slice_addresses=3, email_batch=8)
    world.people(*_people(6))
    campaign = world.campaign()
    approved = planning.Approved(world.engine)
    with world.database.transaction() as session:
        wave = waves.next_due(session, now=world.clock())
        assert wave is not None
        first = planning.plan_slice(session, wave, world.engine, approved, {})
        assert first is not None
    with world.database.transaction() as session:
        lease = world.engine.worker.lease
        claim = queue.claim(session, Channel.EMAIL, owner="somebody", now=world.clock(), lease=lease)
        assert claim is not None
        queue.give_back(session, claim)
    with world.database.transaction() as session:
        wave = waves.next_due(session, now=world.clock())
        assert wave is not None
        planning.plan_slice(session, wave, world.engine, approved, first.unfilled)
    assert _sizes(world) == [(3, 3), (3, 3)]
    world.work()
    assert set(world.statuses(campaign).values()) == {"accepted"}


def test_schools_are_exact_while_batches_grow_and_counted_ahead_once_they_do_not(world: World) -> None:
    world.planning = PlanSettings(slice_addresses=3, email_batch=8)
    world.people(*_people(6))
    campaign = world.campaign(channels=ChannelPolicy.EMAIL)
    approved = planning.Approved(world.engine)
    unfilled: dict[int, Unfilled] = {}
    story = []
    while True:
        with world.database.transaction() as session:
            wave = waves.next_due(session, now=world.clock())
            if wave is None:
                break
            done = planning.plan_slice(session, wave, world.engine, approved, unfilled)
            assert done is not None
            unfilled = dict(done.unfilled)
        with world.database.transaction() as session:
            ahead = counts.refresh(session)
            story.append((ahead, [cell.number for cell in counts.school_cells(session, campaign)]))
    # Three, six, and the slice that finds nobody else, with which the wave is planned: the batch, and the wave itself.
    assert story == [(0, [3]), (0, [6]), (2, [6])]
    assert _sizes(world) == [(6, 6)]


def test_the_few_of_an_audience_are_not_looked_for_among_everybody_else(world: World) -> None:
    world.planning = PlanSettings(slice_addresses=3, email_batch=8)
    world.people(*_people(12, "el"), code="elsewhere", region="GR")
    world.people(Person(email="ada@example.org"), code="northcote-high")
    world.people(*_people(12, "de"), code="far-away", region="DE")
    world.people(Person(email="bob@example.org"), code="preston-primary")
    world.people(*_people(12, "fr"), code="abroad", region="FR")
    campaign = world.campaign()
    found: list[Planned] = []
    approved = planning.Approved(world.engine)
    while not found or not found[-1].finished:
        with world.database.transaction() as session:
            wave = waves.next_due(session, now=world.clock())
            assert wave is not None
            done = planning.plan_slice(session, wave, world.engine, approved, {})
            assert done is not None
            found.append(done)
    # Ada's slice, an empty one, Bob's, an empty one, and the end; without looking ahead they would be fourteen.
    assert [done.deliveries for done in found] == [1, 0, 1, 0, 0]
    assert set(world.statuses(campaign)) == {"ada@example.org", "bob@example.org"}


def test_nobody_changes_a_campaign_in_the_middle_of_a_slice(world: World) -> None:
    world.people(*_people(6))
    campaign = world.campaign()
    with world.database.transaction() as session:
        wave = waves.next_due(session, now=world.clock())
        assert wave is not None
        planning.plan_slice(session, wave, world.engine, planning.Approved(world.engine), {})
        if not world.database.is_sqlite:
            with world.database.reading() as other:
                free = select(Campaign.id).where(Campaign.id == campaign).with_for_update(skip_locked=True)
                assert other.scalar(free) is None
    with world.database.transaction() as session:
        control.pause(session, campaign, by=world.officer(session, campaign), reason="a test", now=world.clock())
    with world.database.reading() as session:
        assert set(session.scalars(select(Batch.status))) == {BatchStatus.PAUSED}


def test_a_wave_of_a_campaign_that_has_stopped_is_not_due(world: World) -> None:
    world.people(*_people(2))
    campaign = world.campaign()
    with world.database.transaction() as session:
        session.execute(update(Campaign).where(Campaign.id == campaign).values(status=CampaignStatus.PAUSED))
        assert waves.next_due(session, now=world.clock()) is None
