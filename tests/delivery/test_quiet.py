"""Quiet hours: nothing rings a phone at night, wherever the night is, and nothing is lost by waiting."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, update

from notifier.accounts import audit
from notifier.audiences.models import Address
from notifier.campaigns.options import Options
from notifier.delivery.models import Batch, Delivery
from notifier.delivery.quiet import Hours, QuietSettings, opening
from notifier.kit.errors import Invalid
from notifier.providers.base import Receipt
from notifier.regions.facts import Region
from notifier.vocabulary import Channel, ChannelPolicy, Envelope
from tests.delivery.conftest import World
from tests.factories import Person

NIGHT = Hours(time(21), time(8))
MELBOURNE, BERLIN = "Australia/Melbourne", "Europe/Berlin"
NINE_IN_THE_EVENING = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)  # in Melbourne
EIGHT_IN_THE_MORNING = datetime(2026, 11, 23, 21, 0, tzinfo=UTC)


def _at(text: str, zone: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("wall", "end"),
    [
        ("2026-11-23T20:59", None),
        ("2026-11-23T21:00", "2026-11-24T08:00"),
        ("2026-11-24T03:00", "2026-11-24T08:00"),
        ("2026-11-24T07:59", "2026-11-24T08:00"),
        ("2026-11-24T08:00", None),
    ],
)
def test_the_night_ends_at_the_next_opening(wall: str, end: str | None) -> None:
    found = NIGHT.quiet_until(_at(wall, BERLIN), BERLIN)
    assert found == (None if end is None else _at(end, BERLIN))


def test_hours_within_a_day_are_quiet_within_that_day() -> None:
    noon = Hours(time(12), time(14))
    assert noon.quiet_until(_at("2026-11-23T13:00", BERLIN), BERLIN) == _at("2026-11-23T14:00", BERLIN)
    assert noon.quiet_until(_at("2026-11-23T15:00", BERLIN), BERLIN) is None


def test_the_same_time_twice_is_never_quiet() -> None:
    assert Hours(time(0), time(0)).quiet_until(_at("2026-11-23T00:00", BERLIN), BERLIN) is None


def test_an_opening_in_the_hour_that_is_skipped_is_at_its_end() -> None:
    until_half_past_two = Hours(time(22), time(2, 30))
    # Berlin goes from 02:00 to 03:00 on 28 March 2027, which is 01:00 UTC.
    assert until_half_past_two.quiet_until(datetime(2027, 3, 28, 0, 30, tzinfo=UTC), BERLIN) == datetime(
        2027, 3, 28, 1, 0, tzinfo=UTC
    )


def test_the_night_is_an_hour_longer_when_the_clocks_go_back() -> None:
    before = datetime(2026, 10, 24, 19, 0, tzinfo=UTC)  # 21:00 in Berlin
    end = NIGHT.quiet_until(before, BERLIN)
    assert end == datetime(2026, 10, 25, 7, 0, tzinfo=UTC)
    assert end - before == timedelta(hours=12)


def test_a_region_of_several_zones_opens_when_it_is_day_in_all_of_them() -> None:
    zones = ("Australia/Sydney", "Australia/Perth")
    # 21:00 in Sydney is 18:00 in Perth, which wakes up three hours later.
    found = opening(NIGHT, zones, _at("2026-11-23T21:00", "Australia/Sydney"))
    assert found == _at("2026-11-24T08:00", "Australia/Perth")


@given(
    st.integers(0, 2 * 366 * 24 * 60).map(
        lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    st.sampled_from([MELBOURNE, BERLIN, "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"]),
    st.sampled_from([NIGHT, Hours(time(22), time(2, 30)), Hours(time(1), time(3)), Hours(time(12), time(14))]),
)
def test_an_opening_is_later_soon_and_outside_the_quiet_hours(moment: datetime, zone: str, hours: Hours) -> None:
    found = opening(hours, (zone,), moment)
    if found is not None:
        assert moment < found <= moment + timedelta(hours=25)
        assert hours.quiet_until(found, zone) is None
    else:
        assert hours.quiet_until(moment, zone) is None


def test_a_region_may_have_hours_of_its_own_or_none() -> None:
    def region(**hours: tuple[str, str]) -> Region:
        return Region("X", "X", "DE", ("Europe/Berlin",), ("de",), quiet_hours=hours)

    settings = QuietSettings()
    assert settings.hours(Channel.SMS, region()) == NIGHT
    assert settings.hours(Channel.SMS, region(sms=("20:00", "09:00"))) == Hours(time(20), time(9))
    assert settings.hours(Channel.SMS, region(sms=("", ""))) is None
    assert settings.hours(Channel.EMAIL, region()) is None
    with pytest.raises(Invalid, match="no time of the day"):
        QuietSettings(sms_from="late").hours(Channel.SMS, region())


# ── in the queue ────────────────────────────────────────────────────────────────────────────────────────────────


def _night(world: World) -> None:
    world.quiet = QuietSettings()
    world.clock.moment = NINE_IN_THE_EVENING


def _due(world: World) -> list[datetime]:
    with world.database.reading() as session:
        return list(session.scalars(select(Batch.due_at).where(Batch.status == "ready").order_by(Batch.due_at)))


def test_an_sms_waits_for_the_morning_and_then_goes(world: World) -> None:
    _night(world)
    world.people(*(Person(mobile=f"+6149157000{number}") for number in range(5)))
    campaign = world.campaign(ChannelPolicy.SMS)
    world.plan()
    world.work()
    assert world.sms.calls == 0
    assert set(_due(world)) == {EIGHT_IN_THE_MORNING}
    world.clock.moment = EIGHT_IN_THE_MORNING
    world.work()
    assert set(world.statuses(campaign).values()) == {"accepted"}


def test_an_email_does_not_wait(world: World) -> None:
    _night(world)
    world.people(Person(email="ada@example.org"))
    campaign = world.campaign()
    world.plan()
    world.work()
    assert world.statuses(campaign) == {"ada@example.org": "accepted"}


def test_an_email_waits_too_where_the_settings_say_so(world: World) -> None:
    _night(world)
    world.quiet = QuietSettings(email_from="20:00", email_until="07:00")
    world.people(Person(email="ada@example.org"))
    world.campaign()
    world.plan()
    world.work()
    assert _due(world) == [EIGHT_IN_THE_MORNING - timedelta(hours=1)]


def test_what_would_expire_in_the_night_is_held_back_with_that_reason(world: World) -> None:
    _night(world)
    world.people(Person(mobile="+61491570006"))
    campaign = world.campaign(ChannelPolicy.SMS, expires_at=EIGHT_IN_THE_MORNING - timedelta(hours=1))
    world.plan()
    world.work()
    assert world.reasons(campaign) == {"+61491570006": "expired"}
    assert _due(world) == []


def test_an_urgent_campaign_may_override_the_night_and_the_audit_trail_says_so(world: World) -> None:
    _night(world)
    world.people(Person(mobile="+61491570006"))
    campaign = world.campaign(ChannelPolicy.SMS, urgent=True, options=Options(override_quiet_hours=True))
    world.plan()
    world.work()
    assert world.statuses(campaign) == {"+61491570006": "accepted"}
    with world.database.reading() as session:
        actions = [act.action for act in audit.trail(session, f"campaign {campaign}")]
    assert "campaign.quiet_hours_overridden" in actions


def _wish(world: World, email: str, **values: object) -> None:
    with world.database.transaction() as session:
        session.execute(update(Address).where(Address.value == email).values(**values))


def test_a_recipient_with_quiet_hours_of_their_own_gets_it_when_they_are_over(world: World) -> None:
    world.clock.moment = NINE_IN_THE_EVENING
    world.people(Person(email="ada@example.org"), Person(email="bob@example.org"))
    campaign = world.campaign()
    _wish(world, "ada@example.org", quiet_from=time(20), quiet_until=time(7, 30))
    _wish(world, "bob@example.org", quiet_from=time(12), quiet_until=time(14))
    world.plan()
    world.work()
    assert world.statuses(campaign) == {"ada@example.org": "queued", "bob@example.org": "accepted"}
    assert _due(world) == [EIGHT_IN_THE_MORNING - timedelta(minutes=30)]
    world.clock.moment = EIGHT_IN_THE_MORNING
    world.work()
    assert world.statuses(campaign)["ada@example.org"] == "accepted"
    with world.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Delivery)) == 2


def test_a_pause_is_waited_for_if_it_ends_in_time(world: World) -> None:
    world.people(Person(email="ada@example.org"), Person(email="bob@example.org"))
    _wish(world, "ada@example.org", paused_until=world.clock() + timedelta(days=1, minutes=5))
    _wish(world, "bob@example.org", paused_until=world.clock() + timedelta(days=30))
    campaign = world.campaign()
    world.plan()
    world.work()
    assert world.statuses(campaign) == {"ada@example.org": "queued", "bob@example.org": "held_back"}
    assert world.reasons(campaign)["bob@example.org"] == "paused_by_recipient"
    assert _due(world) == [world.clock() + timedelta(days=1, minutes=15)]
    world.clock.forward(days=1, minutes=15)
    world.work()
    assert world.statuses(campaign)["ada@example.org"] == "accepted"


def test_a_pause_that_begins_after_planning_and_lasts_too_long_holds_back(world: World) -> None:
    world.people(Person(email="ada@example.org"))
    campaign = world.campaign(expires_at=world.clock() + timedelta(hours=5))
    world.plan()
    _wish(world, "ada@example.org", paused_until=world.clock() + timedelta(days=1))
    world.work()
    assert world.reasons(campaign) == {"ada@example.org": "paused_by_recipient"}


def test_a_pause_is_kept_by_an_urgent_campaign_too_but_quiet_hours_are_not(world: World) -> None:
    world.clock.moment = NINE_IN_THE_EVENING
    world.people(Person(email="ada@example.org"), Person(email="bob@example.org"))
    campaign = world.campaign(urgent=True, options=Options(override_quiet_hours=True))
    _wish(world, "ada@example.org", quiet_from=time(20), quiet_until=time(7, 30))
    _wish(world, "bob@example.org", paused_until=world.clock() + timedelta(hours=2))
    world.plan()
    world.work()
    assert world.statuses(campaign) == {"ada@example.org": "accepted", "bob@example.org": "queued"}


def test_a_batch_that_is_slow_stops_when_the_quiet_hours_begin(world: World) -> None:
    _night(world)
    world.clock.moment = NINE_IN_THE_EVENING - timedelta(minutes=1)
    world.planning = type(world.planning)(slice_addresses=100, sms_batch=6)
    world.people(*(Person(mobile=f"+6149157000{number}") for number in range(6)))
    campaign = world.campaign(ChannelPolicy.SMS)

    def take_a_minute(envelopes: Sequence[Envelope]) -> list[Receipt]:
        world.clock.forward(minutes=1)
        return world.sms.take(envelopes)

    world.sms.answers = [take_a_minute]
    world.plan()
    world.work()
    assert sorted(world.statuses(campaign).values()) == ["accepted"] * 2 + ["queued"] * 4
    assert _due(world) == [EIGHT_IN_THE_MORNING]
    world.clock.moment = EIGHT_IN_THE_MORNING
    world.work()
    assert set(world.statuses(campaign).values()) == {"accepted"}
    assert len(world.sms.taken) == 6


def test_readers_of_two_regions_are_never_in_one_batch(world: World) -> None:
    _night(world)
    world.planning = type(world.planning)(slice_addresses=100, sms_batch=100)
    world.people(Person(mobile="+61491570000"), Person(mobile="+61491570001"))
    world.people(Person(mobile="+4915112345678"), code="lindenschule", region="DE")
    campaign = world.campaign(ChannelPolicy.SMS, audience="all-parents", advisory="say-no")
    world.plan()
    world.work()
    # It is nine in the evening in Melbourne and eleven in the morning in Berlin.
    assert world.statuses(campaign) == {
        "+61491570000": "queued",
        "+61491570001": "queued",
        "+4915112345678": "accepted",
    }
