"""The inbox: every event of a provider, stored once by the provider's own id, to be applied afterwards.

Storing decides nothing. A repeat is a no-op, an event we do not understand is kept and counted, and a reference that
was not made here is simply no reference. Never here: what an event means (apply.py), or whether it is genuine (the
provider's adapter has verified it before).
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
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
_PENDING = ("provider", "kind", "occurred_at", "received_at", "code", "delivery_ids", "destination", "number")
# A line of what is pending names so many deliveries at most, so that a portion of it can be kept small.
TOGETHER = 500
_Row = tuple[object, ...]


class Ready(NamedTuple):
    """Events made ready to be stored: rows of the inbox, the address each names, and what applying needs to know."""

    kept: Sequence[_Row]
    destinations: Sequence[str | None]
    pending: Sequence[_Row]


def ready(events: Sequence[Event], *, keyring: Keyring, now: datetime, dialect: str) -> Ready:
    """Return events as rows. It takes as long as storing them, and nobody has to wait meanwhile."""
    rows, destinations = _rows(events, keyring, now, dialect), [event.destination for event in events]
    return Ready(rows, destinations, _pending(rows, destinations))


def put_away(session: Session, made: Ready) -> int:
    """Store the events that are not known yet, and note them to be applied; return how many that were."""
    new = insert_new_rows(session, ProviderEvent, _KEPT, made.kept, key=_KEY)
    pending = made.pending
    if len(new) < len(made.kept):
        pending = _pending([made.kept[place] for place in new], [made.destinations[place] for place in new])
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
    write, clean = moment_writer(dialect), _clean
    latest, received_at, dumps, option = now + _CLOCK_SKEW, write(now), orjson.dumps, orjson.OPT_NON_STR_KEYS
    moments = {moment: write(min(latest, moment)) for moment in {event[3] for event in events}}
    word = str.__str__
    return [
        (
            provider,
            clean(event_id, 200),
            word(kind),
            delivery_id,
            moments[occurred_at],
            received_at,
            code and clean(code, 60),
            detail and clean(detail, 1000),
            dumps(raw, option=option).decode(),
        )
        for (provider, event_id, kind, occurred_at, _, _, _, code, detail, _, raw), delivery_id in zip(
            events, _deliveries(events, keyring), strict=True
        )
    ]


def _pending(rows: Sequence[_Row], destinations: Sequence[str | None]) -> list[_Row]:
    """Return what applying needs of stored events: a line for all deliveries that were told the same at one moment.

    Whom an event is about is said by our own number, or else by the address.
    """
    told: dict[_Row, list[object]] = defaultdict(list)
    unnamed: list[_Row] = []
    for (provider, _, kind, delivery_id, occurred_at, received_at, code, _, _), named in zip(
        rows, destinations, strict=True
    ):
        if delivery_id is not None:
            told[provider, kind, occurred_at, received_at, code].append(delivery_id)
        else:
            address = _clean(named, 254) if named else None
            unnamed.append((provider, kind, occurred_at, received_at, code, None, address, 1))
    return [*_lines(told), *unnamed]


def _lines(told: dict[_Row, list[object]]) -> Iterator[_Row]:
    for what, delivery_ids in told.items():
        for start in range(0, len(delivery_ids), TOGETHER):
            some = delivery_ids[start : start + TOGETHER]
            yield (*what, orjson.dumps(some).decode(), None, len(some))


def _clean(text: str, length: int) -> str:
    # PostgreSQL cannot keep a NUL in a text, and a hostile post must not become a server error.
    return text.replace("\0", "")[:length] if "\0" in text or len(text) > length else text
