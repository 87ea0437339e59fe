"""The inbox: every event of a provider, stored once by the provider's own id, to be applied afterwards.

Storing decides nothing. A repeat is a no-op, an event we do not understand is kept and counted, and a reference that
was not made here is simply no reference. Never here: what an event means (apply.py), or whether it is genuine (the
provider's adapter has verified it before).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import orjson
from sqlalchemy.orm import Session

from notifier.kit.bulk import insert_new_rows, insert_plain_rows, moment_writer
from notifier.kit.tokens import Keyring, Purpose
from notifier.providers.base import Event
from notifier.tracking.models import PendingEvent, ProviderEvent
from notifier.vocabulary import EventKind

# A provider's clock may run a little ahead of ours; an event from much further in the future is dated on arrival.
_CLOCK_SKEW = timedelta(minutes=10)

_KEY = ("provider", "event_id")
_KEPT = (*_KEY, "kind", "delivery_id", "occurred_at", "received_at", "code", "detail", "raw")
_PENDING = ("provider", "kind", "delivery_id", "occurred_at", "received_at", "code", "destination")
_Row = tuple[object, ...]


class Ready(NamedTuple):
    """Events made ready to be stored: rows of the inbox, and for each what applying needs to know."""

    kept: Sequence[_Row]
    pending: Sequence[_Row]


def ready(events: Sequence[Event], *, keyring: Keyring, now: datetime, dialect: str) -> Ready:
    """Return events as rows. It takes as long as storing them, and nobody has to wait meanwhile."""
    rows = _rows(events, keyring, now, dialect)
    return Ready(rows, [_pending(row, event) for row, event in zip(rows, events, strict=True)])


def put_away(session: Session, made: Ready) -> int:
    """Store the events that are not known yet, and note them to be applied; return how many that were."""
    new = insert_new_rows(session, ProviderEvent, _KEPT, made.kept, key=_KEY)
    pending = made.pending if len(new) == len(made.kept) else [made.pending[place] for place in new]
    insert_plain_rows(session, PendingEvent, _PENDING, pending)
    return len(new)


def store(session: Session, events: Sequence[Event], *, keyring: Keyring, now: datetime) -> int:
    """Make events ready and put them away."""
    return put_away(session, ready(events, keyring=keyring, now=now, dialect=session.get_bind().dialect.name))


def remember(session: Session, event: Event, *, keyring: Keyring, now: datetime) -> bool:
    """Store an event that is acted on at once, by the caller; return whether it is new."""
    rows = _rows([event], keyring, now, session.get_bind().dialect.name)
    return len(insert_new_rows(session, ProviderEvent, _KEPT, rows, key=_KEY)) > 0


def only_proven(events: Sequence[Event], *, keyring: Keyring) -> list[Event]:
    """Return events read from mail, which nobody signs: without a reference of ours they mean nothing.

    A forged report must not suppress an address or hold a campaign; it is kept and counted as unknown.
    """
    return [
        event if delivery_id is not None else event._replace(kind=EventKind.UNKNOWN, destination=None)
        for event, delivery_id in zip(events, _deliveries(events, keyring), strict=True)
    ]


def _deliveries(events: Sequence[Event], keyring: Keyring) -> list[int | None]:
    return keyring.subjects(Purpose.DELIVERY, [event.reference or "" for event in events])


def _rows(events: Sequence[Event], keyring: Keyring, now: datetime, dialect: str) -> list[_Row]:
    """Return the events as plain rows: the hot path, so every value is made once and nothing is looked up twice."""
    write = moment_writer(dialect)
    latest, received_at, dumps, option = now + _CLOCK_SKEW, write(now), orjson.dumps, orjson.OPT_NON_STR_KEYS
    return [
        (
            provider,
            _clean(event_id, 200),
            kind.value,
            delivery_id,
            write(min(latest, occurred_at)),
            received_at,
            code and _clean(code, 60),
            detail and _clean(detail, 1000),
            dumps(raw, option=option).decode(),
        )
        for (provider, event_id, kind, occurred_at, _, _, _, code, detail, _, raw), delivery_id in zip(
            events, _deliveries(events, keyring), strict=True
        )
    ]


def _pending(row: _Row, event: Event) -> _Row:
    """Return what applying needs of a stored event; whom it is about by our own number, or else by the address."""
    provider, _, kind, delivery_id, occurred_at, received_at, code, _, _ = row
    named = delivery_id is None and event.destination
    return (provider, kind, delivery_id, occurred_at, received_at, code, _clean(named, 254) if named else None)


def _clean(text: str, length: int) -> str:
    # PostgreSQL cannot keep a NUL in a text, and a hostile post must not become a server error.
    return text.replace("\0", "")[:length]
