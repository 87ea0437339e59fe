"""Quiet hours: when a message may ring a phone, by the clock on the wall of the people it is for.

A region with several time zones is quiet while it is quiet in any of them, because nobody knows which one a family
lives in. Pure time here; what is done with a message that comes too late or too early is said in `delivery.later`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from notifier.campaigns.schedule import local_moment
from notifier.kit.errors import Invalid
from notifier.regions.facts import Region
from notifier.vocabulary import Channel

# Moving from one zone's quiet hours into another's ends within this many steps, or there is no opening at all.
_MOST_STEPS = 64


@dataclass(frozen=True, slots=True)
class Hours:
    """Quiet from one wall time until another, over midnight if `until` is the earlier."""

    begin: time
    until: time

    def quiet_until(self, moment: datetime, zone: str) -> datetime | None:
        """Return when the quiet hours a moment falls into end, None if it falls into none."""
        if self.begin == self.until:
            return None
        wall = moment.astimezone(ZoneInfo(zone))
        clock = wall.time()
        over_midnight = self.until < self.begin
        begun, ended = clock >= self.begin, clock >= self.until
        if not ((begun or not ended) if over_midnight else (begun and not ended)):
            return None
        day = wall.date() + timedelta(days=1 if over_midnight and clock >= self.begin else 0)
        end = local_moment(day, self.until, zone)
        # In the night the clocks go back the end may be read as a moment that has passed: one hour more of quiet.
        return end if end > moment else end + timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class QuietSettings:
    """`[quiet_hours]`: when nothing is sent, by the recipient's wall clock, as HH:MM. Empty means never quiet.

    A region may have hours of its own (`[quiet_hours]` in its file).
    """

    sms_from: str = "21:00"
    sms_until: str = "08:00"
    email_from: str = ""
    email_until: str = ""

    def __post_init__(self) -> None:
        """Raise Invalid at once for what is no time, and not when the first message is about to leave."""
        for text in (self.sms_from, self.sms_until, self.email_from, self.email_until):
            if text:
                _clock(text)

    def hours(self, channel: Channel, region: Region) -> Hours | None:
        """Return the quiet hours of a channel in a region. Raises Invalid if a setting is no time."""
        own = region.quiet_hours.get(channel)
        begin, until = own or (
            (self.sms_from, self.sms_until) if channel is Channel.SMS else (self.email_from, self.email_until)
        )
        return Hours(_clock(begin), _clock(until)) if begin and until else None


@dataclass(frozen=True, slots=True)
class Place:
    """What the clock says about the readers of one variant: their time zones, and when they are left alone."""

    zones: tuple[str, ...]
    hours: Hours | None = None

    def opening(self, now: datetime) -> datetime | None:
        """Return the next moment outside the quiet hours, None if now is one."""
        return opening(self.hours, self.zones, now) if self.hours else None


def opening(hours: Hours, zones: Sequence[str], now: datetime) -> datetime | None:
    """Return the next moment that is quiet in none of the zones, None if now is one.

    Zones so far apart that there is no such moment are taken one by one: the last end found counts.
    """
    moment = now
    for _ in range(_MOST_STEPS):
        ends = [end for zone in zones if (end := hours.quiet_until(moment, zone)) is not None]
        if not ends:
            break
        moment = max(ends)
    return None if moment == now else moment.astimezone(UTC)


def _clock(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError as wrong:
        raise Invalid(f"{text!r} in [quiet_hours] is no time of the day; write for example 21:00") from wrong
