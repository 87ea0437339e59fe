"""The inbox: every event of a provider, stored once by the provider's own id, to be applied afterwards.

Storing decides nothing. A repeat is a no-op, an event we do not understand is kept and counted, and a reference that
was not made here is simply no reference. Never here: what an event means (apply.py), or whether it is genuine (the
provider's adapter has verified it before).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import orjson
from sqlalchemy.orm import Session

from notifier.kit.db import insert_new_rows, moment_text
from notifier.kit.tokens import Keyring, Purpose
from notifier.providers.base import Event
from notifier.tracking.models import ProviderEvent
from notifier.vocabulary import EventKind

# A provider's clock may run a little ahead of ours; an event from much further in the future is dated on arrival.
_CLOCK_SKEW = timedelta(minutes=10)

_COLUMNS = (
    "provider",
    "event_id",
    "kind",
    "delivery_id",
    "destination",
    "occurred_at",
    "received_at",
    "code",
    "detail",
    "raw",
    "applied",
)


def store(session: Session, events: Sequence[Event], *, keyring: Keyring, now: datetime) -> int:
    """Store the events that are not known yet; return how many that were."""
    return insert_new_rows(session, ProviderEvent, _COLUMNS, _rows(events, keyring, now, applied=False))


def remember(session: Session, event: Event, *, keyring: Keyring, now: datetime) -> bool:
    """Store an event that is acted on at once, by the caller; return whether it is new."""
    return insert_new_rows(session, ProviderEvent, _COLUMNS, _rows([event], keyring, now, applied=True)) > 0


def only_proven(events: Sequence[Event], *, keyring: Keyring) -> list[Event]:
    """Return events read from mail, which nobody signs: without a reference of ours they mean nothing.

    A forged report must not suppress an address or hold a campaign; it is kept and counted as unknown.
    """
    return [
        event if delivery_id is not None else replace(event, kind=EventKind.UNKNOWN, destination=None)
        for event, delivery_id in zip(events, _deliveries(events, keyring), strict=True)
    ]


def _deliveries(events: Sequence[Event], keyring: Keyring) -> list[int | None]:
    opened = keyring.open_many(Purpose.DELIVERY, [event.reference or "" for event in events])
    return [None if found is None else found.subject for found in opened]


def _rows(events: Sequence[Event], keyring: Keyring, now: datetime, *, applied: bool) -> list[tuple[object, ...]]:
    """Return the events as plain rows: the hot path, so every value is made once and nothing is looked up twice."""
    latest, received_at, dumps = now + _CLOCK_SKEW, moment_text(now), orjson.dumps
    return [
        (
            event.provider,
            _clean(event.event_id, 200),
            event.kind.value,
            delivery_id,
            None if applied or delivery_id is not None or not event.destination else _clean(event.destination, 254),
            moment_text(min(event.occurred_at, latest)),
            received_at,
            None if event.code is None else _clean(event.code, 60),
            None if event.detail is None else _clean(event.detail, 1000),
            dumps(event.raw, option=orjson.OPT_NON_STR_KEYS).decode(),
            applied,
        )
        for event, delivery_id in zip(events, _deliveries(events, keyring), strict=True)
    ]


def _clean(text: str, length: int) -> str:
    # PostgreSQL cannot keep a NUL in a text, and a hostile post must not become a server error.
    return text.replace("\0", "")[:length]
