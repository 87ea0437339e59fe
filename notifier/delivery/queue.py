"""The queue: claim a batch, keep it, give it back, and take over what a dead worker held.

The claim is one statement. On PostgreSQL it skips the rows other workers have locked; on SQLite the write lock does the
same. A claim is good until its lease runs out, a heartbeat extends it, and `claims` fences off a worker that was gone
for longer: nothing it still wants to begin is allowed, while the receipts it brings home are the truth all the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, bindparam, exists, select, update
from sqlalchemy.orm import Session

from notifier.delivery.batches import BatchStatus
from notifier.delivery.models import Attempt, Batch, Delivery
from notifier.delivery.status import DeliveryStatus, move
from notifier.kit.db import perform
from notifier.vocabulary import Channel

# What an attempt says whose worker never came back: whether the provider took it is not known.
CUT_OFF = "cut_off"
# The doubt of an attempt until `delivery.doubt` has settled it.
DOUBT_OPEN = "open"
# Larger than the number of every priority.
_ANY_PRIORITY = 1_000_000


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch that is ours until `until`."""

    batch_id: int
    campaign_id: int
    wave_id: int
    variant_id: int
    channel: Channel
    priority: int
    size: int
    tries: int
    owner: str
    number: int
    until: datetime
    expires_at: datetime | None


class LeaseLost(Exception):
    """Another worker, a pause or a cancellation has taken the batch; begin nothing more in it."""


def claim(
    session: Session, channel: Channel, *, owner: str, now: datetime, lease: timedelta, least: int | None = None
) -> Claim | None:
    """Take the oldest due batch of the highest priority on a channel, or None if there is none.

    With `least`, nothing less urgent than this priority is taken.
    """
    taken = perform(
        session,
        _TAKE,
        on_channel=channel,
        at_least=_ANY_PRIORITY if least is None else least,
        the_owner=owner,
        the_moment=now,
        until=now + lease,
    ).one_or_none()
    if taken is None:
        return None
    return Claim(
        batch_id=taken.id,
        campaign_id=taken.campaign_id,
        wave_id=taken.wave_id,
        variant_id=taken.variant_id,
        channel=Channel(taken.channel),
        priority=taken.priority,
        size=taken.size,
        tries=taken.tries,
        owner=owner,
        number=taken.claims,
        until=now + lease,
        expires_at=taken.expires_at,
    )


def keep(session: Session, claim: Claim, *, now: datetime, lease: timedelta) -> bool:
    """Extend the lease and hold the batch's row until the transaction ends; return whether it is still ours."""
    return perform(session, _EXTEND, **_fence(claim), until=now + lease).rowcount == 1


def beat(session: Session, owner: str, batch_ids: Sequence[int], *, now: datetime, lease: timedelta) -> None:
    """Extend the leases of everything a worker is working on, in one statement."""
    session.execute(
        update(Batch)
        .where(Batch.id.in_(batch_ids), Batch.status == BatchStatus.CLAIMED, Batch.lease_owner == owner)
        .values(lease_until=now + lease),
        execution_options={"synchronize_session": False},
    )


def give_back(session: Session, claim: Claim) -> None:
    """Put the batch back for any worker, if it is still ours."""
    perform(session, _FREE, **_fence(claim), to=BatchStatus.READY)


def put_off(session: Session, claim: Claim, *, until: datetime) -> None:
    """Put the batch back, due at a later moment, if it is still ours."""
    perform(session, _FREE_LATER, **_fence(claim), to=BatchStatus.READY, until=until)


def put_off_campaign(session: Session, claim: Claim, *, until: datetime) -> None:
    """Put the batch back and let everything of its campaign on this channel wait until a moment."""
    put_off(session, claim, until=until)
    session.execute(
        update(Batch)
        .where(
            Batch.campaign_id == claim.campaign_id,
            Batch.channel == claim.channel,
            Batch.status == BatchStatus.READY,
            Batch.due_at < until,
        )
        .values(due_at=until),
        execution_options={"synchronize_session": False},
    )


def complete(session: Session, claim: Claim) -> bool:
    """Mark the batch as done, if it is still ours; return whether it was."""
    return perform(session, _FREE, **_fence(claim), to=BatchStatus.DONE).rowcount == 1


def expired(session: Session, *, now: datetime, limit: int) -> list[int]:
    """Return batches whose lease has run out, locked for this transaction."""
    # None of them is counted; saying so lets the index of those that are not find them among all there ever were.
    return list(
        session.scalars(
            select(Batch.id)
            .where(Batch.status == BatchStatus.CLAIMED, Batch.counted.is_(None), Batch.lease_until < now)
            .order_by(Batch.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    )


def take_over(session: Session, *, now: datetime, lease: timedelta, limit: int = 100) -> int:
    """Settle what dead workers left behind; return how many batches and calls that were.

    Deliveries that were being sent become `unknown`: the provider may have them. The untouched rest of the batch is
    simply claimed again.
    """
    batches = expired(session, now=now, limit=limit)
    abandoned = _abandoned(session, now=now, lease=lease, limit=limit)
    if batches:
        _cut_off(session, Delivery.batch_id.in_(batches), Attempt.batch_id.in_(batches), now=now)
        waiting = exists().where(and_(Delivery.batch_id == Batch.id, Delivery.status == DeliveryStatus.QUEUED))
        free = update(Batch).where(Batch.id.in_(batches)).execution_options(synchronize_session=False)
        session.execute(free.where(waiting).values(status=BatchStatus.READY, lease_owner=None, lease_until=None))
        session.execute(free.where(~waiting).values(status=BatchStatus.DONE, lease_owner=None, lease_until=None))
    if abandoned:
        within = select(Attempt.batch_id).where(Attempt.id.in_(abandoned))
        of_attempts = and_(Delivery.batch_id.in_(within), Delivery.attempt_id.in_(abandoned))
        _cut_off(session, of_attempts, Attempt.id.in_(abandoned), now=now)
    return len(batches) + len(abandoned)


def _abandoned(session: Session, *, now: datetime, lease: timedelta, limit: int) -> list[int]:
    """Return calls whose worker is gone although no claim of theirs can run out.

    A pause takes the claim away from the worker that is in the middle of a call; if it dies before it has recorded the
    answer, only the call itself is left to say so.
    """
    held = exists().where(Batch.id == Attempt.batch_id, Batch.status == BatchStatus.CLAIMED)
    return list(
        session.scalars(
            select(Attempt.id)
            .where(Attempt.outcome.is_(None), Attempt.started_at < now - 2 * lease, ~held)
            .order_by(Attempt.started_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    )


def _cut_off(
    session: Session, deliveries: ColumnElement[bool], attempts: ColumnElement[bool], *, now: datetime
) -> None:
    session.execute(
        move(DeliveryStatus.UNKNOWN, at=now, reason=CUT_OFF).where(
            deliveries, Delivery.status == DeliveryStatus.SENDING
        ),
        execution_options={"synchronize_session": False},
    )
    session.execute(
        update(Attempt)
        .where(attempts, Attempt.outcome.is_(None))
        .values(outcome=CUT_OFF, doubt=DOUBT_OPEN, taken=Attempt.recipients),
        execution_options={"synchronize_session": False},
    )


# The statements of the hot path, put together once.
_oldest = (
    select(Batch.id)
    .where(
        Batch.channel == bindparam("on_channel"),
        Batch.status == BatchStatus.READY,
        Batch.due_at <= bindparam("the_moment"),
        Batch.priority <= bindparam("at_least"),
    )
    .order_by(Batch.priority, Batch.due_at, Batch.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_TAKE = (
    update(Batch)
    .where(Batch.id == _oldest.scalar_subquery())
    .values(
        status=BatchStatus.CLAIMED,
        lease_owner=bindparam("the_owner"),
        lease_until=bindparam("until"),
        claims=Batch.claims + 1,
    )
    .returning(*Batch.__table__.columns)
)
_ours = update(Batch).where(
    Batch.id == bindparam("the_batch"),
    Batch.status == BatchStatus.CLAIMED,
    Batch.lease_owner == bindparam("the_owner"),
    Batch.claims == bindparam("the_number"),
)
_EXTEND = _ours.values(lease_until=bindparam("until"))
_FREE = _ours.values(status=bindparam("to"), lease_owner=None, lease_until=None)
_FREE_LATER = _ours.values(status=bindparam("to"), lease_owner=None, lease_until=None, due_at=bindparam("until"))


def _fence(claim: Claim) -> dict[str, object]:
    """Return what names a batch as claimed this time, and by us."""
    return {"the_batch": claim.batch_id, "the_owner": claim.owner, "the_number": claim.number}
