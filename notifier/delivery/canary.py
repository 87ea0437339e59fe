"""A canary: the first recipients of a campaign go ahead, and the rest waits for how that went.

Good results let the rest go by themselves after the waiting time, bad ones on either channel hold the campaign with the
figures. Where a person's yes was asked for, the campaign is held as soon as the first are through.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from notifier.campaigns import options
from notifier.campaigns.lifecycle import CampaignStatus
from notifier.campaigns.models import Campaign
from notifier.delivery import control, waves
from notifier.delivery.models import Delivery, Wave
from notifier.delivery.status import OPEN, DeliveryStatus
from notifier.delivery.waves import WaveStatus
from notifier.vocabulary import Channel


@dataclass(frozen=True, slots=True)
class Limits:
    """What share of the first recipients may go wrong, in percent."""

    hard_bounces: float
    complaints: float
    failures: float


@dataclass(frozen=True, slots=True)
class Result:
    """How the first recipients of one round went on one channel."""

    channel: str
    sent: int
    open: int
    hard_bounces: int
    complaints: int
    failures: int
    last_accepted_at: datetime | None

    def worse_than(self, limits: Limits) -> str | None:
        """Return what went wrong, in words, or None."""
        for what, number, limit in (
            ("bounced hard", self.hard_bounces, limits.hard_bounces),
            ("were complained about", self.complaints, limits.complaints),
            ("failed", self.failures, limits.failures),
        ):
            if self.sent and number * 100 > limit * self.sent:
                word = Channel(self.channel).word
                return f"by {word}, {number} of {self.sent} {what} (the limit is {limit:g} %)"
        return None


def judge_all(session: Session, *, limits: Limits, now: datetime) -> list[int]:
    """Look at every campaign whose rest waits for a canary; return those that were let go or held."""
    waiting = select(Wave.campaign_id).where(Wave.status == WaveStatus.WAITING)
    campaigns = session.scalars(
        select(Campaign)
        .where(Campaign.status == CampaignStatus.SENDING, Campaign.id.in_(waiting))
        .with_for_update(skip_locked=True)
    ).all()
    return [campaign.id for campaign in campaigns if _judge(session, campaign, limits, now)]


def _judge(session: Session, campaign: Campaign, limits: Limits, now: datetime) -> bool:
    waiting = select(Wave.occurrence).where(Wave.campaign_id == campaign.id, Wave.status == WaveStatus.WAITING)
    occurrence = session.scalar(waiting.limit(1)) or 1
    if not _is_planned(session, campaign, occurrence):
        return False
    results = _results(session, campaign, occurrence)
    if any(result.open for result in results):
        return False
    chosen = options.read(campaign.options)
    bad = "; ".join(wrong for result in results if (wrong := result.worse_than(limits)))
    if bad:
        _hold(session, campaign, f"The first recipients went badly: {bad}.", now)
        return True
    if chosen.canary_yes:
        sent = sum(result.sent for result in results)
        _hold(session, campaign, f"The first {sent} recipients are through; a person has to say yes.", now)
        return True
    since = max((result.last_accepted_at for result in results if result.last_accepted_at), default=None)
    if since is not None and now < since + timedelta(seconds=chosen.canary_wait_s):
        return False
    waves.release(session, campaign.id, now=now)
    return True


def _hold(session: Session, campaign: Campaign, what: str, now: datetime) -> None:
    way_out = f"Send to the rest with `notifier campaigns go-on {campaign.id} --as EMAIL`, or cancel the campaign."
    control.hold(session, campaign.id, reason=f"{what} {way_out}", now=now)


def _is_planned(session: Session, campaign: Campaign, occurrence: int) -> bool:
    unplanned = select(Wave.id).where(
        Wave.campaign_id == campaign.id, Wave.occurrence == occurrence, Wave.status == WaveStatus.PENDING
    )
    return session.scalar(unplanned.limit(1)) is None


def _results(session: Session, campaign: Campaign, occurrence: int) -> list[Result]:
    bounced = and_(Delivery.status == DeliveryStatus.BOUNCED, Delivery.reason == "hard_bounce")
    failed = or_(
        Delivery.status == DeliveryStatus.FAILED,
        and_(Delivery.status == DeliveryStatus.BOUNCED, Delivery.reason != "hard_bounce"),
    )
    rows = session.execute(
        select(
            Delivery.channel,
            func.count().filter(Delivery.status.not_in([DeliveryStatus.HELD_BACK, DeliveryStatus.CANCELLED])),
            func.count().filter(Delivery.status.in_(OPEN)),
            func.count().filter(bounced),
            func.count().filter(Delivery.complained_at.is_not(None)),
            func.count().filter(failed),
            func.max(Delivery.accepted_at),
        )
        .where(Delivery.campaign_id == campaign.id, Delivery.occurrence == occurrence)
        .group_by(Delivery.channel)
        .order_by(Delivery.channel)
    )
    return [Result(*row) for row in rows]
