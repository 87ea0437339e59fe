"""Deliveries that go back into the queue, in new batches of the same variant.

Never into the batch they were in: a retry must not delay the others, and what was asked of a provider under one attempt
is not asked again under the same.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from notifier.delivery import control
from notifier.delivery.batches import BatchStatus, reserve_ids
from notifier.delivery.models import Batch, Delivery
from notifier.delivery.queue import Claim
from notifier.delivery.status import DeliveryStatus, advance


def queue_again(
    session: Session,
    like: Claim | Batch,
    parts: Sequence[Sequence[int]],
    *,
    due_at: datetime,
    tries: int,
    now: datetime,
) -> None:
    """Queue deliveries again, each part in a new batch; those of a cancelled campaign are cancelled instead."""
    parts = [part for part in parts if part]
    first = reserve_ids(session, len(parts))
    status = control.batch_status(session, like.campaign_id)
    rows = [
        {
            "id": first + place,
            "campaign_id": like.campaign_id,
            "wave_id": like.wave_id,
            "variant_id": like.variant_id,
            "channel": like.channel,
            "priority": like.priority,
            "due_at": due_at,
            "expires_at": like.expires_at,
            "size": len(part),
            "tries": tries,
            "status": status,
        }
        for place, part in enumerate(parts)
    ]
    if rows:
        session.execute(insert(Batch), rows)
    for place, part in enumerate(parts):
        advance(session, part, DeliveryStatus.QUEUED, at=now)
        session.execute(
            update(Delivery)
            .where(Delivery.id.in_(part), Delivery.status == DeliveryStatus.QUEUED)
            .values(batch_id=first + place, attempt_id=None),
            execution_options={"synchronize_session": False},
        )
        if status is BatchStatus.CANCELLED:
            advance(session, part, DeliveryStatus.CANCELLED, at=now)
