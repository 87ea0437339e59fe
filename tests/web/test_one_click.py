"""One-click unsubscribe: POST takes an address out at once, nothing else does anything."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from notifier.audiences.models import Address, SubscriptionChange, Suppression
from notifier.delivery.models import Delivery
from notifier.kit.db import Database
from notifier.kit.errors import NotFound
from notifier.kit.tokens import Keyring, Purpose
from notifier.tracking.models import Allowance
from notifier.web.intake import Intake
from tests.tracking.ledger import a_delivery, a_variant, an_address, the_delivery
from tests.web.house import NOW, client, parts

BODY = "List-Unsubscribe=One-Click"


@pytest.fixture
def door(database: Database, keyring: Keyring) -> Iterator[TestClient]:
    with client(parts(database, keyring)) as opened:
        yield opened


@pytest.fixture
def delivery(database: Database) -> int:
    with database.transaction() as session:
        return a_delivery(session, an_address(session, "parent@example.org", NOW), campaign_id=7)


@pytest.fixture
def token(database: Database, keyring: Keyring, delivery: int) -> str:
    with database.reading() as session:
        return keyring.seal(Purpose.UNSUBSCRIBE, the_delivery(session, delivery).address_id, 7)


def reasons(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(select(Suppression.reason)))


def test_a_post_takes_the_address_out_at_once_and_again(
    door: TestClient, database: Database, delivery: int, token: str
) -> None:
    for _ in range(3):
        answer = door.post(f"/u/{token}", content=BODY, headers={"content-type": "application/x-www-form-urlencoded"})
        assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
        assert "location" not in answer.headers
    assert reasons(database) == ["opt_out"]
    with database.reading() as session:
        assert the_delivery(session, delivery).opted_out_at == NOW


def test_a_click_outranks_a_bounce_and_leaves_an_erasure_standing(
    door: TestClient, database: Database, token: str
) -> None:
    for before, after in (("hard_bounce", "opt_out"), ("complaint", "opt_out"), ("erased", "erased")):
        with database.transaction() as session:
            key = session.scalars(select(Address.key)).one()
            session.execute(delete(Suppression))
            session.add(Suppression(address_key=key, channel="email", reason=before, source="test", created_at=NOW))
        assert door.post(f"/u/{token}", content=BODY).status_code == 200
        assert reasons(database) == [after]
    with database.reading() as session:
        changes = select(SubscriptionChange.old, SubscriptionChange.new).order_by(SubscriptionChange.id)
        assert [tuple(row) for row in session.execute(changes)] == [
            ("suppressed:hard_bounce", "suppressed:opt_out"),
            ("suppressed:complaint", "suppressed:opt_out"),
        ]


@pytest.mark.parametrize(("chosen", "shown"), [("ar", "ar"), (None, "el"), ("", "el")])
def test_the_answer_is_in_the_language_chosen_or_else_of_the_last_message(
    door: TestClient, database: Database, token: str, delivery: int, chosen: str | None, shown: str
) -> None:
    with database.transaction() as session:
        variant_id = a_variant(session, 7, "el", NOW)
        session.execute(update(Delivery).where(Delivery.id == delivery).values(variant_id=variant_id))
        session.execute(update(Address).values(language=chosen))
    assert door.post(f"/u/{token}", content=BODY).headers["content-language"] == shown


def test_clicks_that_come_together_share_a_transaction_and_one_that_fails_spoils_no_other(
    database: Database, keyring: Keyring
) -> None:
    def leave(session: Session, now: datetime) -> None:
        session.execute(insert(Allowance).values(scope=b"x" * 16, window=int(now.timestamp()), used=1))

    def fail(session: Session, now: datetime) -> None:
        leave(session, now)
        raise NotFound("nobody")

    async def together(*verbs: Callable[[Session, datetime], None]) -> list[BaseException | None]:
        intake = Intake(database, keyring, lambda: NOW, events_per_commit=10, waiting_max=10)
        waiting = [asyncio.ensure_future(intake.act(verb)) for verb in verbs]
        await asyncio.sleep(0)
        intake.start()
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        await intake.stop()
        return ends

    assert [type(end) for end in asyncio.run(together(fail))] == [NotFound]
    assert [type(end) for end in asyncio.run(together(fail, leave))] == [NotFound, type(None)]
    with database.reading() as session:
        assert len(session.scalars(select(Allowance.used)).all()) == 1


def test_the_form_data_encoding_works_too(door: TestClient, database: Database, token: str) -> None:
    assert door.post(f"/u/{token}", files={"List-Unsubscribe": (None, "One-Click")}).status_code == 200
    assert reasons(database) == ["opt_out"]


def test_get_and_head_change_nothing(door: TestClient, database: Database, token: str) -> None:
    for _ in range(3):
        assert 'method="post"' in door.get(f"/u/{token}").text
        assert door.head(f"/u/{token}").status_code == 200
    assert reasons(database) == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token_for_something_else_opens_nothing(
    door: TestClient, database: Database, keyring: Keyring, method: str, token: str
) -> None:
    wrong = [
        keyring.seal(Purpose.PREFERENCES, 1, 7),
        keyring.seal(Purpose.DELIVERY, 1),
        token[:-1],
        token + "A",
        "x" * 23,
        "%00",
    ]
    answers = {(door.request(method, f"/u/{bad}").status_code, door.request(method, f"/u/{bad}").text) for bad in wrong}
    assert len(answers) == 1
    assert answers.pop()[0] == 404
    assert reasons(database) == []


def test_a_token_of_an_erased_address_is_answered_like_any_other(
    door: TestClient, database: Database, keyring: Keyring, token: str
) -> None:
    gone = door.post(f"/u/{keyring.seal(Purpose.UNSUBSCRIBE, 12345, 7)}", content=BODY)
    assert (gone.status_code, gone.text) == (200, door.post(f"/u/{token}", content=BODY).text)
    assert reasons(database) == ["opt_out"]


def test_the_address_fits_the_header(keyring: Keyring) -> None:
    longest = f"https://notify.police.vic.gov.au.example/u/{keyring.seal(Purpose.UNSUBSCRIBE, 2**47, 2**31)}"
    assert len(f"<{longest}>") <= 77


def test_every_answer_carries_the_safe_headers(door: TestClient, token: str) -> None:
    for answer in (door.get(f"/u/{token}"), door.post(f"/u/{token}"), door.get("/healthz"), door.get("/nothing/here")):
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers
