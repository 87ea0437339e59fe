"""Recurring campaigns: when the rounds are, daylight saving by the written rule, one open round at a time."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from notifier.accounts import audit
from notifier.campaigns.options import Options
from notifier.delivery.models import Wave
from notifier.kit.errors import Invalid
from notifier.worker import duties, recurrence
from tests.delivery.conftest import World
from tests.factories import Person

BERLIN = ZoneInfo("Europe/Berlin")


def _schedule(cron: str = "0 9 * * mon", *, until: str = "2027-06-01", every_weeks: int = 1) -> dict[str, Any]:
    return {
        "kind": "recurring", "cron": cron, "zone": "Europe/Berlin", "every_weeks": every_weeks,
        "until": f"{until}T00:00:00+00:00",
    }  # fmt: skip


def _rounds(schedule: dict[str, Any], start: datetime, amount: int) -> list[datetime]:
    found: list[datetime] = []
    after: datetime | None = start
    while after is not None and len(found) < amount:
        after = recurrence.next_round(schedule, approved_at=start, after=after)
        if after is not None:
            found.append(after)
    return found


def test_a_round_is_at_its_wall_time_in_summer_and_in_winter() -> None:
    rounds = _rounds(_schedule(until="2027-12-01"), datetime(2027, 3, 20, tzinfo=UTC), 3)
    assert [moment.hour for moment in rounds] == [8, 7, 7]
    assert {moment.astimezone(BERLIN).strftime("%a %H:%M") for moment in rounds} == {"Mon 09:00"}


def test_a_round_in_the_gap_is_at_its_end_and_one_in_the_hour_that_comes_twice_is_at_the_first() -> None:
    nightly = _schedule("30 2 * * *", until="2027-12-01")
    spring = _rounds(nightly, datetime(2027, 3, 27, 12, tzinfo=UTC), 2)
    assert spring == [datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2027, 3, 29, 0, 30, tzinfo=UTC)]
    autumn = _rounds(nightly, datetime(2027, 10, 30, 12, tzinfo=UTC), 2)
    assert autumn == [datetime(2027, 10, 31, 0, 30, tzinfo=UTC), datetime(2027, 11, 1, 1, 30, tzinfo=UTC)]


def test_every_second_week_counts_from_the_first_round() -> None:
    start = datetime(2026, 11, 24, tzinfo=UTC)
    rounds = _rounds(_schedule("0 9 * * mon,thu", every_weeks=2), start, 5)
    assert [moment.strftime("%m-%d") for moment in rounds] == ["11-26", "12-07", "12-10", "12-21", "12-24"]


def test_the_end_ends_it() -> None:
    start = datetime(2026, 11, 24, tzinfo=UTC)
    assert len(_rounds(_schedule(until="2026-12-10"), start, 9)) == 2


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (_schedule("whenever"), "no cron line"),
        (_schedule("0 9 * * 1"), "name the weekdays"),
        (_schedule("0 * * * *"), "at least 12:00:00 apart"),
        (_schedule(until="2026-11-25"), "no round before its end"),
        (_schedule() | {"zone": "Europe/Nowhere"}, "no time zone"),
    ],
)
def test_what_cannot_be_is_refused_in_words(schedule: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        recurrence.check(schedule, now=datetime(2026, 11, 24, tzinfo=UTC))


def test_a_step_in_the_weekdays_is_no_number_of_a_day() -> None:
    recurrence.check(_schedule("0 9 * * mon-fri/2"), now=datetime(2026, 11, 24, tzinfo=UTC))


# ── the duty ────────────────────────────────────────────────────────────────────────────────────────────────────


def _waves(world: World, campaign: int) -> list[Wave]:
    with world.database.reading() as session:
        return list(session.scalars(select(Wave).where(Wave.campaign_id == campaign).order_by(Wave.id)))


def _round(world: World) -> int:
    recurrence.open_rounds(world.engine)
    planned = world.plan()
    world.work()
    duties.finish(world.engine)
    return planned


def test_each_round_writes_to_everybody_again_and_the_last_finishes_the_campaign(world: World) -> None:
    world.people(Person(email="ada@example.org"), Person(email="bob@example.org"))
    campaign = world.campaign(schedule=_schedule(until="2026-12-08"))
    assert _round(world) == 0
    assert world.found(campaign).status == "approved"
    world.clock.moment = datetime(2026, 11, 30, 8, tzinfo=UTC)
    assert _round(world) == 2
    assert world.found(campaign).status == "sending"
    world.clock.moment = datetime(2026, 12, 7, 8, tzinfo=UTC)
    recurrence.open_rounds(world.engine)
    assert _round(world) == 2
    assert len(world.email.taken) == 4
    assert world.found(campaign).status == "sent"
    assert [wave.occurrence for wave in _waves(world, campaign)] == [1, 2]


def test_several_schedulers_open_a_round_once(world: World) -> None:
    campaign = world.campaign(schedule=_schedule())
    assert [recurrence.open_rounds(world.engine) for _ in range(3)] == [1, 0, 0]
    assert len(_waves(world, campaign)) == 1


def test_after_a_long_stop_only_the_latest_round_is_held_for_a_person(world: World) -> None:
    world.people(Person(email="ada@example.org"))
    campaign = world.campaign(schedule=_schedule())
    world.clock.moment = datetime(2026, 12, 16, 12, tzinfo=UTC)
    assert _round(world) == 0
    assert world.found(campaign).status == "held"
    (wave,) = _waves(world, campaign)
    assert wave.due_at == datetime(2026, 12, 14, 8, tzinfo=UTC)
    with world.database.reading() as session:
        missed = [act for act in audit.trail(session, f"campaign {campaign}") if act.action == "campaign.rounds_missed"]
    assert [act.detail for act in missed] == [{"rounds": 2}]


def test_a_campaign_approved_after_its_last_round_is_held(world: World) -> None:
    campaign = world.campaign(schedule=_schedule(until="2026-11-24"))
    world.clock.forward(days=3)
    recurrence.open_rounds(world.engine)
    assert "over before it was approved" in (world.found(campaign).status_reason or "")


def test_each_round_has_a_canary_of_its_own(world: World) -> None:
    world.people(*(Person(email=f"p{number}@example.org") for number in range(5)))
    world.campaign(schedule=_schedule(), options=Options(canary_first=2, canary_wait_s=60.0))
    recurrence.open_rounds(world.engine)
    for day in (30, 37):
        world.clock.moment = datetime(2026, 11, 1, 8, tzinfo=UTC) + timedelta(days=day - 1)
        recurrence.open_rounds(world.engine)
        assert world.plan() == 2
        world.work()
        world.clock.forward(minutes=2)
        assert len(duties.judge_canaries(world.engine)) == 1
        assert world.plan() == 3
        world.work()
