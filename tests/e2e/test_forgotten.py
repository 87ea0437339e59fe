"""Who is forgotten is nowhere any more: every column of every table is read, and every file of the outbox."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import MetaData, select, update
from sqlalchemy.orm import Session

from notifier.audiences.models import Address, ContactList, ListChoice, TopicChoice
from notifier.bootstrap import House
from notifier.config import load
from notifier.delivery.models import Attempt, Delivery, ProviderErasure
from notifier.kit.db import Database
from notifier.kit.tokens import Purpose
from notifier.providers.base import Event
from notifier.tracking import apply, inbound, inbox, requests, signups
from notifier.tracking.models import ProviderEvent
from notifier.vocabulary import Channel, EventKind
from tests.e2e.conftest import Office
from tests.tracking.ledger import a_batch, a_campaign, a_delivery, a_wave

OFFICER = ("--as", "officer@police.example")
EMAIL, MOBILE = "zebedee.q@example.org", "+61491570156"
# The same person, a stranger to this list but with the same name, and somebody with whom the phone is shared.
PARENTS = (
    "id,First name,Last name,Email,Mobile\n"
    "7,Zebedee,Quillfeather,Zebedee.Q@Example.org,0491 570 156\n"
    "8,Maria,Harris,maria@example.org,0491 570 006\n"
)
# Every way the person's name, address and number can be written; digits are looked for without what stands between.
TRACES = re.compile(r"zebedee|quillfeather|zebedee\.q(@|%40)example\.org", flags=re.IGNORECASE)
DIGITS = "491570156"


def everything(database: Database) -> Iterator[tuple[str, str]]:
    """Give every cell of every table there is, as text."""
    found = MetaData()
    found.reflect(database.engine)
    with database.engine.connect() as connection:
        for table in found.sorted_tables:
            for row in connection.execute(select(table)).mappings():
                for name, value in row.items():
                    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                    yield f"{table.name}.{name}", text


def traces(database: Database) -> set[tuple[str, str]]:
    return {
        (place, text)
        for place, text in everything(database)
        if TRACES.search(text) or DIGITS in re.sub(r"\D", "", re.sub(r"\d{4}-\d\d-\d\d[ T][\d:.]+", "", text))
    }


@pytest.fixture
def opened(office: Office, tmp_path: Path) -> Iterator[House]:
    """The installation, with providers that write files, so that all of them can be asked to erase."""
    office.environment |= {
        "NOTIFIER_PROVIDERS_EMAIL": "outbox",
        "NOTIFIER_PROVIDERS_SMS": "outbox",
        "NOTIFIER_OUTBOX_FOLDER": str(tmp_path / "outbox"),
    }
    made = House(load(Path(), {"NOTIFIER_HOME": str(office.home), **office.environment}))
    yield made
    made.close()


def told(session: Session, opened: House, now: datetime, deliveries: list[int]) -> None:
    """Let providers and people tell about the person in every way there is."""
    references = [opened.keyring.seal(Purpose.DELIVERY, one) for one in deliveries]

    def event(number: int, kind: EventKind, **more: object) -> Event:
        return Event("sendgrid", f"e{number}", kind, now, **more)  # type: ignore[arg-type]

    events = [
        event(1, EventKind.DELIVERED, reference=references[0], destination=EMAIL, raw={"email": EMAIL}),
        event(2, EventKind.SOFT_BOUNCED, reference=references[0], detail=f"451 <{EMAIL}> is busy", raw={"to": EMAIL}),
        event(3, EventKind.UNKNOWN, destination="Zebedee.Q@Example.org", raw={"email": "Zebedee.Q@Example.org"}),
        event(4, EventKind.UNKNOWN, raw={"body": "From=%2B61491570156&Body=Zebedee"}),
        event(5, EventKind.DELIVERED, reference=references[1], destination=MOBILE, raw={"To": MOBILE}),
    ]
    inbox.store(session, events, keyring=opened.keyring, now=now)
    apply.apply_pending(session, address_secret=opened.address_secret, now=now)
    for number, words in enumerate(("STOP", "START", "I am Zebedee Quillfeather, who are you?")):
        text = Event(
            "twilio", f"i{number}", EventKind.REPLIED, now, destination=MOBILE, text=words, raw={"From": MOBILE}
        )
        secret = opened.address_secret
        inbound.hear_text(session, text, address_secret=secret, keyring=opened.keyring, now=now)
    for number, sender, words in (
        (1, EMAIL, "It is me, Zebedee"),
        (2, "maria@example.org", "Write to zebedee.q@EXAMPLE.org or 0491 570 156, (+61) 491-570-156, 0061491570156."),
    ):
        mail = Event("mail", f"m{number}", EventKind.REPLIED, now, destination=sender, detail="Re: you", text=words)
        inbound.hear_mail(session, mail, address_secret=opened.address_secret, keyring=opened.keyring, now=now)


def a_life(office: Office, opened: House, folder: Path) -> list[int]:
    """Let one parent leave traces in every table that can hold one; return their deliveries."""
    (folder / "parents.csv").write_text(PARENTS, encoding="utf-8")
    create = ("--name", "North", "--region", "AU-VIC", "--basis", "public_task")
    office.run("lists", "create", "north", *create, *OFFICER)
    office.run("lists", "import", "north", str(folder / "parents.csv"), *OFFICER, "--apply")
    now = datetime.now(UTC) - timedelta(minutes=1)
    with opened.database.transaction() as session:
        ids = dict(session.execute(select(Address.value, Address.id)).all())
        list_id = session.scalars(select(ContactList.id)).one()
        campaign = a_campaign(session, now, approved_at=now)
        wave = a_wave(session, campaign, now)
        batch = a_batch(session, campaign, 1, now, wave_id=wave, status="done")
        attempt = Attempt(batch_id=batch, campaign_id=campaign, provider="outbox", recipients=1, started_at=now)
        attempt.detail = f"550 <{EMAIL}>: no such user Zebedee"
        session.add(attempt)
        deliveries = [
            a_delivery(
                session, ids[value], destination=value, given_name=name, campaign_id=campaign, wave_id=wave,
                batch_id=batch, list_ids=str(list_id), status="accepted", accepted_at=now,
                channel="email" if "@" in value else "sms",
            )
            for value, name in ((EMAIL, "Zebedee"), (MOBILE, "Zebedee"), ("maria@example.org", "Maria"))
        ]  # fmt: skip
        session.execute(update(Delivery).where(Delivery.id.in_(deliveries)).values(batch_id=batch))
        session.add(TopicChoice(address_id=ids[EMAIL], topic="sextortion", wanted=False, changed_at=now))
        session.add(ListChoice(address_id=ids[EMAIL], list_id=list_id, wanted=True, changed_at=now))
        requests.ask(session, ids[EMAIL], requests.RequestKind.FORGET, now=now)
        for channel, value in ((Channel.EMAIL, EMAIL), (Channel.SMS, MOBILE)):
            signups.ask_to_confirm(session, opened.address_secret, channel, value, {"language": "en"}, now=now)
        told(session, opened, now, deliveries)
    office.run("suppressions", "add", EMAIL, "--note", "Mr Quillfeather rang", *OFFICER)
    office.run("suppressions", "lift", EMAIL, "--why", "Zebedee rang again", *OFFICER)
    (folder / "outbox").mkdir()
    (folder / "outbox" / "notice.txt").write_text(f"From: +61480000000\nTo: {MOBILE}\n\nYour code is 123456\n")
    (folder / "outbox" / "a.eml").write_bytes(f"Subject: x\r\nTo: {EMAIL}\r\n\r\nDear Zebedee".encode())
    (folder / "outbox" / "b.eml").write_bytes(b"Subject: x\r\nTo: maria@example.org\r\n\r\nDear Maria")
    return deliveries


@pytest.mark.parametrize("typed", [EMAIL, "0491 570 156"])
def test_nothing_of_a_forgotten_person_is_left_anywhere_and_the_counts_stay(
    office: Office, opened: House, tmp_path: Path, typed: str
) -> None:
    deliveries = a_life(office, opened, tmp_path)
    assert len({place for place, _ in traces(opened.database)}) > 15
    before = office.json("campaigns", "report", "1")
    told = office.json("recipients", "forget", typed, "--country", "AU", *OFFICER)
    assert told["providers"] == [
        {"provider": "outbox", "by": "any_address", "asked": 2, "taken": 2, "errors": []},
    ]
    assert traces(opened.database) == set()
    assert [file.name for file in (tmp_path / "outbox").iterdir()] == ["b.eml"]
    after = office.json("campaigns", "report", "1")
    assert {**after, "made_at": ""} == {**before, "made_at": ""}
    # What providers tell of them later is applied, and its words are not kept.
    with opened.database.transaction() as session:
        reference = opened.keyring.seal(Purpose.DELIVERY, deliveries[0])
        late = Event(
            "sendgrid", "late", EventKind.COMPLAINED, datetime.now(UTC), reference, EMAIL, raw={"email": EMAIL}
        )
        inbox.store(session, [late], keyring=opened.keyring, now=datetime.now(UTC))
        apply.apply_pending(session, address_secret=opened.address_secret, now=datetime.now(UTC))
        assert session.get_one(Delivery, deliveries[0]).complained_at is not None
    assert traces(opened.database) == set()


def test_who_shares_a_phone_keeps_it_without_the_name_of_who_has_gone(
    office: Office, opened: House, tmp_path: Path
) -> None:
    deliveries = a_life(office, opened, tmp_path)
    more = PARENTS.replace(
        "8,Maria,Harris,maria@example.org,0491 570 006", "8,Maria,Harris,maria@example.org,0491 570 156"
    )
    (tmp_path / "parents.csv").write_text(more, encoding="utf-8")
    office.run("lists", "import", "north", str(tmp_path / "parents.csv"), *OFFICER, "--apply")
    office.run("recipients", "forget", EMAIL, *OFFICER)
    with opened.database.reading() as session:
        shared = session.get_one(Delivery, deliveries[1])
        assert (shared.destination, shared.given_name) == (MOBILE, None)
        assert session.get_one(Delivery, deliveries[2]).given_name == "Maria"


def test_somebody_no_list_ever_had_is_forgotten_too(office: Office, opened: House) -> None:
    now = datetime.now(UTC)
    with opened.database.transaction() as session:
        secret, keyring = opened.address_secret, opened.keyring
        text = Event("twilio", "i", EventKind.REPLIED, now, destination=MOBILE, text="Hello?", raw={"From": MOBILE})
        inbound.hear_text(session, text, address_secret=secret, keyring=keyring, now=now)
    assert {place for place, _ in traces(opened.database)} == {"inbound_messages.sender", "provider_events.raw"}
    held = office.json("recipients", "show", MOBILE, *OFFICER)
    assert [one["text"] for one in held["messages"]] == ["Hello?"]
    told = office.json("recipients", "forget", MOBILE, *OFFICER)
    assert (told["addresses"], told["providers"][0]["asked"]) == (0, 1)
    assert traces(opened.database) == set()
    with opened.database.reading() as session:
        assert session.scalars(select(ProviderErasure.subject)).all() == [None]
        assert session.scalars(select(ProviderEvent.kind)).all() == ["replied"]
