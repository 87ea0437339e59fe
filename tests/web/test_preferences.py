"""The preference centre: a look changes nothing, a form changes what it says, and a link opens one address only."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import time, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier.audiences.choices import Choices, choices_of
from notifier.audiences.models import ContactList, Subscription, SubscriptionChange, SubscriptionStatus, Suppression
from notifier.audiences.suppressions import suppress_address
from notifier.kit.db import Database
from notifier.kit.tokens import Keyring, Purpose
from notifier.tracking.models import RecipientRequest
from notifier.vocabulary import Channel, SuppressionReason
from tests.tracking.ledger import an_address
from tests.web.house import NOW, SigningProvider, client, parts

TOPIC = "online-blackmail"


def a_list(session: Session, name: str) -> int:
    row = ContactList(
        code=name.lower().replace(" ", "-"),
        name=name,
        region="AU-VIC",
        country="AU",
        readers="parents",
        lawful_basis="public_task",
        created_at=NOW,
        created_by="officer@example.org",
    )
    session.add(row)
    session.flush()
    return row.id


def a_subscription(session: Session, list_id: int, email: int | None, mobile: int | None) -> None:
    row = Subscription(
        list_id=list_id,
        row_key=f"{email}-{mobile}",
        role="parent",
        email_address_id=email,
        sms_address_id=mobile,
        status=SubscriptionStatus.ACTIVE,
        created_at=NOW,
        updated_at=NOW,
    )
    session.add(row)


@pytest.fixture
def people(database: Database) -> tuple[int, int]:
    """A mother's email and mobile, on the lists of two schools."""
    with database.transaction() as session:
        email = an_address(session, "maria@example.org", NOW)
        mobile = an_address(session, "+61491570006", NOW)
        a_subscription(session, a_list(session, "Northcote High"), email, mobile)
        a_subscription(session, a_list(session, "Preston Primary"), email, None)
    return email, mobile


@pytest.fixture
def door(database: Database, keyring: Keyring) -> Iterator[TestClient]:
    with client(parts(database, keyring)) as opened:
        yield opened


@pytest.fixture
def page(keyring: Keyring, people: tuple[int, int]) -> str:
    return f"/p/{keyring.seal(Purpose.PREFERENCES, people[0], 7)}"


def choices(database: Database, address_id: int) -> Choices:
    with database.reading() as session:
        return choices_of(session, address_id)


def logged(database: Database) -> int:
    with database.reading() as session:
        return session.scalars(select(func.count(SubscriptionChange.id))).one()


def form(**changes: object) -> dict[str, object]:
    return {"list": ["1", "2"], "topic": [TOPIC], "language": "", "pause": "none"} | changes


def test_the_page_says_which_address_and_why_without_giving_it_away(door: TestClient, page: str) -> None:
    text = door.get(page).text
    assert "m•••@example.org" in text
    assert "maria@example.org" not in text
    assert "570006" not in text
    assert "Northcote High" in text
    assert "public task" in text


def test_a_look_changes_nothing(door: TestClient, database: Database, page: str) -> None:
    for _ in range(3):
        assert door.get(page).status_code == 200
        assert door.head(page).status_code == 200
        for name in ("stop", "resume", "other", "data", "forget"):
            assert door.get(f"{page}/{name}").status_code in {404, 405}
    assert logged(database) == 0


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ({"language": "ar"}, {"language": "ar"}),
        ({"pause": "7"}, {"paused_until": NOW + timedelta(days=7)}),
        ({"quiet_from": "21:00", "quiet_until": "07:30"}, {"quiet_from": time(21), "quiet_until": time(7, 30)}),
        ({"topic": []}, {"declined": frozenset({TOPIC})}),
    ],
)
def test_a_form_changes_what_it_says_and_is_logged(
    door: TestClient,
    database: Database,
    people: tuple[int, int],
    page: str,
    fields: dict[str, object],
    changed: dict[str, object],
) -> None:
    answer = door.post(page, data=form(**fields))
    assert answer.status_code == 200
    assert 'role="status"' in answer.text
    found = choices(database, people[0])
    assert {name: getattr(found, name) for name in changed} == changed
    assert logged(database) == 1
    door.post(page, data=form(**fields) | ({"pause": "keep"} if "pause" in fields else {}))
    assert logged(database) == 1


def test_one_school_can_be_left_and_come_back_to(
    door: TestClient, database: Database, people: tuple[int, int], page: str
) -> None:
    door.post(page, data=form(list=["2"]))
    assert [one.wanted for one in choices(database, people[0]).lists] == [False, True]
    door.post(page, data=form())
    assert [one.wanted for one in choices(database, people[0]).lists] == [True, True]


def test_all_messages_can_be_stopped_and_taken_back(
    door: TestClient, database: Database, people: tuple[int, int], page: str
) -> None:
    door.post(f"{page}/stop")
    assert choices(database, people[0]).suppressed == "opt_out"
    assert "We do not write to this address" in door.get(page).text
    door.post(f"{page}/resume")
    assert choices(database, people[0]).suppressed is None


@pytest.mark.parametrize(
    "reason", [SuppressionReason.COMPLAINT, SuppressionReason.HARD_BOUNCE, SuppressionReason.MANUAL]
)
def test_only_ones_own_opt_out_can_be_taken_back(
    door: TestClient, database: Database, people: tuple[int, int], page: str, reason: SuppressionReason
) -> None:
    with database.transaction() as session:
        suppress_address(session, people[0], reason, source="t", actor="t", now=NOW)
    door.post(f"{page}/resume")
    assert choices(database, people[0]).suppressed == reason


def test_the_other_address_can_be_stopped_and_never_started(
    door: TestClient, database: Database, people: tuple[int, int], page: str
) -> None:
    door.post(f"{page}/other", data={"address": str(people[1])})
    assert choices(database, people[1]).suppressed == "opt_out"
    door.post(f"{page}/resume")
    assert choices(database, people[1]).suppressed == "opt_out"


def test_a_strangers_address_cannot_be_stopped(
    door: TestClient, database: Database, people: tuple[int, int], page: str
) -> None:
    with database.transaction() as session:
        stranger = an_address(session, "stranger@example.org", NOW)
    for address in (str(stranger), str(people[0]), "", "x", "1 OR 1=1"):
        door.post(f"{page}/other", data={"address": address})
    assert choices(database, stranger).suppressed is None
    assert choices(database, people[0]).suppressed is None


def test_data_and_deletion_are_asked_for_once_and_deletion_needs_a_yes(
    door: TestClient, database: Database, page: str
) -> None:
    door.post(f"{page}/forget")
    for _ in range(2):
        door.post(f"{page}/data")
        door.post(f"{page}/forget", data={"sure": "1"})
    with database.reading() as session:
        assert list(session.scalars(select(RecipientRequest.kind).order_by(RecipientRequest.id))) == ["data", "forget"]
        assert session.scalars(select(Suppression.reason)).one() == "opt_out"


@pytest.mark.parametrize("purpose", [Purpose.UNSUBSCRIBE, Purpose.DELIVERY, Purpose.CONFIRM])
def test_a_token_for_something_else_opens_nothing(
    door: TestClient, database: Database, keyring: Keyring, people: tuple[int, int], purpose: Purpose
) -> None:
    wrong = f"/p/{keyring.seal(purpose, people[0], 7)}"
    assert door.get(wrong).status_code == 404
    assert door.post(f"{wrong}/stop").status_code == 404
    assert choices(database, people[0]).suppressed is None


def test_an_erased_address_has_no_page(door: TestClient, keyring: Keyring) -> None:
    gone = f"/p/{keyring.seal(Purpose.PREFERENCES, 424242, 7)}"
    assert door.get(gone).status_code == 404
    assert door.post(f"{gone}/stop").status_code == 404


def test_too_many_changes_in_an_hour_are_refused_but_never_the_one_click(
    door: TestClient, database: Database, keyring: Keyring, people: tuple[int, int], page: str
) -> None:
    answers = [door.post(page, data=form()).status_code for _ in range(121)]
    assert answers[-2:] == [200, 429]
    assert door.post(f"/u/{keyring.seal(Purpose.UNSUBSCRIBE, people[0], 7)}").status_code == 200
    assert choices(database, people[0]).suppressed == "opt_out"


def test_a_confirmation_is_sent_if_wished(database: Database, keyring: Keyring, page: str) -> None:
    email = SigningProvider("sendgrid", Channel.EMAIL)
    with client(replace(parts(database, keyring), providers={"sendgrid": email})) as door:
        for _ in range(2):
            door.post(page, data=form(language="el", confirm="1"))
    [(message, envelope)] = email.sent
    assert envelope.destination == "maria@example.org"
    assert "Victoria Police" in message.text


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00\xff" * 100, b"a=1&" * 600, b"list=%00%FF&topic=%E2%28&language=" + b"x" * 9000, b"pause=999999999999"],
)
def test_a_hostile_form_is_no_trouble(door: TestClient, page: str, body: bytes) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert door.post(page, content=body, headers=headers).status_code in {200, 400}
    assert door.post(page, content=b"x" * 70_000, headers=headers).status_code == 413
