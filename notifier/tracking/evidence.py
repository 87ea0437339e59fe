"""What the events of a provider prove about a call that went unanswered. Nothing is decided here."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Executable, and_, case, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from notifier.delivery.doubt import Doubt
from notifier.delivery.models import Delivery
from notifier.kit.db import perform
from notifier.tracking.models import ProviderEvent, ProviderNews


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
    """Return when a provider last told of any message of ours, None if it never has; as of the last events applied."""
    return session.scalar(select(ProviderNews.heard_at).where(ProviderNews.provider == provider))


def note_news(session: Session, news: Iterable[tuple[str, datetime]]) -> None:
    """Remember when providers told of messages of ours."""
    for provider, heard_at in news:
        perform(session, _HEARD[session.get_bind().dialect.name], provider=provider, heard_at=heard_at)


def _heard(upsert: postgresql.Insert | sqlite.Insert) -> Executable:
    later = case(
        (ProviderNews.heard_at > upsert.excluded.heard_at, ProviderNews.heard_at), else_=upsert.excluded.heard_at
    )
    return upsert.on_conflict_do_update(index_elements=["provider"], set_={"heard_at": later})


_HEARD = {
    "postgresql": _heard(postgresql.insert(ProviderNews)),
    "sqlite": _heard(sqlite.insert(ProviderNews)),
}
