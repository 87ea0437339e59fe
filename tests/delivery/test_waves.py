"""Waves: who each is for, when it may go, and what happens to one that is late."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlalchemy import select

from notifier.accounts import audit
from notifier.campaigns import schedule
from notifier.campaigns.options import Options
from notifier.campaigns.zones import zones_of
from notifier.delivery import control
from notifier.delivery.models import Delivery, Wave
from notifier.kit.errors import Conflict
from notifier.providers.base import Permanent
from notifier.vocabulary import ChannelPolicy, EventKind
from notifier.worker import duties
from tests.delivery.conftest import World
from tests.factories import Person

ZONES = {"Australia/Melbourne": ["AU-VIC"], "Europe/Berlin": ["DE"], "Europe/Athens": ["GR"]}


def _many(amount: int, place: str = "p") -> list[Person]:
    return [Person(email=f"{place}{number}@example.org") for number in range(amount)]


def _europe(world: World) -> None:
    world.people(*_many(2, "vic"))
    world.people(*_many(2, "ger"), code="berlin", name="Berlin", region="DE")
    world.people(*_many(2, "gre"), code="athens", name="Athens", region="GR")


def _waves(world: World, campaign: int) -> list[Wave]:
    with world.database.reading() as session:
        return list(session.scalars(select(Wave).where(Wave.campaign_id == campaign).order_by(Wave.id)))


def _people_of(world: World, wave: Wave) -> set[str | None]:
    with world.database.reading() as session:
        return set(session.scalars(select(Delivery.destination).where(Delivery.wave_id == wave.id)))


def test_the_zones_of_an_audience_are_those_of_its_lists(world: World) -> None:
    _europe(world)
    papers = world.press.papers
    with world.database.reading() as session:
        assert zones_of(session, papers.audience("all-parents"), papers.atlas) == ZONES
        assert list(zones_of(session, papers.audience("victoria-parents"), papers.atlas)) == ["Australia/Melbourne"]


def test_nine_where_the_recipient_is_reaches_each_region_at_its_own_time_and_nobody_twice(world: World) -> None:
    _europe(world)
    wish = schedule.local_schedule(date(2026, 12, 1), time(9), zones=list(ZONES), now=world.clock())
    campaign = world.campaign(schedule=wish, zones=ZONES, audience="all-parents", advisory="say-no")
    world.clock.moment = datetime(2026, 11, 30, 22, tzinfo=UTC)
    assert world.plan() == 2
    assert set(world.statuses(campaign)) == {"vic0@example.org", "vic1@example.org"}
    world.clock.moment = datetime(2026, 12, 1, 7, tzinfo=UTC)
    assert world.plan() == 2
    world.clock.moment = datetime(2026, 12, 1, 8, tzinfo=UTC)
    assert world.plan() == 2
    assert len(world.statuses(campaign)) == 6


def test_a_family_that_moved_to_an_earlier_zone_is_reached_with_the_last(world: World) -> None:
    _europe(world)
    wish = schedule.local_schedule(date(2026, 12, 1), time(9), zones=list(ZONES), now=world.clock())
    campaign = world.campaign(schedule=wish, zones=ZONES, audience="all-parents", advisory="say-no")
    world.clock.moment = datetime(2026, 11, 30, 22, tzinfo=UTC)
    world.plan()
    world.people(*_many(1, "new"), code="carlton", name="Carlton", region="AU-VIC")
    world.clock.moment = datetime(2026, 12, 1, 8, tzinfo=UTC)
    world.plan()
    assert "new0@example.org" in world.statuses(campaign)
    assert len(world.statuses(campaign)) == 7


def test_a_local_hour_just_missed_goes_and_one_long_past_is_held(world: World) -> None:
    _europe(world)
    wish = {"kind": "local", "date": "2026-11-23", "time": "09:00"}
    world.clock.moment = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
    near = {"Europe/Berlin": ["DE"]}
    campaign = world.campaign(schedule=wish, zones=near, audience="all-parents", advisory="say-no")
    assert world.plan() == 6
    late = world.campaign(schedule=wish, zones=ZONES, audience="all-parents", advisory="say-no")
    assert world.plan() == 0
    assert world.found(late).status == "held"
    assert "grace period" in (world.found(late).status_reason or "")
    assert world.found(campaign).status == "sending"


def test_a_staggered_campaign_goes_slot_by_slot_and_reaches_everybody_once(world: World) -> None:
    world.people(*_many(10))
    wish = schedule.staggered_schedule(schedule.now_schedule(), over=timedelta(hours=2), slots=4)
    campaign = world.campaign(schedule=wish)
    planned = []
    for _ in range(4):
        planned.append(world.plan())
        world.clock.forward(minutes=30)
    assert sum(planned) == 10
    assert max(planned) < 5
    assert len(world.statuses(campaign)) == 10


def test_slots_missed_in_a_pause_are_moved_together_and_not_sent_at_once(world: World) -> None:
    world.people(*_many(10))
    wish = schedule.staggered_schedule(schedule.now_schedule(), over=timedelta(hours=2), slots=4)
    campaign = world.campaign(schedule=wish)
    world.plan()
    with world.database.transaction() as session:
        control.pause(session, campaign, by=world.officer(session, campaign), reason=None, now=world.clock())
    world.clock.forward(hours=3)
    with world.database.transaction() as session:
        control.resume(session, campaign, by=world.officer(session, campaign), now=world.clock())
    dues = [wave.due_at - world.clock() for wave in _waves(world, campaign)[1:]]
    assert dues == [timedelta(0), timedelta(minutes=30), timedelta(hours=1)]


def test_a_wave_that_came_due_in_a_pause_goes_when_it_is_over(world: World) -> None:
    world.people(*_many(1))
    wish = schedule.at_schedule(world.clock() + timedelta(hours=1), now=world.clock())
    campaign = world.campaign(schedule=wish)
    with world.database.transaction() as session:
        control.hold(session, campaign, reason="something", now=world.clock())
    world.clock.forward(hours=9)
    with world.database.transaction() as session:
        control.resume(session, campaign, by=world.officer(session, campaign), now=world.clock())
    assert world.plan() == 1


# ── the canary ──────────────────────────────────────────────────────────────────────────────────────────────────


def _canary(world: World, **options: object) -> int:
    world.planning = type(world.planning)(slice_addresses=3, email_batch=100)
    world.people(*_many(10))
    return world.campaign(options=Options(canary_first=4, canary_wait_s=600.0, **options))  # type: ignore[arg-type]


def test_the_first_go_ahead_and_the_rest_follows_after_the_waiting_time(world: World) -> None:
    campaign = _canary(world)
    assert world.plan() == 4
    assert duties.judge_canaries(world.engine) == [], "nothing has left yet"
    world.work()
    assert duties.judge_canaries(world.engine) == [], "too early"
    assert duties.finish(world.engine) == []
    world.clock.forward(minutes=11)
    assert duties.judge_canaries(world.engine) == [campaign]
    assert world.plan() == 6
    world.work()
    assert set(world.statuses(campaign).values()) == {"accepted"}
    assert duties.finish(world.engine) == [campaign]


def test_bad_results_hold_the_rest_with_the_figures(world: World) -> None:
    campaign = _canary(world)
    world.plan()
    world.work()
    world.tell("p1@example.org", EventKind.HARD_BOUNCED)
    world.clock.forward(minutes=11)
    assert duties.judge_canaries(world.engine) == [campaign]
    assert world.found(campaign).status == "held"
    assert "1 of 4 bounced hard (the limit is 10 %)" in (world.found(campaign).status_reason or "")
    assert world.plan() == 0


def test_a_canary_that_fails_at_the_provider_is_bad_too(world: World) -> None:
    campaign = _canary(world)
    world.email.answers = [lambda _: Permanent("no", code="400")] * 20
    world.plan()
    world.work()
    duties.judge_canaries(world.engine)
    assert "4 of 4 failed" in (world.found(campaign).status_reason or "")


def test_where_a_yes_was_asked_for_a_person_lets_the_rest_go(world: World) -> None:
    campaign = _canary(world, canary_yes=True)
    world.plan()
    world.work()
    assert duties.judge_canaries(world.engine) == [campaign]
    assert "a person has to say yes" in (world.found(campaign).status_reason or "")
    with world.database.transaction() as session:
        officer = world.officer(session, campaign)
        control.go_on(session, campaign, by=officer, now=world.clock())
        assert audit.trail(session, f"campaign {campaign}")[-1].action == "campaign.canary_passed"
        with pytest.raises(Conflict, match="waits for a yes"):
            control.go_on(session, campaign, by=officer, now=world.clock())
    assert world.plan() == 6


def test_a_person_may_go_on_before_the_time(world: World) -> None:
    campaign = _canary(world)
    world.plan()
    with world.database.transaction() as session:
        control.go_on(session, campaign, by=world.officer(session, campaign), now=world.clock())
    assert world.plan() == 6


def test_whom_the_canary_holds_back_is_planned_with_the_rest(world: World) -> None:
    campaign = _canary(world)
    world.people(Person(email="p0@example.org"), code="preston-primary", name="Preston")
    world.plan()
    assert len(_people_of(world, _waves(world, campaign)[0])) == 4


def test_a_cancelled_canary_cancels_the_rest(world: World) -> None:
    campaign = _canary(world)
    world.plan()
    with world.database.transaction() as session:
        by = world.officer(session, campaign)
        control.cancel(session, campaign, by=by, reason=None, now=world.clock())
    assert {wave.status for wave in _waves(world, campaign)} == {"planned", "cancelled"}


def test_both_channels_have_a_canary_of_their_own(world: World) -> None:
    world.people(*(Person(email=f"p{n}@example.org", mobile=f"+6149157000{n}") for n in range(5)))
    world.campaign(ChannelPolicy.BOTH, options=Options(canary_first=2))
    assert world.plan() == 4
