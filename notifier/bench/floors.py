"""The floors of the email path: the rows of a plan, and its hand-over, with nothing that is ours to decide.

They use the drivers as they are. The hand-over claims a batch, reads it, marks it `sending` with an attempt, posts the
same JSON for its recipients over connections that stay open, and marks it `accepted` in the transaction that claims the
next: one transaction per request, the fewest that keep the promise that nobody is written to twice.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import orjson
from sqlalchemy import func, insert, select, text

from notifier.bench.copies import table_like
from notifier.bench.figures import Meter, Spent
from notifier.bench.ground import house
from notifier.delivery.models import Delivery, Variant
from notifier.delivery.variants import message
from notifier.kit.db import Database
from notifier.providers.base import BULK_HEADERS
from notifier.vocabulary import Channel, EmailMessage, PersonalField

_ACCEPTED = 202
_CLAIM = (
    "UPDATE batches SET status = 'claimed' WHERE id = (SELECT id FROM batches WHERE status = 'ready' AND channel = "
    "'email' ORDER BY priority, due_at, id LIMIT 1{lock}) RETURNING id, variant_id, campaign_id"
)
_READ = "SELECT id, address_id, destination, given_name, list_ids FROM deliveries WHERE batch_id = ? AND status = ?"
_INTEND = (
    "INSERT INTO attempts (batch_id, campaign_id, provider, recipients, started_at) VALUES (?, ?, 'floor', ?, ?) "
    "RETURNING id"
)
_SENDING = "UPDATE deliveries SET status = 'sending', attempt_id = ? WHERE batch_id = ? AND status = 'queued'"
_TAKEN = "UPDATE deliveries SET status = 'accepted', accepted_at = ? WHERE batch_id = ? AND status = 'sending'"
_DONE = "UPDATE batches SET status = 'done' WHERE id = ?"
_CLOSED = "UPDATE attempts SET outcome = 'accepted', duration_ms = 1, provider_message_id = ? WHERE id = ?"


def plan_floor(environment: Mapping[str, str], slice_rows: int) -> Spent:
    """Copy every delivery, in slices, into a table of the same columns and indexes: what writing the plan takes."""
    with house(environment) as opened:
        copied = table_like(opened.database, Delivery.__tablename__)
        with opened.database.transaction() as session:
            session.execute(text("ANALYZE"))
        columns = [column.name for column in Delivery.__table__.columns]
        rows = select(*[Delivery.__table__.c[name] for name in columns]).order_by(Delivery.id)
        with opened.database.reading() as session:
            last = session.scalar(select(func.max(Delivery.id))) or 0
        with Meter() as meter:
            for after in range(0, last, slice_rows):
                part = rows.where(Delivery.id > after, Delivery.id <= after + slice_rows)
                with opened.database.repeatable_transaction() as session:
                    session.execute(insert(copied).from_select(columns, part))
        return meter.spent


def hand_over_floor(environment: Mapping[str, str], threads: int) -> Spent:
    """Hand over every batch that is ready."""
    with house(environment) as opened:
        opened.settle()
        address = urlsplit(opened.settings.sendgrid.base_url)
        headers = {
            "Authorization": f"Bearer {opened.settings.sendgrid.api_key}",
            "Content-Type": "application/json",
        }
        with opened.database.reading() as session:
            texts = {
                variant_id: message(content, Channel.EMAIL)
                for variant_id, content in session.execute(select(Variant.id, Variant.content))
            }
        bodies = {number: _body(one) for number, one in texts.items() if isinstance(one, EmailMessage)}
        trouble: queue.Queue[BaseException] = queue.Queue()

        def work() -> None:
            try:
                connection = HTTPConnection(address.hostname or "", address.port, timeout=60)
                claimed = _claim(opened.database)
                while claimed is not None:
                    claimed = _one_batch(opened.database, claimed, bodies, connection, headers)
                connection.close()
            except BaseException as failed:  # noqa: BLE001 - raised again by the thread that waits
                trouble.put(failed)

        with Meter() as meter:
            workers = [threading.Thread(target=work) for _ in range(threads)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        if not trouble.empty():
            raise trouble.get()
        return meter.spent


Body = Callable[[list[tuple[Any, ...]]], bytes]


# A batch that is ours, its variant, the attempt that says so, and its rows.
Claimed = tuple[int, int, int, list[tuple[Any, ...]]]


def _claim(database: Database) -> Claimed | None:
    with _statements(database) as run:
        return _begin(run, database)


def _begin(run: Callable[..., Any], database: Database) -> Claimed | None:
    """Claim a batch, read it and mark it `sending`."""
    claimed = run(_CLAIM.format(lock="" if database.is_sqlite else " FOR UPDATE SKIP LOCKED")).fetchone()
    if claimed is None:
        return None
    batch_id, variant_id, campaign_id = claimed
    rows = run(_READ, batch_id, "queued").fetchall()
    now = datetime.now(UTC).isoformat(" ")
    attempt_id = run(_INTEND, batch_id, campaign_id, len(rows), now).fetchone()[0]
    run(_SENDING, attempt_id, batch_id)
    return batch_id, variant_id, attempt_id, rows


def _one_batch(
    database: Database,
    claimed: Claimed,
    bodies: Mapping[int, Body],
    connection: HTTPConnection,
    headers: Any,  # noqa: ANN401 - what http.client takes
) -> Claimed | None:
    """Post a batch, mark it `accepted` and claim the next in the same transaction."""
    batch_id, variant_id, attempt_id, rows = claimed
    connection.request("POST", "/v3/mail/send", bodies[variant_id](rows), headers)
    answer = connection.getresponse()
    answer.read()
    if answer.status != _ACCEPTED:
        raise RuntimeError(f"the sink answered {answer.status}")
    with _statements(database) as run:
        run(_TAKEN, datetime.now(UTC).isoformat(" "), batch_id)
        run(_DONE, batch_id)
        run(_CLOSED, answer.headers["X-Message-Id"], attempt_id)
        return _begin(run, database)


@contextmanager
def _statements(database: Database) -> Iterator[Callable[..., Any]]:
    """Give a way to run plain SQL on the driver in one transaction."""
    with database.engine.begin() as connection:
        cursor = connection.connection.cursor()
        sign = "?" if database.is_sqlite else "%s"

        def run(statement: str, *values: object) -> Any:  # noqa: ANN401 - the driver's cursor
            cursor.execute(statement.replace("?", sign), values)
            return cursor

        yield run
        cursor.close()


def _body(told: EmailMessage) -> Body:
    """Return what makes the JSON of a request: as long as ours, with values that took no thought."""
    tag = "0123456789abcdefghijklm"
    leave = {"List-Unsubscribe": f"<http://127.0.0.1:54321/u/{tag}>", "List-Unsubscribe-Post": "One-Click"}
    fixed: dict[str, str] = {
        mark: tag if mark.startswith(f"%%{PersonalField.TOKEN}") else " (School Number 7)" for mark in told.markers
    }
    names = [mark for mark in told.markers if mark.startswith(f"%%{PersonalField.GIVEN_NAME}")]
    rest: dict[str, Any] = {
        "from": {"email": told.sender, "name": told.sender_name},
        "subject": told.subject,
        "content": [{"type": "text/plain", "value": told.text}, {"type": "text/html", "value": told.html}],
        "headers": BULK_HEADERS | dict(told.headers),
    }

    def body(rows: list[tuple[Any, ...]]) -> bytes:
        people = [
            {
                "to": [{"email": row[2]}],
                "custom_args": {"notifier_delivery": f"{row[0]:023}"},
                "substitutions": fixed | dict.fromkeys(names, str(row[3] or "")),
                "headers": leave,
            }
            for row in rows
        ]
        return orjson.dumps({"personalizations": people, **rest})

    return body
