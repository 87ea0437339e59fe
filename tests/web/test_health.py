"""Health: alive, ready in words, and figures for a monitor."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

from notifier.campaigns.models import Campaign
from notifier.delivery.models import Attempt, Batch, Delivery
from notifier.kit.db import Base, Database
from notifier.kit.tokens import Keyring
from notifier.reports.state import silent_providers, state_at
from notifier.tracking.models import PendingEvent, ProviderNews
from tests.web.house import NOW, SIGNED, client, parts


@pytest.fixture
def door(database: Database, keyring: Keyring) -> Iterator[TestClient]:
    with client(parts(database, keyring)) as opened:
        yield opened


def add(database: Database, *rows: Base) -> None:
    with database.transaction() as session:
        session.add_all(rows)


def a_batch(age: timedelta) -> Batch:
    return Batch(
        campaign_id=1,
        wave_id=1,
        variant_id=1,
        channel="email",
        priority=10,
        due_at=NOW - age,
        size=40,
        status="ready",
    )


def a_campaign(status: str, reason: str | None) -> Campaign:
    return Campaign(
        code=f"C{status}",
        advisory="say-no",
        readers="parents",
        topic="online-blackmail",
        audience="all",
        channels="email",
        schedule={},
        options={},
        accepted=[],
        urgent=False,
        status=status,
        status_reason=reason,
        created_by="o@example.org",
        created_at=NOW,
    )


def test_a_running_process_is_alive_and_ready(door: TestClient) -> None:
    assert door.get("/healthz").json() == {"status": "alive"}
    answer = door.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "problems": []})


def test_what_is_wrong_is_said_in_words(door: TestClient, database: Database) -> None:
    late = PendingEvent(provider="sendgrid", kind="delivered", occurred_at=NOW, received_at=NOW - timedelta(hours=1))
    add(database, a_batch(timedelta(hours=2)), late, a_campaign("held", "SendGrid refuses the key."))
    answer = door.get("/readyz")
    assert answer.status_code == 503
    assert [problem.split()[0:2] for problem in answer.json()["problems"]] == [
        ["Campaign", "1"],
        ["A", "batch"],
        ["1", "provider"],
    ]


def test_a_database_without_tables_is_said_in_words(keyring: Keyring) -> None:
    empty = Database("sqlite://")
    with client(parts(empty, keyring)) as door:
        answer = door.get("/readyz")
    empty.close()
    assert answer.status_code == 503
    assert "notifier init" in answer.json()["problems"][0]


def test_metrics_tell_the_queue_the_inbox_and_the_posts(door: TestClient, database: Database) -> None:
    attempt = Attempt(
        batch_id=1,
        campaign_id=1,
        provider="sendgrid",
        recipients=40,
        taken=40,
        started_at=NOW,
        duration_ms=250,
        outcome="accepted",
    )
    add(database, a_batch(timedelta(minutes=2)), attempt, a_campaign("sending", None))
    door.post("/webhooks/sendgrid/events", content=b'[{"id": "a", "kind": "delivered"}]', headers=SIGNED)
    door.post("/webhooks/sendgrid/events", content=b"[]")
    lines = door.get("/metrics").text.splitlines()
    for line in (
        'notifier_queue_deliveries{channel="email",status="ready"} 40.0',
        "notifier_oldest_due_batch_seconds 120.0",
        'notifier_provider_recipients{channel="email",outcome="accepted",provider="sendgrid"} 40.0',
        'notifier_provider_messages_taken{channel="email",outcome="accepted",provider="sendgrid"} 40.0',
        'notifier_provider_call_seconds{channel="email",outcome="accepted",provider="sendgrid"} 0.25',
        'notifier_campaigns{status="sending"} 1.0',
        'notifier_campaigns{status="held"} 0.0',
        "notifier_inbox_pending 1.0",
        'notifier_webhook_events_total{kind="delivered",provider="sendgrid"} 1.0',
        'notifier_webhook_posts_total{provider="sendgrid",status="403"} 1.0',
    ):
        assert line in lines


def test_what_has_been_unknown_for_long_is_said_in_words_and_counted(door: TestClient, database: Database) -> None:
    long_ago = NOW - timedelta(hours=3)
    attempt = Attempt(
        id=9, batch_id=1, campaign_id=1, provider="sendgrid", recipients=2, started_at=long_ago, outcome="cut_off",
        doubt="open",
    )  # fmt: skip
    known = Delivery(**_delivery(1), status="delivered", attempt_id=9)
    unknown = Delivery(**_delivery(2), status="unknown", attempt_id=9)
    add(database, attempt, known, unknown)
    (problem,) = door.get("/readyz").json()["problems"]
    assert problem.startswith("1 deliveries by sendgrid are unknown, the oldest for 10800 s; no event of it came.")
    assert "what became of campaign 1, and say so" in problem
    lines = door.get("/metrics").text.splitlines()
    assert 'notifier_deliveries_unknown{provider="sendgrid"} 1.0' in lines
    assert 'notifier_oldest_doubt_seconds{provider="sendgrid"} 10800.0' in lines


def _delivery(address_id: int) -> dict[str, Any]:
    return {
        "campaign_id": 1,
        "wave_id": 1,
        "batch_id": 1,
        "channel": "email",
        "address_id": address_id,
        "list_ids": "1",
        "wanted_language": "",
        "region": "AU-VIC",
    }


def test_a_queue_that_moves_is_no_trouble_however_long_it_is(door: TestClient, database: Database) -> None:
    moving = Attempt(batch_id=1, campaign_id=1, provider="smtp", recipients=1, started_at=NOW, outcome="accepted")
    add(database, a_batch(timedelta(hours=2)), moving)
    assert door.get("/readyz").json() == {"ready": True, "problems": []}


def test_a_provider_that_takes_and_never_tells_is_said_in_words(door: TestClient, database: Database) -> None:
    long_ago = NOW - timedelta(minutes=20)
    taken = Attempt(
        batch_id=1, campaign_id=1, provider="sendgrid", recipients=1, started_at=long_ago, outcome="accepted"
    )
    add(database, taken)
    (problem,) = door.get("/readyz").json()["problems"]
    assert problem.startswith("No event has come from sendgrid since before")
    add(database, ProviderNews(provider="sendgrid", heard_at=NOW))
    assert door.get("/readyz").json()["problems"] == []


def test_a_scrape_reads_nothing_that_grows_with_what_has_been_sent(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    asked: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def _note(_c: object, cursor: Any, statement: str, parameters: Any, _x: object, _m: object) -> None:  # noqa: ANN401
        if statement.startswith("SELECT"):
            plan = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            asked.extend(row[3] for row in plan)

    with database.reading() as session:
        state_at(session, NOW)
        silent_providers(session, ["sendgrid", "twilio"], now=NOW, silence_s=900)
    database.close()
    growing = "attempts|deliveries|provider_events|batches"
    scans = [step for step in asked if re.match(rf"SCAN ({growing})\b", step)]
    # The newest call of all is the end of the table, which is read backwards until the first row.
    scans.remove("SCAN attempts")
    allowed = r"USING (COVERING )?INDEX ix_(attempts_(doubt|uncounted|in_flight))"
    assert [step for step in scans if not re.search(allowed, step)] == []
