"""From what was typed to a schedule: one instant, a local hour, spread out, or again and again."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import typer

from notifier.campaigns import schedule
from notifier.campaigns.schedule import Schedule
from notifier.cli.frame import moment
from notifier.kit.errors import Invalid
from notifier.worker import recurrence

_SPREAD = re.compile(r"(\d+(?:\.\d+)?)(m|h|d)/(\d+)")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Typed:
    """The options about time as they were typed."""

    at: str | None = None
    local: str | None = None
    stagger: str | None = None
    per_hour: int | None = None
    recurring: str | None = None
    zone: str | None = None
    every_weeks: int = 1
    until: str | None = None


def read(typed: Typed, *, zones: Mapping[str, Sequence[str]], people: Callable[[], int], now: datetime) -> Schedule:
    """Return the schedule somebody typed.

    `zones` are those of the audience, and `people` counts it. Raises BadParameter for what cannot be read or does not
    go together, Invalid for a time that cannot be.
    """
    _check_together(typed)
    if typed.recurring:
        return _recurring(typed, now)
    start = _start(typed, zones, now)
    if typed.stagger:
        over, slots = _spread(typed.stagger)
        return schedule.staggered_schedule(start, over=over, slots=slots)
    if typed.per_hour is not None:
        return schedule.paced_schedule(start, per_hour=typed.per_hour, people=people())
    return start


def _check_together(typed: Typed) -> None:
    if typed.at and typed.local:
        raise typer.BadParameter("give either --at or --local")
    if typed.stagger and typed.per_hour is not None:
        raise typer.BadParameter("give either --stagger or --per-hour")
    if typed.recurring and (typed.at or typed.local or typed.stagger or typed.per_hour is not None):
        raise typer.BadParameter("--recurring says itself when the rounds are; leave the other times out")
    if not typed.recurring and (typed.zone or typed.until or typed.every_weeks != 1):
        raise typer.BadParameter("--zone, --every-weeks and --until belong to --recurring")


def _start(typed: Typed, zones: Mapping[str, Sequence[str]], now: datetime) -> Schedule:
    if typed.at:
        return schedule.at_schedule(moment(typed.at), now=now)
    if not typed.local:
        return schedule.now_schedule()
    try:
        wall = datetime.fromisoformat(typed.local)
    except ValueError:
        wall = None
    if wall is None or wall.tzinfo is not None:
        raise typer.BadParameter(f"{typed.local!r} is no local time; write for example '2026-12-01 09:00'")
    if not zones:
        raise Invalid("The audience has no contact list in a region with a time zone, so no local hour can be told")
    return schedule.local_schedule(wall.date(), wall.time(), zones=list(zones), now=now)


def _spread(text: str) -> tuple[timedelta, int]:
    found = _SPREAD.fullmatch(text.replace(" ", ""))
    if found is None:
        raise typer.BadParameter(f"{text!r} is no spread; write a period and a number of slots, as 2h/8 or 90m/6")
    try:
        return timedelta(**{_UNITS[found[2]]: float(found[1])}), int(found[3])
    except OverflowError as wrong:
        raise typer.BadParameter(f"{text!r} is longer than a calendar; write for example 2h/8") from wrong


def _recurring(typed: Typed, now: datetime) -> Schedule:
    if not typed.zone or not typed.until:
        raise typer.BadParameter("--recurring needs --zone (as Australia/Melbourne) and --until")
    wish = schedule.recurring_schedule(
        typed.recurring or "", zone=typed.zone, every_weeks=typed.every_weeks, until=moment(typed.until), now=now
    )
    recurrence.check(wish, now=now)
    return wish
