"""Forgetting: addresses and names on deliveries, and the words of old messages, when their clocks run out.

The rows stay, so every count stays true. Each step is small and says how far it came, so that nobody waits for it.
"""

from datetime import datetime

from sqlalchemy import ColumnElement, Update, exists, or_, select, update
from sqlalchemy.orm import Session

from notifier.campaigns.models import Campaign
from notifier.delivery.models import Batch, Delivery, Forgetting, Variant, Wave
from notifier.kit.db import insert_or_skip

_UNSYNCHRONISED = {"synchronize_session": False}


def prune_addresses(session: Session, *, before: datetime, now: datetime, limit: int = 20) -> int:
    """Wipe addresses and names from `limit` more batches of a campaign that ended before a moment; return how many.

    When no batch is left, what the planner held back goes, and then the campaign is done. 0 means: nothing to do.
    """
    campaign_id = session.scalar(
        select(Campaign.id)
        .outerjoin(Forgetting, Forgetting.campaign_id == Campaign.id)
        .where(_ended(before), Forgetting.addresses_at.is_(None))
        .order_by(Campaign.id)
        .limit(1)
    )
    if campaign_id is None:
        return 0
    session.execute(insert_or_skip(session, Forgetting).values(campaign_id=campaign_id, through_batch=0))
    through = select(Forgetting.through_batch).where(Forgetting.campaign_id == campaign_id).scalar_subquery()
    batches = session.scalars(
        select(Batch.id).where(Batch.campaign_id == campaign_id, Batch.id > through).order_by(Batch.id).limit(limit)
    ).all()
    if batches:
        session.execute(_wipe().where(Delivery.batch_id.in_(batches)), execution_options=_UNSYNCHRONISED)
        _note(session, campaign_id, through_batch=batches[-1])
        return len(batches)
    waves = select(Wave.id).where(Wave.campaign_id == campaign_id)
    session.execute(
        _wipe().where(Delivery.wave_id.in_(waves), Delivery.batch_id.is_(None)), execution_options=_UNSYNCHRONISED
    )
    _note(session, campaign_id, addresses_at=now)
    return 1


def prune_content(session: Session, *, before: datetime, now: datetime) -> int:
    """Wipe the rendered messages of campaigns that ended before a moment; return of how many campaigns."""
    done = exists().where(Forgetting.campaign_id == Campaign.id, Forgetting.content_at.is_not(None))
    campaigns = session.scalars(select(Campaign.id).where(_ended(before), ~done).order_by(Campaign.id).limit(20)).all()
    for campaign_id in campaigns:
        session.execute(insert_or_skip(session, Forgetting).values(campaign_id=campaign_id, through_batch=0))
        session.execute(update(Variant).where(Variant.campaign_id == campaign_id).values(content={}))
        _note(session, campaign_id, content_at=now)
    return len(campaigns)


def _ended(before: datetime) -> ColumnElement[bool]:
    return Campaign.finished_at < before


def _wipe() -> Update:
    return (
        update(Delivery)
        .where(or_(Delivery.destination.is_not(None), Delivery.given_name.is_not(None)))
        .values(destination=None, given_name=None)
    )


def _note(session: Session, campaign_id: int, **values: object) -> None:
    session.execute(
        update(Forgetting).where(Forgetting.campaign_id == campaign_id).values(values),
        execution_options=_UNSYNCHRONISED,
    )
