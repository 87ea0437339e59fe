"""Schedules: the moments they lead to, daylight saving by the written rule, and what is refused."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.campaigns import schedule
from notifier.kit.errors import Invalid

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ZONES = {"Australia/Melbourne": ["AU-VIC"], "Europe/Berlin": ["DE"], "Europe/Athens": ["GR"]}


def test_now_means_the_moment_of_approval() -> None:
    assert schedule.moments(schedule.now_schedule(), approved_at=NOW, zones=ZONES) == [schedule.Due(NOW)]


def test_a_moment_that_has_passed_is_refused() -> None:
    with pytest.raises(Invalid, match="has passed"):
        schedule.at_schedule(NOW - timedelta(minutes=1), now=NOW)


def test_nine_where_the_recipient_is_makes_a_wave_for_each_zone_in_order_of_time() -> None:
    wish = schedule.local_schedule(date(2026, 12, 1), time(9), zones=list(ZONES), now=NOW)
    dues = schedule.moments(wish, approved_at=NOW, zones=ZONES)
    assert [(due.at, due.scope) for due in dues] == [
        (datetime(2026, 11, 30, 22, tzinfo=UTC), {"regions": ["AU-VIC"]}),
        (datetime(2026, 12, 1, 7, tzinfo=UTC), {"regions": ["GR"]}),
        (datetime(2026, 12, 1, 8, tzinfo=UTC), {"regions": ["DE"], "rest": True}),
    ]


def test_a_local_hour_that_has_passed_everywhere_is_refused() -> None:
    with pytest.raises(Invalid, match="passed everywhere"):
        schedule.local_schedule(date(2026, 11, 22), time(9), zones=list(ZONES), now=NOW)


def test_a_time_that_does_not_exist_means_the_first_moment_after_the_gap() -> None:
    # Melbourne goes from 02:00 to 03:00 on 4 October 2026, which is 16:00 UTC the day before.
    moment = schedule.local_moment(date(2026, 10, 4), time(2, 30), "Australia/Melbourne")
    assert moment == datetime(2026, 10, 3, 16, 0, tzinfo=UTC)


def test_a_time_that_exists_twice_means_the_first() -> None:
    # Berlin goes back from 03:00 to 02:00 on 25 October 2026; 02:30 is first at 00:30 UTC.
    moment = schedule.local_moment(date(2026, 10, 25), time(2, 30), "Europe/Berlin")
    assert moment == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@given(
    st.dates(date(2026, 1, 1), date(2030, 12, 31)),
    st.times().map(lambda t: t.replace(microsecond=0, second=0)),
    st.sampled_from(sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc"))),
)
def test_a_local_moment_reads_on_the_wall_as_wanted_or_is_the_end_of_a_gap(day: date, hour: time, zone: str) -> None:
    moment = schedule.local_moment(day, hour, zone)
    wall = moment.astimezone(ZoneInfo(zone))
    if wall.replace(tzinfo=None, fold=0) != datetime.combine(day, hour):
        just_before = (moment - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
        assert just_before.replace(tzinfo=None) < datetime.combine(day, hour) <= wall.replace(tzinfo=None)
    else:
        assert wall.fold == 0


def test_a_staggered_campaign_is_spread_evenly() -> None:
    wish = schedule.staggered_schedule(schedule.now_schedule(), over=timedelta(hours=2), slots=4)
    dues = schedule.moments(wish, approved_at=NOW, zones=ZONES)
    assert [due.at - NOW for due in dues] == [timedelta(minutes=30 * slot) for slot in range(4)]
    assert [due.scope for due in dues] == [{"slot": [slot, 4]} for slot in range(4)]


@pytest.mark.parametrize(("over", "slots"), [(timedelta(0), 4), (timedelta(hours=1), 1), (timedelta(hours=1), 5_000)])
def test_a_staggering_that_makes_no_sense_is_refused(over: timedelta, slots: int) -> None:
    with pytest.raises(Invalid, match="slots"):
        schedule.staggered_schedule(schedule.now_schedule(), over=over, slots=slots)


def test_a_recurring_schedule_opens_its_rounds_later() -> None:
    wish = schedule.recurring_schedule(
        "0 9 * * MON", zone="Europe/Berlin", every_weeks=2, until=NOW + timedelta(days=60), now=NOW
    )
    assert schedule.moments(wish, approved_at=NOW, zones=ZONES) == []
    assert schedule.in_words(wish) == (
        "again and again at '0 9 * * MON' (Europe/Berlin, every 2 weeks) until 2027-01-22T09:00:00+00:00"
    )


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (schedule.now_schedule(), "as soon as it is approved"),
        ({"kind": "at", "at": "2026-12-01T09:00:00+11:00"}, "at 2026-12-01T09:00:00+11:00"),
        ({"kind": "local", "date": "2026-12-01", "time": "09:00"}, "on 2026-12-01 at 09:00 where the recipient is"),
    ],
)
def test_a_schedule_is_said_in_words(wish: schedule.Schedule, words: str) -> None:
    assert schedule.in_words(wish) == words


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(Invalid, match="no schedule of the kind 'whenever'"):
        schedule.moments({"kind": "whenever"}, approved_at=NOW, zones=ZONES)


def test_so_many_an_hour_becomes_slots_of_a_quarter_of_an_hour() -> None:
    wish = schedule.paced_schedule(schedule.now_schedule(), per_hour=1_000, people=2_100)
    assert (wish["slots"], wish["over_s"]) == (9, 9 * 900)


def test_fewer_than_fit_into_one_slot_go_at_once() -> None:
    assert schedule.paced_schedule(schedule.now_schedule(), per_hour=1_000, people=200) == {"kind": "now"}


@pytest.mark.parametrize("per_hour", [0, 1])
def test_a_rate_that_would_take_for_ever_is_refused(per_hour: int) -> None:
    with pytest.raises(Invalid):
        schedule.paced_schedule(schedule.now_schedule(), per_hour=per_hour, people=1_000_000)


def test_a_local_hour_for_an_audience_without_a_zone_is_refused() -> None:
    with pytest.raises(Invalid, match="no contact list"):
        schedule.moments({"kind": "local", "date": "2026-12-01", "time": "09:00"}, approved_at=NOW, zones={})
