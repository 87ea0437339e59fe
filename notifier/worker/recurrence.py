"""The rounds of a recurring campaign: when the next one is, and the duty that opens it.

A cron line is read with APScheduler's CronTrigger on the wall clock, and each wall time becomes a moment by the written
rule of `campaigns.schedule`: a time the clocks jump over means the first moment after the gap, a time that exists twice
its first. One round is open at a time, as a row with its due moment; the next is opened when it has been planned.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.accounts.audit import record
from notifier.campaigns.lifecycle import NOTIFIER, CampaignStatus
from notifier.campaigns.models import Campaign
from notifier.campaigns.schedule import Due, local_moment
from notifier.delivery import control
from notifier.delivery.models import Wave
from notifier.delivery.waves import WaveStatus, open_waves
from notifier.kit.errors import Invalid
from notifier.worker.engine import Engine

# A slip of the pen must not write to families every minute.
SHORTEST_GAP = timedelta(hours=12)

_UNPLANNED = (WaveStatus.PENDING, WaveStatus.WAITING, WaveStatus.HELD)


def check(schedule: Mapping[str, Any], *, now: datetime) -> None:
    """Raise Invalid unless a recurring schedule can be read, has a round to come, and leaves people time in between."""
    first = next_round(schedule, approved_at=now, after=now)
    if first is None:
        raise Invalid(f"The recurring schedule {schedule['cron']!r} has no round before its end, {schedule['until']}")
    second = next_round(schedule, approved_at=now, after=first)
    if second is not None and second - first < SHORTEST_GAP:
        raise Invalid(
            f"The recurring schedule {schedule['cron']!r} would write to people every {second - first}; rounds are at "
            f"least {SHORTEST_GAP} apart"
        )


def next_round(schedule: Mapping[str, Any], *, approved_at: datetime, after: datetime) -> datetime | None:
    """Return the first round later than `after`, None if the schedule has ended. Raises Invalid."""
    trigger, zone = _trigger(schedule["cron"]), _zone(schedule["zone"])
    until, every = datetime.fromisoformat(schedule["until"]), int(schedule["every_weeks"])
    first = _wall_after(trigger, approved_at, zone)
    if first is None:
        return None
    wall = _wall_after(trigger, after, zone)
    while wall is not None:
        moment = local_moment(wall.date(), wall.time(), str(zone))
        if moment > until:
            return None
        weeks = (_monday(wall) - _monday(first)).days // 7
        if weeks % every:
            wall = trigger.get_next_fire_time(None, _monday(wall) + timedelta(weeks=every - weeks % every))
        elif moment <= after:
            wall = trigger.get_next_fire_time(None, wall + timedelta(minutes=1))
        else:
            return moment
    return None


def open_rounds(engine: Engine) -> int:
    """Open the next round of every recurring campaign that has none open; return how many."""
    with engine.database.transaction() as session:
        return sum(
            _open_next(session, campaign, engine, now=engine.clock())
            for campaign in session.scalars(_recurring().with_for_update(skip_locked=True)).all()
        )


def rounds_to_come(session: Session, *, now: datetime) -> list[int]:
    """Return the recurring campaigns that will have another round."""
    return [
        campaign.id
        for campaign in session.scalars(_recurring()).all()
        if _has_open_round(session, campaign) or _following(session, campaign, now) is not None
    ]


def _open_next(session: Session, campaign: Campaign, engine: Engine, *, now: datetime) -> bool:
    if _has_open_round(session, campaign):
        return False
    newest = _newest(session, campaign)
    moment = _following(session, campaign, now)
    if moment is None:
        if newest is None:
            control.hold(session, campaign.id, reason="Every round was over before it was approved.", now=now)
        return False
    missed = 0
    grace = timedelta(seconds=engine.planning.grace_s)
    # After a long stop only the latest of the missed rounds is worth a person's decision.
    while moment < now - grace and (later := _after(campaign, moment)) is not None and later <= now:
        moment, missed = later, missed + 1
    if missed:
        record(
            session,
            actor=NOTIFIER,
            action="campaign.rounds_missed",
            subject=campaign.subject,
            at=now,
            detail={"rounds": missed},
        )
    occurrence = newest.occurrence + 1 if newest else 1
    open_waves(session, campaign, [Due(moment, {"round": moment.isoformat()})], occurrence=occurrence)
    return True


def _recurring() -> Any:  # noqa: ANN401 - a Select, whose type names every clause
    return select(Campaign).where(
        Campaign.status.in_([CampaignStatus.APPROVED, CampaignStatus.SENDING]),
        Campaign.schedule["kind"].as_string() == "recurring",
    )


def _has_open_round(session: Session, campaign: Campaign) -> bool:
    still = select(Wave.id).where(Wave.campaign_id == campaign.id, Wave.status.in_(_UNPLANNED))
    return session.scalar(still.limit(1)) is not None


def _newest(session: Session, campaign: Campaign) -> Wave | None:
    newest = select(Wave).where(Wave.campaign_id == campaign.id).order_by(Wave.occurrence.desc(), Wave.id.desc())
    return session.scalar(newest.limit(1))


def _following(session: Session, campaign: Campaign, now: datetime) -> datetime | None:
    newest = _newest(session, campaign)
    approved_at = campaign.approved_at or now
    return _after(campaign, datetime.fromisoformat(newest.scope["round"]) if newest else approved_at)


def _after(campaign: Campaign, moment: datetime) -> datetime | None:
    return next_round(campaign.schedule, approved_at=campaign.approved_at or moment, after=moment)


def _trigger(cron: str) -> CronTrigger:
    fields = cron.split()
    # Cron counts Sunday as 0, APScheduler Monday: a digit would mean another day than its writer thinks.
    if len(fields) == 5 and re.search(r"\d", re.sub(r"[/#]\d+", "", fields[4])):  # noqa: PLR2004 - fields of a cron line
        raise Invalid(f"In the cron line {cron!r} name the weekdays (mon, tue, …) instead of numbering them")
    try:
        return CronTrigger.from_crontab(cron, timezone=UTC)
    except ValueError as wrong:
        raise Invalid(
            f"{cron!r} is no cron line ({wrong}); write minute, hour, day, month and weekday, as '0 9 * * mon'"
        ) from wrong


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as wrong:
        raise Invalid(f"There is no time zone {name!r}; write for example Australia/Melbourne") from wrong


def _wall_after(trigger: CronTrigger, moment: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the first wall time of a trigger at or after a moment, with UTC standing for the wall clock."""
    wall = moment.astimezone(zone).replace(tzinfo=UTC)
    found: datetime | None = trigger.get_next_fire_time(None, wall)
    return found


def _monday(wall: datetime) -> datetime:
    return datetime.combine(wall.date() - timedelta(days=wall.weekday()), time(), UTC)
