"""Approve, pause, resume, cancel, hold, finish: a campaign's arrows, together with what they mean for its batches.

The campaign's own status is the campaigns room's; here each arrow also moves the batches, in the same transaction, so
that it takes effect at the next group a worker prepares.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from notifier.accounts.audit import record
from notifier.accounts.models import User
from notifier.accounts.users import MAY_DRAFT, require
from notifier.campaigns import lifecycle, options, schedule
from notifier.campaigns.lifecycle import CampaignStatus
from notifier.campaigns.models import Campaign
from notifier.delivery import waves
from notifier.delivery.batches import BatchStatus
from notifier.delivery.models import Attempt, Batch, Delivery, Wave
from notifier.delivery.queue import DOUBT_OPEN
from notifier.delivery.status import DeliveryStatus, move
from notifier.delivery.waves import WaveStatus, open_waves
from notifier.kit.errors import Conflict

_AT_WORK = (BatchStatus.READY, BatchStatus.CLAIMED)
_UNFINISHED = (BatchStatus.READY, BatchStatus.CLAIMED, BatchStatus.PAUSED)
_UNPLANNED = (WaveStatus.PENDING, WaveStatus.WAITING, WaveStatus.HELD)
_STOPPED = {CampaignStatus.PAUSED, CampaignStatus.HELD}


def approve(
    session: Session,
    campaign_id: int,
    *,
    by: User,
    fingerprint: str,
    zones: Mapping[str, Sequence[str]],
    now: datetime,
) -> Campaign:
    """Approve a campaign and write down when it is due. `zones` names the regions of each time zone it goes to."""
    campaign = lifecycle.approve(session, campaign_id, by=by, fingerprint=fingerprint, now=now)
    open_waves(session, campaign, schedule.moments(campaign.schedule, approved_at=now, zones=zones))
    if options.read(campaign.options).override_quiet_hours:
        act = "campaign.quiet_hours_overridden"
        record(session, actor=by.email, action=act, subject=campaign.subject, at=now)
    return campaign


def pause(session: Session, campaign_id: int, *, by: User, reason: str | None, now: datetime) -> Campaign:
    """Pause a campaign; a group already handed to the provider is still recorded."""
    campaign = lifecycle.pause(session, campaign_id, by=by, reason=reason, now=now)
    _set_batches(session, campaign_id, _AT_WORK, BatchStatus.PAUSED)
    return campaign


def hold(session: Session, campaign_id: int, *, reason: str, now: datetime) -> None:
    """Hold a campaign for a person, unless it has stopped already."""
    if lifecycle.find(session, campaign_id).status in {CampaignStatus.SENDING, CampaignStatus.APPROVED}:
        lifecycle.hold(session, campaign_id, reason=reason, now=now)
        _set_batches(session, campaign_id, _AT_WORK, BatchStatus.PAUSED)


def resume(session: Session, campaign_id: int, *, by: User, now: datetime) -> Campaign:
    """Go on after a pause or a hold; a wave that was held for being late goes now."""
    campaign = lifecycle.resume(session, campaign_id, by=by, now=now)
    _set_batches(session, campaign_id, (BatchStatus.PAUSED,), BatchStatus.READY)
    waves.go_on(session, campaign_id, now=now)
    return campaign


def go_on(session: Session, campaign_id: int, *, by: User, now: datetime) -> Campaign:
    """Send to the rest although nobody has waited for how the first recipients went, or although it went badly."""
    campaign = lifecycle.find(session, campaign_id)
    if campaign.status == CampaignStatus.HELD:
        campaign = resume(session, campaign_id, by=by, now=now)
    require(by, MAY_DRAFT, "sending to the rest")
    if not waves.release(session, campaign_id, now=now):
        raise Conflict(f"No part of campaign {campaign_id} waits for a yes; see `notifier campaigns show`")
    record(session, actor=by.email, action="campaign.canary_passed", subject=campaign.subject, at=now)
    return campaign


def cancel(session: Session, campaign_id: int, *, by: User, reason: str | None, now: datetime) -> Campaign:
    """End a campaign; every delivery that has not begun to leave is cancelled."""
    campaign = lifecycle.cancel(session, campaign_id, by=by, reason=reason, now=now)
    _set_batches(session, campaign_id, _UNFINISHED, BatchStatus.CANCELLED)
    session.execute(
        update(Wave)
        .where(Wave.campaign_id == campaign_id, Wave.status.in_(_UNPLANNED))
        .values(status=WaveStatus.CANCELLED)
    )
    session.execute(
        move(DeliveryStatus.CANCELLED, at=now).where(Delivery.campaign_id == campaign_id),
        execution_options={"synchronize_session": False},
    )
    return campaign


def finish(session: Session, *, to_come: Collection[int] = (), now: datetime) -> list[int]:
    """Close every campaign that has nothing left to plan, to send or to find out; return them.

    `to_come` names recurring campaigns that will have another round.
    """
    unplanned = exists().where(Wave.campaign_id == Campaign.id, Wave.status.in_(_UNPLANNED))
    in_doubt = exists().where(Attempt.campaign_id == Campaign.id, Attempt.doubt == DOUBT_OPEN)
    unsent = exists().where(Batch.campaign_id == Campaign.id, Batch.status.in_(_UNFINISHED))
    through = session.scalars(
        select(Campaign.id).where(
            Campaign.status == CampaignStatus.SENDING, ~unplanned, ~unsent, ~in_doubt, Campaign.id.not_in(to_come)
        )
    ).all()
    for campaign_id in through:
        lifecycle.finish(session, campaign_id, now=now)
    return list(through)


def batch_status(session: Session, campaign_id: int) -> BatchStatus:
    """Return the status a new batch of this campaign begins with."""
    status = CampaignStatus(lifecycle.find(session, campaign_id).status)
    if status is CampaignStatus.CANCELLED:
        return BatchStatus.CANCELLED
    return BatchStatus.PAUSED if status in _STOPPED else BatchStatus.READY


def _set_batches(session: Session, campaign_id: int, of: Sequence[BatchStatus], to: BatchStatus) -> None:
    session.execute(
        update(Batch)
        .where(Batch.campaign_id == campaign_id, Batch.status.in_(of))
        .values(status=to, lease_owner=None, lease_until=None),
        execution_options={"synchronize_session": False},
    )
