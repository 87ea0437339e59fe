"""Each event is stored once, whatever it says and however often it comes."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from notifier.kit.db import Database
from notifier.kit.tokens import Keyring, Purpose
from notifier.providers.base import Event
from notifier.tracking.inbox import store
from notifier.tracking.models import PendingEvent, ProviderEvent
from notifier.vocabulary import EventKind

MOMENT = datetime.fromisoformat("2026-11-23T08:59:00Z")


def an_event(event_id: str = "e1", **changes: Any) -> Event:  # noqa: ANN401 - any field of an event
    event = Event(provider="sendgrid", event_id=event_id, kind=EventKind.DELIVERED, occurred_at=MOMENT)
    return event._replace(**changes)


def test_an_event_is_stored_once_however_often_it_comes(database: Database, keyring: Keyring, now: datetime) -> None:
    with database.transaction() as session:
        assert store(session, [an_event(), an_event(), an_event("e2")], keyring=keyring, now=now) == 2
    with database.transaction() as session:
        assert store(session, [an_event("e2"), an_event("e3")], keyring=keyring, now=now) == 1


def test_the_same_id_from_another_provider_is_another_event(
    database: Database, keyring: Keyring, now: datetime
) -> None:
    with database.transaction() as session:
        assert store(session, [an_event(), an_event(provider="twilio")], keyring=keyring, now=now) == 2


def test_our_reference_names_the_delivery_and_hides_the_address(
    database: Database, keyring: Keyring, now: datetime
) -> None:
    ours = keyring.seal(Purpose.DELIVERY, 77)
    events = [
        an_event("known", reference=ours, destination="parent@example.org"),
        an_event("forged", reference=ours[:-1] + ("A" if ours[-1] != "A" else "B"), destination="parent@example.org"),
        an_event("other", reference=keyring.seal(Purpose.UNSUBSCRIBE, 77)),
    ]
    with database.transaction() as session:
        store(session, events, keyring=keyring, now=now)
        kept = session.execute(select(ProviderEvent.event_id, ProviderEvent.delivery_id)).all()
        waiting = session.execute(select(PendingEvent.delivery_ids, PendingEvent.destination)).all()
        assert {tuple(row) for row in kept} == {("known", 77), ("forged", None), ("other", None)}
        assert sorted(map(str, waiting)) == ["(None, 'parent@example.org')", "(None, None)", "([77], None)"]


def test_what_is_told_alike_waits_together(database: Database, keyring: Keyring, now: datetime) -> None:
    references = keyring.seal_many(Purpose.DELIVERY, range(1, 1_203))
    later = MOMENT + timedelta(seconds=1)
    alike = [an_event(f"e{place}", reference=reference) for place, reference in enumerate(references)]
    others = [
        an_event("f1", reference=references[0], occurred_at=later),
        an_event("f2", reference=references[1], kind=EventKind.HARD_BOUNCED, code="5.1.1"),
        an_event("f3", reference=references[2], kind=EventKind.HARD_BOUNCED, code="5.4.4"),
    ]
    with database.transaction() as session:
        store(session, [*alike, *others], keyring=keyring, now=now)
        # The same post once more, with one event that is new.
        store(session, [*alike, an_event("g", reference=references[3])], keyring=keyring, now=now)
        lines = session.execute(select(PendingEvent.number, PendingEvent.delivery_ids).order_by(PendingEvent.id)).all()
    assert [number for number, _ in lines] == [500, 500, 202, 1, 1, 1, 1]
    named = [line.delivery_ids or [] for line in lines]
    assert named[3:] == [[1], [2], [3], [4]]
    assert [one for some in named[:3] for one in some] == list(range(1, 1_203))


def test_an_event_with_hostile_text_is_kept(database: Database, keyring: Keyring, now: datetime) -> None:
    event = an_event("a\0b" * 200, code="c\0" * 60, detail="d\0" * 5000, raw={"x": "\0", "n": [1, {"y": None}]})
    with database.transaction() as session:
        assert store(session, [event], keyring=keyring, now=now) == 1


def test_an_event_from_the_future_is_dated_on_arrival(database: Database, keyring: Keyring, now: datetime) -> None:
    with database.transaction() as session:
        store(session, [an_event(occurred_at=now + timedelta(days=900))], keyring=keyring, now=now)
        assert session.scalars(select(ProviderEvent.occurred_at)).one() <= now + timedelta(minutes=10)


def test_no_events_are_no_trouble(database: Database, keyring: Keyring, now: datetime) -> None:
    with database.transaction() as session:
        assert store(session, [], keyring=keyring, now=now) == 0
