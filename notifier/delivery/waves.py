"""Waves: the moments at which a campaign goes out, as rows.

A wave that is found later than its grace period is held for a person: a message meant for Tuesday morning is not sent
in silence on Wednesday night.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from notifier.campaigns import lifecycle
from notifier.campaigns.lifecycle import CampaignStatus
from notifier.campaigns.models import Campaign
from notifier.campaigns.schedule import Due
from notifier.delivery.models import Wave

# The smaller number goes first, in the queue and in planning.
URGENT, NORMAL = 0, 10


class WaveStatus(StrEnum):
    """Where a wave stands."""

    PENDING = "pending"
    PLANNED = "planned"
    HELD = "held"
    CANCELLED = "cancelled"


def open_waves(session: Session, campaign: Campaign, dues: list[Due]) -> None:
    """Write down when an approved campaign is due."""
    session.add_all(
        Wave(
            campaign_id=campaign.id,
            priority=URGENT if campaign.urgent else NORMAL,
            due_at=due.at,
            status=WaveStatus.PENDING,
            scope=dict(due.scope),
        )
        for due in dues
    )


def next_due(session: Session, *, now: datetime) -> Wave | None:
    """Return the most urgent wave that is due and lock it for this transaction, or None.

    Several schedulers may ask at once: on PostgreSQL each gets another wave, on SQLite they wait for each other.
    """
    return session.scalar(_due(now).with_for_update(skip_locked=True, of=Wave))


def hold_missed(session: Session, *, now: datetime, grace: timedelta) -> int:
    """Hold every wave that nobody began within its grace period; return how many."""
    missed = session.scalars(
        _due(now).where(Wave.due_at < now - grace, Wave.planned == 0, Wave.channel.is_(None)).limit(None)
    ).all()
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
        lifecycle.hold(session, wave.campaign_id, reason=reason, now=now)
    return len(missed)


def _due(now: datetime) -> Select[Wave]:
    running = select(Campaign.id).where(Campaign.status.in_([CampaignStatus.APPROVED, CampaignStatus.SENDING]))
    return (
        select(Wave)
        .where(Wave.status == WaveStatus.PENDING, Wave.due_at <= now, Wave.campaign_id.in_(running))
        .order_by(Wave.priority, Wave.due_at, Wave.id)
        .limit(1)
    )
