"""The status of one delivery: every state, every arrow, and why the odd ones are legal.

    queued ──▶ sending ──▶ accepted ──▶ delivered
      │           │           ├───────▶ bounced
      │           │           └───────▶ failed
      │           ├──▶ queued      the provider said "not now": it waits in a new batch
      │           └──▶ unknown     cut off in the middle: settled by the provider's own record, never by sending again
      └──▶ held_back | cancelled      (held_back ──▶ queued: the email it was to spare came back)

What we did is a status. What recipients did (complaint, opt-out) is a fact with a time on the row, not a status.
Every change is compare-and-set: the UPDATE names the states it may come from, so two workers, a late receipt or a
repeated event can never move a delivery along an arrow that is not on this page.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import CursorResult, Update, update
from sqlalchemy.orm import Session

from notifier.delivery.models import Delivery


class DeliveryStatus(StrEnum):
    """Where one delivery stands."""

    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    FAILED = "failed"
    HELD_BACK = "held_back"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


_S = DeliveryStatus

# From each state, the states that may follow. Read a line as a sentence.
ARROWS: dict[DeliveryStatus, frozenset[DeliveryStatus]] = {
    _S.QUEUED: frozenset({_S.SENDING, _S.HELD_BACK, _S.CANCELLED}),
    _S.SENDING: frozenset(
        {
            _S.ACCEPTED,
            _S.QUEUED,
            _S.UNKNOWN,
            _S.FAILED,
            # An event can overtake the receipt: the provider tells of the delivery before its answer is recorded.
            _S.DELIVERED,
            _S.BOUNCED,
        }
    ),
    _S.ACCEPTED: frozenset({_S.DELIVERED, _S.BOUNCED, _S.FAILED}),
    _S.UNKNOWN: frozenset(
        {
            # The provider's record, a late receipt or an event says that it was taken.
            _S.ACCEPTED,
            _S.DELIVERED,
            _S.BOUNCED,
            _S.FAILED,
            # The provider's record proves that it never arrived there: only then may it be sent after all.
            _S.QUEUED,
        }
    ),
    # The receiving server took the message and sent it back later (an asynchronous bounce).
    _S.DELIVERED: frozenset({_S.BOUNCED, _S.FAILED}),
    # The provider corrected itself: a blocked message got through on a later try.
    # Two outcomes that contradict each other can arrive in either order; the later one by the provider's clock stands
    # (tracking/apply.py), so every outcome may follow every other.
    _S.BOUNCED: frozenset({_S.DELIVERED, _S.FAILED}),
    _S.FAILED: frozenset({_S.DELIVERED, _S.BOUNCED}),
    # Under "email then SMS" a phone is held back while its owner has an email address, until that email comes back.
    _S.HELD_BACK: frozenset({_S.QUEUED}),
    _S.CANCELLED: frozenset(),
}

# A delivery in one of these may still change what its campaign can say of itself.
OPEN = frozenset({_S.QUEUED, _S.SENDING, _S.UNKNOWN})

# The moment of entering a state has a column of its own where anybody asks for it.
_MOMENT = {_S.ACCEPTED: "accepted_at", _S.DELIVERED: "delivered_at", _S.BOUNCED: "bounced_at", _S.FAILED: "failed_at"}


def sources(to: DeliveryStatus) -> list[DeliveryStatus]:
    """Return the states from which `to` may be entered."""
    return [state for state, following in ARROWS.items() if to in following]


def move(to: DeliveryStatus, *, at: datetime, reason: str | None = None) -> Update:
    """Return the compare-and-set UPDATE to a state; the caller says WHERE."""
    values: dict[str, object] = {"status": to, "reason": reason}
    if to in _MOMENT:
        values[_MOMENT[to]] = at
    return update(Delivery).where(Delivery.status.in_(sources(to))).values(values)


def advance(
    session: Session, ids: Sequence[int], to: DeliveryStatus, *, at: datetime, reason: str | None = None
) -> int:
    """Move those of the deliveries that may go there to a state; return how many did."""
    if not ids:
        return 0
    moved = session.execute(
        move(to, at=at, reason=reason).where(Delivery.id.in_(ids)), execution_options={"synchronize_session": False}
    )
    return moved.rowcount if isinstance(moved, CursorResult) else 0
