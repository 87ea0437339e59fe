"""Signing up: nothing counts before the address itself confirms, and nobody can be pestered with it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from notifier.audiences.models import Address, ContactList, Subscription, Suppression, TopicChoice
from notifier.audiences.suppressions import suppress_address
from notifier.kit.db import Database
from notifier.kit.tokens import Keyring
from notifier.tracking import signups
from notifier.tracking.models import SignUp
from notifier.vocabulary import Channel, SuppressionReason
from notifier.web.parts import WebParts
from tests.tracking.ledger import an_address
from tests.web.house import NOW, SigningProvider, client, parts
from tests.web.test_preferences import a_list

FORM = {
    "region": "AU-VIC",
    "email": "Maria@Example.org",
    "mobile": "",
    "language": "el",
    "topic": "online-blackmail",
    "agree": "1",
}


class House:
    """A running app with a clock that can be moved, and what it sent."""

    def __init__(self, of: WebParts) -> None:
        self.email = SigningProvider("sendgrid", Channel.EMAIL)
        self.sms = SigningProvider("twilio", Channel.SMS)
        self.now = NOW
        providers = {"sendgrid": self.email, "twilio": self.sms}
        self.door = client(replace(of, providers=providers, clock=self.clock))

    def clock(self) -> datetime:
        return self.now

    def link(self) -> str:
        """The path of the link in the last email."""
        message, _ = self.email.sent[-1]
        found = re.search(r"/s/\S+", message.text)
        assert found
        return found.group()

    def code(self) -> str:
        """The code in the last text message."""
        message, _ = self.sms.sent[-1]
        found = re.search(r"\d{6}", message.text)
        assert found
        return found.group()


@pytest.fixture
def house(database: Database, keyring: Keyring) -> Iterator[House]:
    opened = House(parts(database, keyring))
    with opened.door:
        yield opened


def members(database: Database) -> list[tuple[str, str, str | None]]:
    with database.reading() as session:
        rows = session.execute(
            select(ContactList.code, Address.value, Address.language)
            .join(Subscription, Subscription.list_id == ContactList.id)
            .join(Address, (Address.id == Subscription.email_address_id) | (Address.id == Subscription.sms_address_id))
            .order_by(Address.id)
        )
        return [(row.code, row.value, row.language) for row in rows]


def test_an_email_counts_only_after_its_owner_pressed_the_button(house: House, database: Database) -> None:
    assert "We have sent an email" in house.door.post("/subscribe", data=FORM).text
    for _ in range(3):
        assert "<form" in house.door.get(house.link()).text
        house.door.head(house.link())
    assert members(database) == []
    assert "confirmed" in house.door.post(house.link()).text
    assert members(database) == [("self-au-vic", "maria@example.org", "el")]
    # Pressed twice: the answer is the same, and nothing more happens. Much later the link is used up.
    assert "confirmed" in house.door.post(house.link()).text
    house.now = NOW + timedelta(hours=1)
    assert house.door.post(house.link()).status_code == 404
    assert len(members(database)) == 1


def test_a_mobile_number_is_confirmed_by_the_code_it_got(house: House, database: Database) -> None:
    page = house.door.post("/subscribe", data=FORM | {"email": "", "mobile": "0491 570 006"}).text
    found = re.search(r'action="(/s/[^?"]+)', page)
    assert found
    wrong = "000000" if house.code() != "000000" else "111111"
    assert "not the code" in house.door.post(found[1], data={"code": wrong}).text
    assert members(database) == []
    house.door.post(found[1], data={"code": f" {house.code()[:3]} {house.code()[3:]} "})
    assert members(database) == [("self-au-vic", "+61491570006", "el")]


def test_a_code_cannot_be_guessed(house: House, database: Database) -> None:
    page = house.door.post("/subscribe", data=FORM | {"email": "", "mobile": "0491570006"}).text
    found = re.search(r'action="(/s/[^?"]+)', page)
    assert found
    wrong = "000000" if house.code() != "000000" else "111111"
    assert [house.door.post(found[1], data={"code": wrong}).status_code for _ in range(6)] == [200] * 5 + [404]
    assert house.door.post(found[1], data={"code": house.code()}).status_code == 404
    assert members(database) == []


def test_a_wish_that_is_not_confirmed_expires_and_is_forgotten(house: House, database: Database) -> None:
    house.door.post("/subscribe", data=FORM)
    house.now = NOW + timedelta(days=3)
    assert house.door.get(house.link()).status_code == 404
    assert house.door.post(house.link()).status_code == 404
    with database.transaction() as session:
        assert signups.prune(session, now=house.now) == 1
        assert list(session.scalars(select(SignUp))) == []
    assert members(database) == []


def test_a_schools_page_puts_people_on_a_list_beside_the_schools_own(house: House, database: Database) -> None:
    with database.transaction() as session:
        a_list(session, "Northcote High")
    assert "Northcote High" in house.door.get("/subscribe?school=northcote-high").text
    house.door.post("/subscribe", data=FORM | {"school": "northcote-high"})
    house.door.post(house.link())
    assert [code for code, _, _ in members(database)] == ["self-northcote-high"]


def test_topics_that_were_not_chosen_are_declined(house: House, database: Database) -> None:
    assert house.door.post("/subscribe", data=FORM | {"topic": "other"}).text.count('class="error"') == 1
    house.door.post("/subscribe", data=FORM)
    house.door.post(house.link())
    with database.reading() as session:
        assert list(session.scalars(select(TopicChoice))) == []


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"region": "XX"}, "region"),
        ({"email": ""}, "address"),
        ({"email": "no-address"}, "email"),
        ({"mobile": "12345"}, "mobile"),
        ({"topic": ""}, "topic"),
        ({"agree": ""}, "agree"),
    ],
)
def test_what_is_missing_is_said_beside_its_field(house: House, fields: dict[str, str], name: str) -> None:
    data = {key: value for key, value in (FORM | fields).items() if value}
    answer = house.door.post("/subscribe", data=data).text
    assert f'id="{name}-error"' in answer
    assert house.email.sent == []


def test_one_address_is_asked_a_few_times_a_day_and_one_network_a_few_times_an_hour(house: House) -> None:
    answers = [house.door.post("/subscribe", data=FORM).status_code for _ in range(4)]
    assert answers == [200, 200, 200, 429]
    assert len(house.email.sent) == 3
    many = [
        house.door.post("/subscribe", data=FORM | {"email": f"p{one}@example.org"}).status_code for one in range(30)
    ]
    assert many[-1] == 429


@pytest.mark.parametrize(
    ("reason", "asked"),
    [(SuppressionReason.OPT_OUT, 1), (SuppressionReason.COMPLAINT, 0), (SuppressionReason.MANUAL, 0)],
)
def test_who_left_may_come_back_but_not_past_a_complaint_and_the_page_does_not_tell(
    house: House, database: Database, reason: SuppressionReason, asked: int
) -> None:
    with database.transaction() as session:
        address = an_address(session, "maria@example.org", NOW)
        suppress_address(session, address, reason, source="t", actor="t", now=NOW)
    assert "We have sent an email" in house.door.post("/subscribe", data=FORM).text
    assert len(house.email.sent) == asked
    if asked:
        house.door.post(house.link())
    with database.reading() as session:
        assert len(list(session.scalars(select(Suppression)))) == 1 - asked


@pytest.mark.parametrize("body", [b"", b"\xff\x00" * 50, b"region=AU-VIC&email=%00%ff&mobile=%E2%28", b"&" * 2000])
def test_a_hostile_form_is_no_trouble(house: House, database: Database, body: bytes) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert house.door.post("/subscribe", content=body, headers=headers).status_code in {200, 400}
    assert house.door.post("/subscribe", content=b"x" * 70_000, headers=headers).status_code == 413
    with database.reading() as session:
        assert list(session.scalars(select(SignUp))) == []
