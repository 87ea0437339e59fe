"""The inbox: every event of a provider, stored once by the provider's own id, to be applied afterwards.

Storing decides nothing. A repeat is a no-op, an event we do not understand is kept and counted, and a reference that
was not made here is simply no reference. Never here: what an event means (apply.py), or whether it is genuine (the
provider's adapter has verified it before).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from notifier.kit.tokens import Keyring, Purpose
from notifier.providers.base import Event
from notifier.tracking.models import ProviderEvent
from notifier.vocabulary import EventKind

_TABLE = ProviderEvent.__table__
assert isinstance(_TABLE, Table)  # noqa: S101 - tells the type checker what a mapped class always has

# PostgreSQL's form of the statement is also SQLite's: ON CONFLICT DO NOTHING means the same in both.
_INSERT_ONCE = insert(_TABLE).on_conflict_do_nothing().inline()

# A provider's clock may run a little ahead of ours; an event from much further in the future is dated on arrival.
_CLOCK_SKEW = timedelta(minutes=10)


def store(session: Session, events: Sequence[Event], *, keyring: Keyring, now: datetime) -> int:
    """Store the events that are not known yet; return how many that were."""
    if not events:
        return 0
    deliveries = _deliveries(events, keyring)
    rows = [_row(event, delivery_id, now) for event, delivery_id in zip(events, deliveries, strict=True)]
    return session.connection().execute(_INSERT_ONCE, rows, execution_options={"preserve_rowcount": True}).rowcount


def remember(session: Session, event: Event, *, keyring: Keyring, now: datetime) -> bool:
    """Store an event that is acted on at once, by the caller; return whether it is new."""
    row = _row(event, _deliveries([event], keyring)[0], now) | {"applied": True, "destination": None}
    stored = session.connection().execute(_INSERT_ONCE, [row], execution_options={"preserve_rowcount": True})
    return stored.rowcount > 0


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


def _row(event: Event, delivery_id: int | None, now: datetime) -> dict[str, object]:
    return {
        "provider": event.provider,
        "event_id": _clean(event.event_id)[:200],
        "kind": event.kind,
        "delivery_id": delivery_id,
        "destination": None
        if delivery_id is not None or event.destination is None
        else _clean(event.destination)[:254],
        "occurred_at": min(event.occurred_at, now + _CLOCK_SKEW),
        "received_at": now,
        "code": None if event.code is None else _clean(event.code)[:60],
        "detail": None if event.detail is None else _clean(event.detail)[:1000],
        "raw": event.raw,
        "applied": False,
    }


def _clean(text: str) -> str:
    # PostgreSQL cannot keep a NUL in a text, and a hostile post must not become a server error.
    return text.replace("\0", "")
