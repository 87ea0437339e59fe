"""Waves: the moments at which a campaign goes out, as rows.

A wave that is found later than its grace period is held for a person: a message meant for Tuesday morning is not sent
in silence on Wednesday night.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from notifier.campaigns import lifecycle, options
from notifier.campaigns.lifecycle import CampaignStatus
from notifier.campaigns.models import Campaign
from notifier.campaigns.schedule import Due
from notifier.delivery.models import Wave

# The smaller number goes first, in the queue and in planning.
URGENT, NORMAL = 0, 10


class WaveStatus(StrEnum):
    """Where a wave stands."""

    PENDING = "pending"
    WAITING = "waiting"
    PLANNED = "planned"
    HELD = "held"
    CANCELLED = "cancelled"


def open_waves(session: Session, campaign: Campaign, dues: Sequence[Due], *, occurrence: int = 1) -> None:
    """Write down when an approved campaign is due, for one round of it.

    With a canary the earliest wave sends to its first recipients only, and all others wait for how that went.
    """
    first = options.read(campaign.options).canary_first
    later = WaveStatus.WAITING if first else WaveStatus.PENDING
    rows = [(due.at, due.scope, later) for due in dues]
    if first and dues:
        earliest = min(dues, key=lambda due: due.at)
        rows.insert(0, (earliest.at, {**earliest.scope, "first": first}, WaveStatus.PENDING))
    session.add_all(
        Wave(
            campaign_id=campaign.id,
            occurrence=occurrence,
            priority=URGENT if campaign.urgent else NORMAL,
            due_at=at,
            status=status,
            scope=dict(scope),
        )
        for at, scope, status in rows
    )
    session.flush()


def of_campaign(session: Session, campaign_id: int) -> list[Wave]:
    """Return the waves of a campaign in the order in which they are due."""
    return list(session.scalars(select(Wave).where(Wave.campaign_id == campaign_id).order_by(Wave.due_at, Wave.id)))


def release(session: Session, campaign_id: int, *, now: datetime) -> int:
    """Let the waves go that waited for a canary, each at its own time or now; return how many."""
    waiting = select(Wave).where(Wave.campaign_id == campaign_id, Wave.status == WaveStatus.WAITING)
    held_up = session.scalars(waiting.with_for_update()).all()
    for wave in held_up:
        wave.status, wave.due_at = WaveStatus.PENDING, max(wave.due_at, now)
    session.flush()
    return len(held_up)


def go_on(session: Session, campaign_id: int, *, now: datetime) -> None:
    """Make up for the time a campaign stood still: what came due meanwhile is due now.

    Slots of a staggered campaign all move by as much as the first that was missed, so that they do not go at once.
    """
    open_ones = session.scalars(
        select(Wave)
        .where(Wave.campaign_id == campaign_id, Wave.status.in_([WaveStatus.PENDING, WaveStatus.HELD]))
        .order_by(Wave.due_at)
    ).all()
    missed = [now - wave.due_at for wave in open_ones if wave.due_at < now and "slot" in wave.scope]
    for wave in open_ones:
        if missed and "slot" in wave.scope:
            wave.due_at += missed[0]
        elif wave.status == WaveStatus.HELD or wave.due_at < now:
            wave.due_at = now
        wave.status, wave.status_reason = WaveStatus.PENDING, None
    session.flush()


def next_due(session: Session, *, now: datetime) -> Wave | None:
    """Return the most urgent wave that is due and lock it and its campaign for this transaction, or None.

    Several schedulers may ask at once: on PostgreSQL each gets a wave of another campaign, on SQLite they wait for each
    other. Whoever pauses or cancels the campaign waits for the slice, and so finds every batch of it.
    """
    return session.scalar(_NEXT_DUE, {"the_moment": now})


def hold_missed(session: Session, *, now: datetime, grace: timedelta) -> int:
    """Hold every wave that nobody began within its grace period; return how many."""
    missed = session.scalars(_MISSED, {"the_moment": now, "the_latest": now - grace}).all()
    for wave in missed:
        reason = (
            f"The wave due at {wave.due_at.isoformat()} was missed by more than the grace period of {grace}; "
            "resume the campaign to send it now, or cancel it"
        )
        session.execute(
            update(Wave)
            .where(Wave.id == wave.id, Wave.status == WaveStatus.PENDING)
            .values(status=WaveStatus.HELD, status_reason=reason)
        )
        if lifecycle.find(session, wave.campaign_id).status != CampaignStatus.HELD:
            lifecycle.hold(session, wave.campaign_id, reason=reason, now=now)
    return len(missed)


# What every slice of a plan and every tick asks, put together once.
_due = (
    select(Wave)
    .join(Campaign, Campaign.id == Wave.campaign_id)
    .where(
        Wave.status == WaveStatus.PENDING,
        Wave.due_at <= bindparam("the_moment"),
        Campaign.status.in_((CampaignStatus.APPROVED, CampaignStatus.SENDING)),
    )
    .order_by(Wave.priority, Wave.due_at, Wave.id)
)
_NEXT_DUE = _due.limit(1).with_for_update(skip_locked=True, of=[Wave, Campaign])
_MISSED = _due.where(Wave.due_at < bindparam("the_latest"), Wave.planned == 0, Wave.channel.is_(None))
