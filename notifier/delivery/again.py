"""Deliveries that go back into the queue, in new batches of the same variant.

Never into the batch they were in: a retry must not delay the others, and what was asked of a provider under one attempt
is not asked again under the same.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import CursorResult, insert, update
from sqlalchemy.orm import Session

from notifier.delivery import control
from notifier.delivery.batches import BatchStatus, reserve_ids
from notifier.delivery.models import Batch, Delivery
from notifier.delivery.status import DeliveryStatus, advance


class Like(Protocol):
    """What a new batch has in common with the one its deliveries come from."""

    @property
    def campaign_id(self) -> int: ...  # noqa: D102 - fields of a batch
    @property
    def wave_id(self) -> int: ...  # noqa: D102
    @property
    def variant_id(self) -> int: ...  # noqa: D102
    @property
    def channel(self) -> str: ...  # noqa: D102
    @property
    def priority(self) -> int: ...  # noqa: D102
    @property
    def expires_at(self) -> datetime | None: ...  # noqa: D102


def queue_again(
    session: Session,
    like: Like,
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
        moved = session.execute(
            update(Delivery)
            .where(Delivery.id.in_(part), Delivery.status == DeliveryStatus.QUEUED)
            .values(batch_id=first + place, attempt_id=None),
            execution_options={"synchronize_session": False},
        )
        if isinstance(moved, CursorResult) and moved.rowcount != len(part):
            # An event has overtaken us: a batch is as large as it says.
            session.execute(update(Batch).where(Batch.id == first + place).values(size=moved.rowcount))
        if status is BatchStatus.CANCELLED:
            advance(session, part, DeliveryStatus.CANCELLED, at=now)
