"""Not now, but later: deliveries that wait for the end of a region's quiet hours, or of a recipient's own.

A region's quiet hours put off a whole batch, because all its readers live there. A recipient's own hours or pause move
that delivery to a later batch. What could not leave before it expires is held back with that reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.audiences.models import Address
from notifier.delivery import queue
from notifier.delivery.models import Delivery
from notifier.delivery.queue import Claim
from notifier.delivery.quiet import Hours
from notifier.delivery.status import DeliveryStatus, move
from notifier.vocabulary import HoldBackReason

# The word the policy's question uses for "has quiet hours of their own: look closer".
HAS_QUIET_HOURS = "has_quiet_hours"
LOOK_CLOSER = frozenset({HAS_QUIET_HOURS, HoldBackReason.PAUSED_BY_RECIPIENT.value})

# Ends of pauses are rounded up to this, so that a thousand pauses do not make a thousand batches.
_STEP = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Patience:
    """How recipients' own wishes about time are kept: on whose clock, until when at the latest, and whether at all.

    An urgent campaign may override quiet hours; a pause is kept by every campaign.
    """

    zones: tuple[str, ...]
    latest: datetime
    mind_quiet_hours: bool = True


@dataclass(slots=True)
class Sorted:
    """Deliveries by what becomes of them; `go` keeps the rows as they came."""

    go: list[Any] = field(default_factory=list)
    later: dict[datetime, list[int]] = field(default_factory=dict)
    hold_back: dict[str, list[int]] = field(default_factory=dict)


def put_off(session: Session, claim: Claim, *, until: datetime, now: datetime) -> None:
    """Give a batch back until a moment; if that is too late for it, hold its deliveries back as expired."""
    if claim.expires_at is None or until < claim.expires_at:
        queue.put_off(session, claim, until=until)
        return
    session.execute(
        move(DeliveryStatus.HELD_BACK, at=now, reason=HoldBackReason.EXPIRED).where(
            Delivery.batch_id == claim.batch_id, Delivery.status == DeliveryStatus.QUEUED
        ),
        execution_options={"synchronize_session": False},
    )
    queue.complete(session, claim)


def sort_out(session: Session, rows: Sequence[Any], patience: Patience, *, now: datetime) -> Sorted:
    """Sort rows (delivery id, address id, …) whose recipients paused or have quiet hours of their own."""
    wishes = {
        address_id: (paused_until, Hours(begin, until) if begin is not None and until is not None else None)
        for address_id, paused_until, begin, until in session.execute(
            select(Address.id, Address.paused_until, Address.quiet_from, Address.quiet_until).where(
                Address.id.in_([row[1] for row in rows])
            )
        )
    }
    found = Sorted()
    for row in rows:
        paused_until, hours = wishes[row[1]]
        paused_until = paused_until if paused_until is not None and paused_until > now else None
        moment = _rounded_up(paused_until) if paused_until is not None else now
        if hours is not None and patience.mind_quiet_hours:
            moment = hours.quiet_until(moment, patience.zones[0]) or moment
        if moment <= now:
            found.go.append(row)
        elif moment < patience.latest:
            found.later.setdefault(moment.astimezone(UTC), []).append(row[0])
        else:
            reason = HoldBackReason.PAUSED_BY_RECIPIENT if paused_until else HoldBackReason.EXPIRED
            found.hold_back.setdefault(reason.value, []).append(row[0])
    return found


def _rounded_up(moment: datetime) -> datetime:
    over = (moment - datetime.min.replace(tzinfo=UTC)) % _STEP
    return moment + (_STEP - over) if over else moment
