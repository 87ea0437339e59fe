"""Webhooks: genuine posts are stored before they are answered, everything else is refused in silence."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import orjson
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.types import Message

from notifier.kit.db import Database
from notifier.kit.tokens import Keyring, Purpose
from notifier.providers.base import Event
from notifier.tracking.models import ProviderEvent
from notifier.vocabulary import EventKind
from notifier.web.intake import PATIENCE_S, Busy, Intake
from notifier.web.metrics import WebMetrics
from notifier.web.parts import WebParts
from notifier.web.settings import WebSettings
from notifier.web.webhooks import Doors
from tests.web.house import NOW, SIGNED, SigningProvider, client, parts

DOORS = ["/webhooks/sendgrid/events", "/webhooks/twilio/status?ref=abc"]


@pytest.fixture
def web(database: Database, keyring: Keyring) -> WebParts:
    return parts(database, keyring, WebSettings(public_url="https://notify.example/", webhook_max_bytes=5000))


@pytest.fixture
def door(web: WebParts) -> Iterator[TestClient]:
    with client(web) as opened:
        yield opened


def stored(database: Database) -> list[tuple[str, str, str]]:
    with database.reading() as session:
        rows = session.execute(select(ProviderEvent.provider, ProviderEvent.event_id, ProviderEvent.kind))
        return sorted((row.provider, row.event_id, row.kind) for row in rows)


def some(*ids: str, kind: str = "delivered") -> bytes:
    return orjson.dumps([{"id": one, "kind": kind} for one in ids])


@pytest.mark.parametrize("path", DOORS)
def test_a_genuine_post_is_stored_before_it_is_answered(door: TestClient, database: Database, path: str) -> None:
    answer = door.post(path, content=some("a", "b"), headers=SIGNED)
    assert (answer.status_code, answer.content) == (204, b"")
    assert len(stored(database)) == 2


def test_a_repeated_post_is_answered_the_same_and_stored_once(door: TestClient, database: Database) -> None:
    answers = [door.post(DOORS[0], content=some("a"), headers=SIGNED).status_code for _ in range(3)]
    assert answers == [204, 204, 204]
    assert len(stored(database)) == 1


@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("headers", [{}, {"x-signature": "forged"}])
def test_a_post_that_is_not_signed_gets_a_silent_no(
    door: TestClient, database: Database, path: str, headers: dict[str, str]
) -> None:
    answer = door.post(path, content=some("a"), headers=headers)
    assert (answer.status_code, answer.content) == (403, b"")
    assert stored(database) == []


def test_a_body_over_the_limit_is_not_read(door: TestClient, database: Database) -> None:
    assert door.post(DOORS[0], content=b"x" * 5001, headers=SIGNED).status_code == 413
    chunked = (b"x" * 1000 for _ in range(6))
    assert door.post(DOORS[0], content=chunked, headers=SIGNED).status_code == 413
    assert stored(database) == []


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'[{"id": "a"}]', b"\xff\xfe", b'[{"id": "a", "kind": "?"}]'])
def test_a_genuine_post_that_cannot_be_read_is_kept_as_unknown_and_not_asked_for_again(
    door: TestClient, database: Database, body: bytes
) -> None:
    assert door.post(DOORS[0], content=body, headers=SIGNED).status_code == 204
    assert [kind for _, _, kind in stored(database)] == ["unknown"]


def test_the_signature_is_checked_against_the_public_address(door: TestClient, web: WebParts) -> None:
    door.post("/webhooks/twilio/status?ref=a%20b&x=", content=some("a"), headers=SIGNED | {"host": "evil.example"})
    provider = web.providers["twilio"]
    assert isinstance(provider, SigningProvider)
    assert provider.seen[0].url == "https://notify.example/webhooks/twilio/status?ref=a%20b&x="


def test_a_provider_that_is_not_configured_has_no_door(database: Database, keyring: Keyring) -> None:
    bare = replace(parts(database, keyring), providers={})
    with client(bare) as door:
        assert door.post(DOORS[0], content=some("a"), headers=SIGNED).status_code == 404


def test_the_reference_in_an_event_is_opened(door: TestClient, database: Database, keyring: Keyring) -> None:
    post = [{"id": "a", "kind": "delivered", "reference": keyring.seal(Purpose.DELIVERY, 42)}]
    door.post(DOORS[0], content=orjson.dumps(post), headers=SIGNED)
    with database.reading() as session:
        assert session.scalars(select(ProviderEvent.delivery_id)).one() == 42


def an_event(event_id: str) -> Event:
    return Event(provider="twilio", event_id=event_id, kind=EventKind.DELIVERED, occurred_at=NOW)


async def test_many_small_posts_cost_few_transactions(database: Database, keyring: Keyring) -> None:
    intake = Intake(database, keyring, lambda: NOW, events_per_commit=1000, waiting_max=1000)
    intake.start()
    await asyncio.gather(*[intake.store([an_event(str(one))]) for one in range(500)])
    await intake.stop()
    assert len(stored(database)) == 500
    assert intake.commits <= 5


async def test_what_a_person_asks_for_does_not_wait_behind_a_flood(database: Database, keyring: Keyring) -> None:
    done = threading.Event()

    def clock() -> datetime:
        # The writer of events looks at the clock before it writes, and here it is held up until the person is done.
        if "events" in threading.current_thread().name:
            done.wait()
        return NOW

    intake = Intake(database, keyring, clock, events_per_commit=10, waiting_max=1000)
    flood = [asyncio.ensure_future(intake.store([an_event(str(one))])) for one in range(200)]
    await asyncio.sleep(0)
    intake.start()
    try:
        assert await intake.act(lambda session, _now: session.scalar(select(func.count(ProviderEvent.id))) or 0) == 0
    finally:
        done.set()
    await asyncio.gather(*flood)
    await intake.stop()
    assert len(stored(database)) == 200


@pytest.mark.parametrize("kept_waiting_s", [0.05, 0.5])
async def test_events_let_a_person_through_but_do_not_wait_for_what_keeps_the_person_waiting(
    database: Database, keyring: Keyring, kept_waiting_s: float
) -> None:
    begun, seen = threading.Event(), []

    def clock() -> datetime:
        if "events" in threading.current_thread().name:
            begun.set()
        return NOW

    def act(_session: Session, _now: datetime) -> None:
        seen.append(begun.wait(kept_waiting_s))

    intake = Intake(database, keyring, clock, events_per_commit=10, waiting_max=10)
    intake.start()
    await asyncio.gather(intake.act(act), intake.store([an_event("a")]))
    await intake.stop()
    assert seen == [kept_waiting_s > PATIENCE_S]
    assert len(stored(database)) == 1


async def test_transactions_of_events_are_smaller_for_a_while_after_a_person_came(
    database: Database, keyring: Keyring
) -> None:
    async def commits() -> int:
        before = intake.commits
        posts = [intake.store([an_event(f"{before}-{post}-{number}") for number in range(300)]) for post in range(3)]
        await asyncio.gather(*posts)
        return intake.commits - before

    intake = Intake(database, keyring, lambda: NOW, events_per_commit=2000, waiting_max=10)
    intake.start()
    assert await commits() == 1
    await intake.act(lambda _session, _now: None)
    assert await commits() == 3
    await intake.stop()


async def test_a_post_is_not_even_read_while_a_person_is_served(web: WebParts) -> None:
    served, twilio = threading.Event(), web.providers["twilio"]
    assert isinstance(twilio, SigningProvider)

    async def body() -> Message:
        return {"type": "http.request", "body": some("a")}

    intake = Intake(web.database, web.keyring, web.clock, events_per_commit=10, waiting_max=10)
    intake.start()
    doors = Doors(web, intake, WebMetrics(web.database, web.clock))
    signed = [(name.encode(), value.encode()) for name, value in SIGNED.items()]
    request = Request({"type": "http", "path": "/webhooks/twilio/status", "query_string": b"", "headers": signed}, body)
    person = asyncio.ensure_future(intake.act(lambda _session, _now: served.wait(5.0)))
    await asyncio.sleep(0)
    post = asyncio.ensure_future(doors.take("twilio", request, doors.store))
    await asyncio.sleep(PATIENCE_S / 5)
    assert twilio.seen == []
    served.set()
    assert (await person, (await post).status_code, len(twilio.seen)) == (True, 204, 1)
    await intake.stop()


async def test_one_refused_act_undoes_nobody_elses(database: Database, keyring: Keyring) -> None:
    def refuse(_session: object, _now: datetime) -> None:
        raise ValueError("no")

    intake = Intake(database, keyring, lambda: NOW, events_per_commit=10, waiting_max=1000)
    both = [asyncio.ensure_future(intake.act(refuse)), asyncio.ensure_future(intake.store([an_event("a")]))]
    await asyncio.sleep(0)
    intake.start()
    refused, kept = await asyncio.gather(*both, return_exceptions=True)
    await intake.stop()
    assert isinstance(refused, ValueError)
    assert kept is None
    assert len(stored(database)) == 1


async def test_too_many_waiting_posts_are_sent_away(database: Database, keyring: Keyring) -> None:
    intake = Intake(database, keyring, lambda: NOW, events_per_commit=10, waiting_max=1)
    first = asyncio.ensure_future(intake.store([an_event("a")]))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await intake.store([an_event("b")])
    intake.start()
    await first
    await intake.stop()
