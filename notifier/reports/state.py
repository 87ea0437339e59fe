"""How the house is doing at this moment: the queue, the inbox, the campaigns that are held.

Every question is answered from an index or from kept totals and looks at what is open only, never at what has been, so
that a monitor may ask every few seconds whatever the ledger's size.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import Session

from notifier.campaigns.models import Campaign
from notifier.delivery import calls
from notifier.delivery.batches import BatchStatus
from notifier.delivery.calls import CallLine
from notifier.delivery.models import Attempt, Batch, Delivery
from notifier.delivery.queue import DOUBT_OPEN
from notifier.delivery.status import DeliveryStatus
from notifier.tracking.evidence import last_heard
from notifier.tracking.models import InboundMessage, PendingEvent
from notifier.vocabulary import Channel

# So many doubts of a provider are looked at to name their campaigns.
_NAMED_DOUBTS = 100

_OPEN = (BatchStatus.READY, BatchStatus.CLAIMED, BatchStatus.PAUSED)


@dataclass(frozen=True, slots=True)
class QueueLine:
    """The batches of one channel and status, and the deliveries in them."""

    channel: str
    status: str
    batches: int
    deliveries: int


@dataclass(frozen=True, slots=True)
class DoubtLine:
    """What nobody knows about one provider: calls in doubt, deliveries unknown, and when it was last heard of.

    `campaigns` names those the oldest of its doubts belong to.
    """

    provider: str
    calls: int
    deliveries: int
    oldest_s: float
    last_heard: datetime | None
    campaigns: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class State:
    """The figures of one moment; durations in seconds."""

    queue: tuple[QueueLine, ...]
    campaigns: dict[str, int]
    calls: tuple[CallLine, ...]
    oldest_due_s: float
    inbox_pending: int
    inbox_oldest_s: float
    unread: int
    idle_s: float | None = None
    doubts: tuple[DoubtLine, ...] = ()


def state_at(session: Session, now: datetime) -> State:
    """Ask everything."""
    pending, oldest = session.execute(
        select(func.coalesce(func.sum(PendingEvent.number), 0), func.min(PendingEvent.received_at))
    ).one()
    return State(
        queue=tuple(
            QueueLine(row.channel, row.status, row.batches, row.deliveries) for row in session.execute(_queue())
        ),
        campaigns={row.status: row.number for row in session.execute(_campaigns())},
        calls=tuple(calls.lines(session)),
        oldest_due_s=_age(session.scalar(_oldest_due(now)), now),
        inbox_pending=pending,
        inbox_oldest_s=_age(oldest, now),
        idle_s=_idle(session, now),
        doubts=tuple(_doubts(session, now)),
        unread=session.scalar(select(func.count()).where(InboundMessage.read_at.is_(None))) or 0,
    )


def held_campaigns(session: Session) -> list[tuple[int, str]]:
    """Return the campaigns that wait for a person, with the reason."""
    rows = session.execute(
        select(Campaign.id, Campaign.status_reason).where(Campaign.status == "held").order_by(Campaign.id)
    )
    return [(campaign_id, reason or "no reason given") for campaign_id, reason in rows]


def _queue() -> Select[*tuple[Any, ...]]:
    deliveries = func.coalesce(func.sum(Batch.size), 0).label("deliveries")
    return (
        select(Batch.channel, Batch.status, func.count().label("batches"), deliveries)
        .where(*_open_batches())
        .group_by(Batch.channel, Batch.status)
    )


def _open_batches(*statuses: BatchStatus) -> tuple[ColumnElement[bool], ...]:
    """Name the batches that are still to be worked on, in the words of the queue's index."""
    return Batch.channel.in_(list(Channel)), Batch.status.in_(statuses or _OPEN)


def _campaigns() -> Select[*tuple[Any, ...]]:
    return select(Campaign.status, func.count().label("number")).group_by(Campaign.status)


def _doubts(session: Session, now: datetime) -> Iterator[DoubtLine]:
    """Count what is unknown, by way of the few calls in doubt."""
    unknown = and_(
        Delivery.batch_id == Attempt.batch_id,
        Delivery.attempt_id == Attempt.id,
        Delivery.status == DeliveryStatus.UNKNOWN,
    )
    # Not the bare column: SQLite would walk through the index of all calls by provider, to have them in order.
    provider = func.coalesce(Attempt.provider, "")
    rows = session.execute(
        select(provider, func.count(Attempt.id.distinct()), func.count(Delivery.id), func.min(Attempt.started_at))
        .outerjoin(Delivery, unknown)
        .where(Attempt.doubt == DOUBT_OPEN)
        .group_by(provider)
    )
    for name, in_doubt, deliveries, oldest in rows.all():
        campaigns = _in_doubt(session, name)
        yield DoubtLine(name, in_doubt, deliveries, _age(oldest, now), last_heard(session, name), campaigns)


def _in_doubt(session: Session, provider: str) -> tuple[int, ...]:
    """Return the campaigns of a provider's oldest doubts."""
    oldest = (
        select(Attempt.campaign_id)
        .where(Attempt.doubt == DOUBT_OPEN, func.coalesce(Attempt.provider, "") == provider)
        .order_by(Attempt.id)
        .limit(_NAMED_DOUBTS)
    )
    return tuple(sorted(set(session.scalars(oldest))))


def silent_providers(
    session: Session, providers: Collection[str], *, now: datetime, silence_s: float
) -> list[tuple[str, datetime]]:
    """Return the providers that took messages at a moment, more than `silence_s` ago, and have told nothing since."""
    found = []
    for provider in sorted(providers):
        taken_at = session.scalar(
            select(Attempt.started_at)
            .where(
                Attempt.provider == provider,
                Attempt.outcome.in_(["accepted", "partly"]),
                Attempt.started_at < now - timedelta(seconds=silence_s),
            )
            .order_by(Attempt.id.desc())
            .limit(1)
        )
        if taken_at is None:
            continue
        heard = last_heard(session, provider)
        if heard is None or heard < taken_at:
            found.append((provider, taken_at))
    return found


def _idle(session: Session, now: datetime) -> float | None:
    """Return how long ago the newest call to a provider began, None if there has been none."""
    newest = session.scalar(select(Attempt.started_at).order_by(Attempt.id.desc()).limit(1))
    return None if newest is None else _age(newest, now)


def _oldest_due(now: datetime) -> Select[*tuple[Any, ...]]:
    return select(func.min(Batch.due_at)).where(*_open_batches(BatchStatus.READY), Batch.due_at <= now)


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max((now - since).total_seconds(), 0.0)
