"""Under `email then SMS`: whoever's email came back for good gets the text message after all.

The planner has already written the row of such a phone number, held back because its owner had an email address. When
that email bounces hard within the time the campaign allows, the row goes back into the queue: one UPDATE for all of
them, and never a second row. Whether the number may still be written to is asked at the claim, as always.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlalchemy import ScalarSelect, Select, and_, bindparam, literal, select
from sqlalchemy.orm import Session, aliased

from notifier.audiences.models import Subscription, SubscriptionStatus
from notifier.campaigns import options
from notifier.campaigns.lifecycle import CampaignStatus
from notifier.campaigns.models import Campaign
from notifier.delivery import counts
from notifier.delivery.again import queue_again
from notifier.delivery.models import Delivery, Wave
from notifier.delivery.status import DeliveryStatus
from notifier.vocabulary import Channel, ChannelPolicy, HoldBackReason

# What the second question leaves open: the emails that came back.
_BOUNCED = "bounced"

# Deliveries of one batch, as the planner makes them for SMS.
_BATCH = 200

# An email in one of these may still reach its reader, so the phone stays silent.
_MAY_REACH = (
    DeliveryStatus.QUEUED,
    DeliveryStatus.SENDING,
    DeliveryStatus.ACCEPTED,
    DeliveryStatus.DELIVERED,
    DeliveryStatus.UNKNOWN,
)


@dataclass(frozen=True, slots=True)
class _Like:
    """What the new batches have in common with those of their wave."""

    campaign_id: int
    wave_id: int
    variant_id: int
    channel: Channel
    priority: int
    expires_at: datetime | None


def send_sms_instead(session: Session, deliveries: Select[int | None], *, now: datetime) -> int:
    """Queue the text messages for those of the deliveries that are emails which bounced hard; return how many."""
    bounced = session.scalars(_bounced(deliveries)).all()
    if not bounced:
        return 0
    found: dict[_Like, list[int]] = defaultdict(list)
    for row in session.execute(_due(), {_BOUNCED: bounced}):
        waits = options.read(row.options).sms_after_bounce_s
        if row.accepted_at is not None and (row.bounced_at - row.accepted_at).total_seconds() > waits:
            continue
        like = _Like(row.campaign_id, row.wave_id, row.variant_id, Channel.SMS, row.priority, row.expires_at)
        found[like].append(row.id)
    for like, ids in found.items():
        once = sorted(set(ids))
        parts = [once[place : place + _BATCH] for place in range(0, len(once), _BATCH)]
        queue_again(session, like, parts, due_at=now, tries=0, now=now)
    if found:
        counts.wave_changed(session, {like.wave_id for like in found})
    return sum(len(set(ids)) for ids in found.values())


# The questions take longer to put together than to run, and are asked again and again.
@lru_cache(maxsize=8)
def _bounced(deliveries: Select[int | None]) -> Select[int]:
    """Ask which of the deliveries are emails, bounced hard, whose campaign may turn to the phone."""
    return (
        select(Delivery.id)
        .join(Campaign, Campaign.id == Delivery.campaign_id)
        .where(
            Delivery.id.in_(deliveries),
            Delivery.channel == Channel.EMAIL.value,
            Delivery.status == DeliveryStatus.BOUNCED,
            Delivery.reason == HoldBackReason.HARD_BOUNCE.value,
            Campaign.channels == ChannelPolicy.EMAIL_THEN_SMS,
            Campaign.status != CampaignStatus.CANCELLED,
        )
    )


@lru_cache(maxsize=1)
def _due() -> Select[*tuple[object, ...]]:
    """Ask for the rows of the phones. The emails are named one by one, so that a database knows how few they are."""
    email, sms = aliased(Delivery), aliased(Delivery)
    return (
        select(
            sms.id,
            sms.campaign_id,
            sms.wave_id,
            sms.variant_id,
            Wave.priority,
            Campaign.expires_at,
            Campaign.options,
            email.accepted_at,
            email.bounced_at,
        )
        .select_from(email)
        .join(Campaign, Campaign.id == email.campaign_id)
        .join(Subscription, Subscription.email_address_id == email.address_id)
        .join(
            sms,
            and_(
                sms.campaign_id == email.campaign_id,
                sms.occurrence == email.occurrence,
                sms.channel == Channel.SMS.value,
                sms.address_id == Subscription.sms_address_id,
            ),
        )
        .join(Wave, Wave.id == sms.wave_id)
        .where(
            email.id.in_(bindparam(_BOUNCED, expanding=True)),
            Subscription.status == SubscriptionStatus.ACTIVE,
            sms.status == DeliveryStatus.HELD_BACK,
            sms.reason == HoldBackReason.REACHED_BY_EMAIL.value,
            sms.variant_id.is_not(None),
            _reached_otherwise(sms).is_(None),
        )
    )


def _reached_otherwise(sms: type[Delivery]) -> ScalarSelect[int]:
    """Return 1 if somebody with this phone has another email of the campaign that may still reach them, else NULL.

    It is no EXISTS on purpose: PostgreSQL would make a join with the whole ledger of that, and here are few rows.
    """
    other, row = aliased(Delivery), aliased(Subscription)
    return (
        select(literal(1))
        .select_from(row)
        .join(
            other,
            and_(
                other.campaign_id == sms.campaign_id,
                other.occurrence == sms.occurrence,
                other.channel == Channel.EMAIL.value,
                other.address_id == row.email_address_id,
            ),
        )
        .where(
            row.sms_address_id == sms.address_id,
            row.status == SubscriptionStatus.ACTIVE,
            other.status.in_(_MAY_REACH),
        )
        .limit(1)
        .correlate(sms)
        .scalar_subquery()
    )
