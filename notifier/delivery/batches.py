"""The status of a batch, and the numbers batches get.

    ready ──▶ claimed ──▶ done
      ▲  ◀──────┘  (lease ran out, or the worker gave it back)
      ├──▶ paused     the campaign is paused or held
      └──▶ cancelled  the campaign is cancelled

A batch says who is working on which deliveries; what became of each delivery is said by the delivery.
"""

from enum import StrEnum

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from notifier.delivery.models import IdBlock


class BatchStatus(StrEnum):
    """Where a batch stands."""

    READY = "ready"
    CLAIMED = "claimed"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"


def reserve_ids(session: Session, amount: int) -> int:
    """Take `amount` consecutive batch ids and return the first; the row lock keeps two planners apart."""
    dialect = session.get_bind().dialect.name
    upsert = (postgresql if dialect == "postgresql" else sqlite).insert(IdBlock)
    taken = session.scalar(
        upsert.values(name="batches", next_id=1 + amount)
        .on_conflict_do_update(index_elements=["name"], set_={"next_id": IdBlock.next_id + amount})
        .returning(IdBlock.next_id)
    )
    return int(taken or 0) - amount
