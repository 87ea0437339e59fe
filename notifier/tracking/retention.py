"""Forgetting what providers and people told us, when its clock runs out; in small steps, called by the scheduler.

What an event meant stays on its delivery as a status and a moment; a message somebody wrote goes only after a person
has read it. The consent log is no log in this sense: it proves what people chose, and is kept.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from notifier.audiences.retention import prune_uploads
from notifier.delivery.retention import prune_addresses, prune_content
from notifier.tracking import allowances, signups
from notifier.tracking.models import InboundMessage, PendingEvent, ProviderEvent


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    """`[retention]`: how long what is kept, in days.

    `addresses_days`: addresses and names on the deliveries of a campaign, from its end. `content_days`: its rendered
    messages. `events_days`: what providers told, with their own words. `messages_days`: what people wrote, once read.
    `uploads_days`: the rows of a list's last upload, with what was said about each. `step_rows`: how many rows one step
    takes away at most.
    """

    addresses_days: int = 90
    content_days: int = 400
    events_days: int = 30
    messages_days: int = 180
    uploads_days: int = 30
    step_rows: int = 5_000


def prune(session: Session, settings: RetentionSettings, *, now: datetime) -> int:
    """Take one small step of every kind of forgetting; return how much there was. 0 means: nothing is due."""
    steps = (
        prune_events(session, before=now - timedelta(days=settings.events_days), limit=settings.step_rows),
        prune_messages(session, before=now - timedelta(days=settings.messages_days), limit=settings.step_rows),
        prune_uploads(session, before=now - timedelta(days=settings.uploads_days), limit=settings.step_rows),
        prune_addresses(session, before=now - timedelta(days=settings.addresses_days), now=now),
        prune_content(session, before=now - timedelta(days=settings.content_days), now=now),
        signups.prune(session, now=now),
        allowances.prune(session, now=now),
    )
    return sum(steps)


def prune_events(session: Session, *, before: datetime, limit: int) -> int:
    """Take away the oldest events that arrived before a moment, once all from before it are applied; say how many."""
    waiting = select(PendingEvent.received_at).order_by(PendingEvent.id).limit(1)
    first = session.scalar(waiting)
    if first is not None and first < before:
        return 0
    # Ids follow arrival, so the oldest are at the beginning, and one look there says whether any is due.
    oldest = select(ProviderEvent.id).order_by(ProviderEvent.id).limit(limit).subquery()
    gone = delete(ProviderEvent).where(ProviderEvent.id.in_(select(oldest.c.id)), ProviderEvent.received_at < before)
    return session.connection().execute(gone).rowcount


def prune_messages(session: Session, *, before: datetime, limit: int) -> int:
    """Take away messages of people that somebody read before a moment; return how many."""
    due = select(InboundMessage.id).where(InboundMessage.read_at < before).limit(limit)
    return session.connection().execute(delete(InboundMessage).where(InboundMessage.id.in_(due))).rowcount
