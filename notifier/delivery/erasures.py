"""What providers are asked to erase: a row for every question, until they have taken it.

The row is written in the transaction that erases a person here, so that a provider that cannot be reached neither stops
that nor is forgotten. It holds the address only as long as it has to be asked for. Nothing here
talks to a provider: the scheduler's duty does, and the command that erases a person.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from notifier.delivery.models import Attempt, Delivery, ProviderErasure
from notifier.providers.base import ErasedBy

_FIRST_WAIT = timedelta(minutes=10)
_LONGEST_WAIT = timedelta(days=1)
_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class Question:
    """One thing a provider is asked to erase."""

    id: int
    provider: str
    subject: str
    tries: int


def note(
    session: Session,
    addresses: Sequence[tuple[int | None, str]],
    *,
    erasing: Mapping[str, ErasedBy],
    in_use: Collection[str],
    now: datetime,
) -> list[int]:
    """Write down what has to be asked of whom about addresses (id and value); return the ids of the rows.

    `erasing` are the providers that can be asked, and what they erase by; `in_use` those that messages go by now. A
    provider is asked if it is in use, since letters and codes outside campaigns leave no delivery behind, or was ever
    handed a message of the address.
    """
    ids = [address_id for address_id, _ in addresses if address_id is not None]
    handed_to = select(Attempt.provider).where(
        Attempt.batch_id.in_(select(Delivery.batch_id).where(Delivery.address_id.in_(ids)))
    )
    asked = {*in_use, *session.scalars(handed_to.distinct())}
    wanted = [
        (name, value) for name, by in erasing.items() if name in asked for _, value in addresses if by.takes(value)
    ]
    if not wanted:
        return []
    rows = [
        {"provider": name, "subject": subject, "asked_at": now, "tries": 0, "next_at": now} for name, subject in wanted
    ]
    return list(session.scalars(insert(ProviderErasure).returning(ProviderErasure.id), rows))


def due(session: Session, *, now: datetime, limit: int = 100) -> list[Question]:
    """Return what has to be asked now, the oldest first."""
    rows = session.execute(
        select(ProviderErasure.id, ProviderErasure.provider, ProviderErasure.subject, ProviderErasure.tries)
        .where(ProviderErasure.done_at.is_(None), ProviderErasure.next_at <= now)
        .order_by(ProviderErasure.id)
        .limit(limit)
    )
    return [Question(number, provider, subject or "", tries) for number, provider, subject, tries in rows]


def taken(session: Session, question: Question, *, now: datetime) -> None:
    """Note that the provider took it; what it was about is forgotten here too."""
    session.execute(
        update(ProviderErasure)
        .where(ProviderErasure.id == question.id)
        .values(done_at=now, subject=None, last_error=None, tries=question.tries + 1)
    )


def failed(session: Session, question: Question, why: str, *, now: datetime) -> None:
    """Note why it did not work, and when it is asked again: after ten minutes first, at last once a day, for ever."""
    wait = min(_FIRST_WAIT * 2 ** min(question.tries, _DOUBLINGS), _LONGEST_WAIT)
    session.execute(
        update(ProviderErasure)
        .where(ProviderErasure.id == question.id, ProviderErasure.done_at.is_(None))
        .values(tries=question.tries + 1, last_error=why, next_at=now + wait)
    )


def rows(session: Session, ids: Iterable[int] | None = None) -> list[ProviderErasure]:
    """Return the rows of these ids, or every one that no provider has taken yet."""
    chosen = ProviderErasure.done_at.is_(None) if ids is None else ProviderErasure.id.in_(list(ids))
    return list(session.scalars(select(ProviderErasure).where(chosen).order_by(ProviderErasure.id)))
