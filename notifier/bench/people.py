"""Made-up people by the hundred thousand, written straight into the tables as an import would leave them.

Parents of schools in Victoria: one in twenty-five stands on the lists of two schools, one in a hundred has opted out,
some speak another language at home, and some names are not written in Latin letters.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from notifier import migrations
from notifier.accounts import users
from notifier.accounts.models import UserRole
from notifier.audiences import lists
from notifier.audiences.models import Address, Subscription, Suppression
from notifier.bootstrap import House
from notifier.campaigns import desk, schedule
from notifier.campaigns.coverage import coverage_of
from notifier.delivery import control
from notifier.kit.db import insert_rows
from notifier.kit.tokens import address_keys
from notifier.vocabulary import Channel, ChannelPolicy, Readers

OFFICER, APPROVER = "officer@police.example", "approver@police.example"
ADVISORY, AUDIENCE = "online-blackmail", "victoria-parents"
WITNESS = "witness"
# Quiet hours that are over as soon as they begin: a benchmark runs at any time of day.
NEVER_QUIET = {"NOTIFIER_QUIET_HOURS_SMS_FROM": "03:00", "NOTIFIER_QUIET_HOURS_SMS_UNTIL": "03:00"}
SCHOOLS = 20
ROWS_AT_ONCE = 50_000

_LANGUAGES = (None,) * 9 + ("en", "vi", "ar", "zh-Hans", "el", "pa", "it")
_NAMES = ("Olivia", "Jack", "Charlotte", "William", "Zoë", "Thomas", "Ελένη", "Mary-Ann", "فاطمة", "Ruby", "伟", None)
_EVERY_SECOND_LIST, _EVERY_OPT_OUT = 25, 100
_SINCE = "2026-01-01 00:00:00.000000"
_ADDRESS_COLUMNS = ("id", "channel", "value", "key", "created_at")
_SUBSCRIPTION_COLUMNS = (
    *("list_id", "row_key", "given_name", "role", "language", "email_address_id", "sms_address_id"),
    *("status", "created_at", "updated_at"),
)
_SUPPRESSION_COLUMNS = ("address_key", "channel", "reason", "source", "created_at")


def settle_in(opened: House, people: int, *channels: Channel) -> int:
    """Make tables, two users, schools and their people, each with an address on every channel named.

    Returns how many of the people may be written to.
    """
    migrations.upgrade(opened.database)
    with opened.database.transaction() as session:
        now = datetime.now(UTC)
        users.add(session, email=OFFICER, name="Officer", role=UserRole.OFFICER, now=now)
        users.add(session, email=APPROVER, name="Approver", role=UserRole.APPROVER, now=now)
        list_ids = [_school(session, f"school-{number}", now) for number in range(SCHOOLS)]
    for first in range(0, people, ROWS_AT_ONCE):
        with opened.database.transaction() as session:
            some = range(first, min(first + ROWS_AT_ONCE, people))
            _write(session, some, channels, list_ids, opened.address_secret)
    with opened.database.transaction() as session:
        # What a database finds out by itself within a minute of an import.
        session.execute(text("ANALYZE"))
    return people - len(range(0, people, _EVERY_OPT_OUT))


def witness_audiences(folder: Path) -> None:
    """Write two audiences: everybody, and one witness alone, to whom everybody else is written without."""
    folder.mkdir(parents=True, exist_ok=True)
    same = 'title = "Made up for a benchmark"\nreaders = "parents"\n'
    (folder / f"{AUDIENCE}.toml").write_text(f'{same}regions = ["AU-VIC"]\nexcluded_lists = ["{WITNESS}"]\n')
    (folder / f"{WITNESS}.toml").write_text(f'{same}lists = ["{WITNESS}"]\n')


def settle_witness(opened: House, people: int) -> None:
    """Put one more person on a list of their own."""
    now = datetime.now(UTC)
    with opened.database.transaction() as session:
        list_id = _school(session, WITNESS, now)
        _write(session, range(people + 1, people + 2), (Channel.EMAIL, Channel.SMS), [list_id], opened.address_secret)


def approved_campaign(opened: House, policy: ChannelPolicy, *, urgent: bool = False, audience: str = AUDIENCE) -> int:
    """Draft, submit and approve a campaign, due now, answering for every finding; return its id."""
    moment = datetime.now(UTC)
    wish = desk.Draft(ADVISORY, audience, policy, schedule.now_schedule(), urgent=urgent)
    with opened.database.transaction() as session:
        officer = users.find(session, OFFICER)
        campaign = desk.draft(session, wish, opened.papers, by=officer, now=moment)
        findings = coverage_of(session, campaign, opened.proof, now=moment)
        accepted = [finding.key for finding in findings.acceptable]
        desk.submit(session, campaign.id, opened.proof, accepting=accepted, by=officer, now=moment)
        seen = desk.look_again(session, campaign.id, opened.proof, now=moment)
        control.approve(session, campaign.id, by=users.find(session, APPROVER), fingerprint=seen, zones={}, now=moment)
        return campaign.id


def destination(channel: Channel, number: int) -> str:
    """Return the address of a made-up person; the numbers are valid in form and go to the sandbox alone."""
    return f"parent{number}@school.example" if channel is Channel.EMAIL else f"+614{number:08}"


def _school(session: Session, code: str, now: datetime) -> int:
    new = lists.NewList(
        code=code,
        name=code.replace("-", " ").title(),
        region="AU-VIC",
        country="AU",
        readers=Readers.PARENTS,
        lawful_basis=lists.LawfulBasis.PUBLIC_TASK,
        attested_by=OFFICER,
        language="en",
        source="made up for a benchmark",
    )
    return lists.create_list(session, new, actor=OFFICER, now=now).id


def _write(session: Session, numbers: range, channels: Sequence[Channel], list_ids: list[int], secret: bytes) -> None:
    for place, channel in enumerate(channels):
        key = address_keys(secret, channel)
        first = _address_id(0, place, len(channels))
        values = [(number, destination(channel, number)) for number in numbers]
        insert_rows(
            session,
            Address,
            _ADDRESS_COLUMNS,
            ((first + number * len(channels), channel.value, value, key(value), _SINCE) for number, value in values),
        )
        left = [key(value) for number, value in values if number % _EVERY_OPT_OUT == 0]
        insert_rows(
            session,
            Suppression,
            _SUPPRESSION_COLUMNS,
            ((one, channel.value, "opt_out", "made up for a benchmark", _SINCE) for one in left),
        )
    insert_rows(session, Subscription, _SUBSCRIPTION_COLUMNS, _subscriptions(numbers, channels, list_ids))


def _address_id(number: int, place: int, channels: int) -> int:
    return number * channels + place + 1


def _subscriptions(numbers: range, channels: Sequence[Channel], list_ids: list[int]) -> Iterator[tuple[object, ...]]:
    for number in numbers:
        name = _NAMES[number % len(_NAMES)]
        language = _LANGUAGES[number % len(_LANGUAGES)]
        addresses = tuple(
            _address_id(number, channels.index(channel), len(channels)) if channel in channels else None
            for channel in (Channel.EMAIL, Channel.SMS)
        )
        # Neighbours by number go to the same school, as families do that came in with one import.
        school = number // 997 % len(list_ids)
        schools = (school, (school + 1) % len(list_ids)) if number % _EVERY_SECOND_LIST == 0 else (school,)
        for one in schools:
            yield (list_ids[one], f"row-{number}", name, "parent", language, *addresses, "active", _SINCE, _SINCE)
