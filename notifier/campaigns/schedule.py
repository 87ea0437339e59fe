"""When a campaign goes out: how a schedule is written down, and the moments it leads to.

A schedule is a small JSON document with its `kind`, so that it can be shown, hashed and approved. Everything that is
due becomes a row (a wave), so nothing depends on a process staying alive.

The written rule for local times (`local`): a time that does not exist, because clocks go forward over it, means the
first moment after the gap; a time that exists twice, because clocks go back, means the first of the two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from notifier.kit.errors import Invalid

Schedule = dict[str, Any]

# A staggered campaign goes out in slots; more of them would make waves of a handful of people.
FEWEST_SLOTS, MOST_SLOTS = 2, 1_000
LONGEST_SPREAD = timedelta(days=366)
# Nobody plans further ahead; a later year is a slip of the finger, and nobody would notice that nothing goes out.
FARTHEST = timedelta(days=2 * 366)
_SLOTS_PER_HOUR = 4


@dataclass(frozen=True, slots=True)
class Due:
    """One moment of a schedule, and which part of the audience it is for.

    `scope` is empty for everybody, or names `regions` (a list of codes; with `rest` also everybody whom no earlier wave
    of the round has reached), a `slot` ([which, of how many]), the `first` so many addresses of each channel, or the
    `round` of a recurring campaign (its moment by the schedule).
    """

    at: datetime
    scope: Mapping[str, Any] = field(default_factory=dict)


def now_schedule() -> Schedule:
    """Return the schedule "as soon as it is approved"."""
    return {"kind": "now"}


def at_schedule(moment: datetime, *, now: datetime) -> Schedule:
    """Return the schedule "at this moment". Raises Invalid if the moment has passed or is years away."""
    if moment <= now:
        raise Invalid(
            f"{moment.isoformat()} has passed; give a time that is still to come, or leave it out to send now"
        )
    _refuse_years_away(moment, now)
    return {"kind": "at", "at": moment.isoformat()}


def local_schedule(day: date, hour: time, *, zones: Sequence[str], now: datetime) -> Schedule:
    """Return the schedule "at this hour where the recipient is", one wave for each time zone.

    Raises Invalid if the hour has passed in every one of `zones`, or is years away.
    """
    _refuse_years_away(datetime.combine(day, hour, UTC), now)
    if all(local_moment(day, hour, zone) <= now for zone in zones):
        raise Invalid(f"{day} {hour:%H:%M} has passed everywhere this campaign goes; give a later day or hour")
    return {"kind": "local", "date": day.isoformat(), "time": hour.strftime("%H:%M")}


def staggered_schedule(start: Schedule, *, over: timedelta, slots: int) -> Schedule:
    """Return the schedule "spread evenly over a period", in so many slots, beginning when `start` says."""
    if not FEWEST_SLOTS <= slots <= MOST_SLOTS or not timedelta(0) < over <= LONGEST_SPREAD:
        raise Invalid(
            f"A staggered campaign goes out in {FEWEST_SLOTS} to {MOST_SLOTS} slots over a period longer than nothing "
            f"and of at most {LONGEST_SPREAD.days} days"
        )
    return {"kind": "staggered", "start": start, "over_s": over.total_seconds(), "slots": slots}


def paced_schedule(start: Schedule, *, per_hour: int, people: int) -> Schedule:
    """Return the schedule "so many an hour" for an audience of so many people, in slots of a quarter of an hour.

    Raises Invalid if it would take more slots than a campaign may have.
    """
    if per_hour < 1:
        raise Invalid("At least one message an hour has to leave")
    slots = -(-people * _SLOTS_PER_HOUR // per_hour)
    if slots < FEWEST_SLOTS:
        return start
    if slots > MOST_SLOTS:
        days = MOST_SLOTS / _SLOTS_PER_HOUR / 24
        raise Invalid(f"{per_hour} an hour takes longer than {days:.0f} days for {people} people; allow more")
    return staggered_schedule(start, over=timedelta(hours=slots / _SLOTS_PER_HOUR), slots=slots)


def recurring_schedule(cron: str, *, zone: str, every_weeks: int, until: datetime, now: datetime) -> Schedule:
    """Return the schedule "again and again until": a cron line in a time zone, of which every n-th week counts."""
    if until <= now:
        raise Invalid(f"The end of the recurring schedule, {until.isoformat()}, has passed")
    _refuse_years_away(until, now)
    if every_weeks < 1:
        raise Invalid("A recurring schedule takes place every week, or every so many weeks: give 1 or more")
    return {"kind": "recurring", "cron": cron, "zone": zone, "every_weeks": every_weeks, "until": until.isoformat()}


def _refuse_years_away(moment: datetime, now: datetime) -> None:
    if moment > now + FARTHEST:
        raise Invalid(f"{moment.isoformat()} is more than {FARTHEST.days // 366} years away; is the year right?")


def local_moment(day: date, hour: time, zone: str) -> datetime:
    """Return the moment of a local time, by the written rule above, in UTC."""
    wanted = datetime.combine(day, hour, ZoneInfo(zone))  # fold=0: the first of two
    moment = wanted.astimezone(UTC)
    if moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wanted.replace(tzinfo=None):
        return moment
    # The wall clock jumps over this time. Read with the offset from before the gap (fold=0) it lies behind the gap by
    # as much as it was into it; the gap itself ends where the offset from after it (fold=1) takes over.
    after = wanted.replace(fold=1).utcoffset() or timedelta(0)
    before = wanted.utcoffset() or timedelta(0)
    low, high = moment - (after - before), moment
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(ZoneInfo(zone)).utcoffset() == after:
            high = middle
        else:
            low = middle
    return high.replace(microsecond=0)


def moments(schedule: Mapping[str, Any], *, approved_at: datetime, zones: Mapping[str, Sequence[str]]) -> list[Due]:
    """Return the moments a schedule leads to once it is approved.

    `zones` names the regions of each time zone the audience lives in. A recurring schedule gives no moment here: the
    scheduler opens its rounds one by one (`worker.recurrence`).
    """
    match schedule["kind"]:
        case "now":
            return [Due(approved_at)]
        case "at":
            return [Due(datetime.fromisoformat(schedule["at"]))]
        case "local":
            return _local(schedule, zones)
        case "staggered":
            return _staggered(schedule, approved_at, zones)
        case "recurring":
            return []
        case other:
            raise Invalid(f"There is no schedule of the kind {other!r}")


def in_words(schedule: Mapping[str, Any]) -> str:
    """Return a schedule as an officer would say it."""
    match schedule["kind"]:
        case "now":
            return "as soon as it is approved"
        case "at":
            return f"at {schedule['at']}"
        case "local":
            return f"on {schedule['date']} at {schedule['time']} where the recipient is"
        case "staggered":
            spread = timedelta(seconds=round(schedule["over_s"]))
            return f"{in_words(schedule['start'])}, spread over {spread} in {schedule['slots']} slots"
        case _:
            weeks = "" if schedule["every_weeks"] == 1 else f", every {schedule['every_weeks']} weeks"
            return f"again and again at {schedule['cron']!r} ({schedule['zone']}{weeks}) until {schedule['until']}"


def _local(schedule: Mapping[str, Any], zones: Mapping[str, Sequence[str]]) -> list[Due]:
    if not zones:
        raise Invalid("The audience has no contact list in a region with a time zone, so no local hour can be told")
    day, hour = date.fromisoformat(schedule["date"]), time.fromisoformat(schedule["time"])
    dues = [Due(local_moment(day, hour, zone), {"regions": list(regions)}) for zone, regions in zones.items()]
    *others, last = sorted(dues, key=lambda due: due.at)
    # Nobody may fall between the zones: a region nobody knows, or a family that moved from a later zone to an earlier.
    return [*others, Due(last.at, {**last.scope, "rest": True})]


def _staggered(schedule: Mapping[str, Any], approved_at: datetime, zones: Mapping[str, Sequence[str]]) -> list[Due]:
    slots = schedule["slots"]
    step = timedelta(seconds=schedule["over_s"]) / slots
    return [
        Due(start.at + step * slot, {**start.scope, "slot": [slot, slots]})
        for start in moments(schedule["start"], approved_at=approved_at, zones=zones)
        for slot in range(slots)
    ]
