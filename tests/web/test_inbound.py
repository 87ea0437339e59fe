"""What people write: a keyword is obeyed and answered in their language, anything else is kept for people."""

from collections.abc import Iterator

import orjson
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from notifier.audiences.models import Suppression
from notifier.kit.db import Database
from notifier.kit.tokens import Keyring, Purpose, address_key
from notifier.tracking.models import InboundMessage, PendingEvent, ProviderEvent
from tests.tracking.ledger import SECRET, a_delivery, an_address, the_delivery
from tests.web.house import NOW, SIGNED, client, parts

NUMBER = "+61491570006"
TEXTS = "/webhooks/twilio/inbound"
MAIL = "/webhooks/sendgrid/inbound"


@pytest.fixture
def door(database: Database, keyring: Keyring) -> Iterator[TestClient]:
    with client(parts(database, keyring)) as opened:
        yield opened


def write(door: TestClient, text: str, event_id: str = "m1", **fields: str) -> str:
    post = [{"id": event_id, "kind": "replied", "from": NUMBER, "text": text} | fields]
    answer = door.post(TEXTS, content=orjson.dumps(post), headers=SIGNED)
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/xml")
    return answer.text


def suppressed(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(Suppression.reason)))


def kept(database: Database) -> list[tuple[str, str]]:
    with database.reading() as session:
        return [(row.channel, row.text) for row in session.scalars(select(InboundMessage))]


def test_stop_is_obeyed_and_confirmed(door: TestClient, database: Database) -> None:
    with database.transaction() as session:
        delivery = a_delivery(session, an_address(session, NUMBER, NOW), channel="sms", status="delivered")
    assert "Victoria Police: you will get no more text messages" in write(door, "Stop!")
    assert suppressed(database) == ["opt_out"]
    with database.reading() as session:
        assert the_delivery(session, delivery).opted_out_at == NOW


def test_stop_from_a_number_no_list_knows_counts_for_the_future(door: TestClient, database: Database) -> None:
    write(door, "STOP")
    with database.reading() as session:
        assert session.scalars(select(Suppression.address_key)).one() == address_key(SECRET, "sms", NUMBER)


def test_start_brings_back_who_left_by_stop(door: TestClient, database: Database) -> None:
    with database.transaction() as session:
        an_address(session, NUMBER, NOW)
    write(door, "stop", "m1")
    assert "again" in write(door, "start", "m2")
    assert suppressed(database) == []


def test_a_repeat_of_an_old_stop_does_not_undo_a_start(door: TestClient, database: Database) -> None:
    with database.transaction() as session:
        an_address(session, NUMBER, NOW)
    for text, event_id in (("stop", "m1"), ("start", "m2"), ("stop", "m1")):
        write(door, text, event_id)
    assert suppressed(database) == []


@pytest.mark.parametrize(("kind", "code", "left"), [("opted_out", "STOP", ["opt_out"]), ("replied", "HELP", [])])
def test_where_twilio_has_answered_we_do_not(
    door: TestClient, database: Database, kind: str, code: str, left: list[str]
) -> None:
    assert "<Message>" not in write(door, code, kind=kind, code=code)
    assert suppressed(database) == left
    assert kept(database) == []


def test_help_says_who_we_are_and_how_to_stop(door: TestClient) -> None:
    answer = write(door, "HELP")
    assert "Victoria Police" in answer
    assert "STOP" in answer
    assert "https://notify.example/v" in answer


def test_anything_else_is_kept_once_for_people_and_not_answered(door: TestClient, database: Database) -> None:
    for _ in range(2):
        assert "<Message>" not in write(door, "please stop sending me <this>")
    assert kept(database) == [("sms", "please stop sending me <this>")]
    assert suppressed(database) == []


def test_a_mail_is_kept_and_never_obeyed(door: TestClient, database: Database) -> None:
    post = [{"id": "1", "kind": "replied", "from": "p@example.org", "text": "stop"}]
    assert door.post(MAIL, content=orjson.dumps(post), headers=SIGNED).status_code == 204
    assert kept(database) == [("email", "stop")]
    assert suppressed(database) == []


def test_a_report_by_mail_counts_only_with_our_own_reference(
    door: TestClient, database: Database, keyring: Keyring
) -> None:
    post = [
        {"id": "1", "kind": "hard_bounced", "from": "p@example.org"},
        {"id": "2", "kind": "account_trouble", "reference": "forged"},
        {"id": "3", "kind": "hard_bounced", "reference": keyring.seal(Purpose.DELIVERY, 5)},
    ]
    door.post(MAIL, content=orjson.dumps(post), headers=SIGNED)
    with database.reading() as session:
        rows = session.execute(select(PendingEvent.kind, PendingEvent.delivery_ids, PendingEvent.destination))
        assert sorted(tuple(row) for row in rows if row.delivery_ids is None) == [("unknown", None, None)] * 2
        rows = session.execute(select(ProviderEvent.event_id, ProviderEvent.kind))
        assert {tuple(row) for row in rows} == {("1", "unknown"), ("2", "unknown"), ("3", "hard_bounced")}


def test_an_unsigned_text_message_is_refused(door: TestClient, database: Database) -> None:
    answer = door.post(TEXTS, content=b'[{"id": "1", "kind": "replied", "text": "stop"}]')
    assert (answer.status_code, answer.content) == (403, b"")
    assert suppressed(database) == []
