"""What the events of a provider prove about a call that went unanswered. Questions only; nothing is decided here."""

from datetime import datetime

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from notifier.delivery.doubt import Doubt
from notifier.delivery.models import Delivery
from notifier.tracking.models import ProviderEvent


def was_heard_of(session: Session, doubt: Doubt) -> bool:
    """Whether the provider has told of any recipient of a call since it began."""
    told = (
        select(ProviderEvent.id)
        .join(Delivery, Delivery.id == ProviderEvent.delivery_id)
        .where(
            and_(Delivery.batch_id == doubt.batch_id, Delivery.attempt_id == doubt.attempt_id),
            ProviderEvent.received_at >= doubt.started_at,
        )
    )
    return session.scalar(told.limit(1)) is not None


def last_heard(session: Session, provider: str) -> datetime | None:
    """Return when a provider last told of any message of ours, None if it never has."""
    return session.scalar(
        select(ProviderEvent.received_at)
        .where(ProviderEvent.provider == provider, ProviderEvent.delivery_id.is_not(None))
        .order_by(ProviderEvent.id.desc())
        .limit(1)
    )
