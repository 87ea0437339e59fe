"""Made-up people, lists and campaigns for tests: plain functions with good defaults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.accounts import users
from notifier.accounts.models import User, UserRole
from notifier.audiences.models import Address, ContactList, Subscription, SubscriptionStatus
from notifier.campaigns import lifecycle
from notifier.campaigns.models import Campaign
from notifier.kit.tokens import address_key
from notifier.vocabulary import Channel, ChannelPolicy, Readers

SECRET = bytes(range(32))


def make_user(session: Session, email: str, role: UserRole, now: datetime) -> User:
    """Add a user."""
    return users.add(session, email=email, name=email.partition("@")[0].title(), role=role, now=now)


def make_list(
    session: Session,
    now: datetime,
    *,
    code: str = "northcote-high",
    name: str = "Northcote High",
    region: str = "AU-VIC",
    readers: Readers = Readers.PARENTS,
) -> int:
    """Add a contact list; return its id."""
    made = ContactList(
        code=code,
        name=name,
        region=region,
        country=region[:2],
        readers=readers,
        lawful_basis="public_task",
        recency=1 + len(session.scalars(select(ContactList.id)).all()),
        created_at=now,
        created_by="officer@police.example",
    )
    session.add(made)
    session.flush()
    return made.id


@dataclass(frozen=True, slots=True)
class Person:
    """One row of a list."""

    email: str | None = None
    mobile: str | None = None
    language: str | None = None
    given_name: str | None = "Ada"


def make_people(session: Session, list_id: int, people: Sequence[Person], now: datetime) -> None:
    """Put people on a list."""
    for place, person in enumerate(people):
        session.add(
            Subscription(
                list_id=list_id,
                row_key=f"row-{list_id}-{place}",
                given_name=person.given_name,
                role="parent",
                language=person.language,
                email_address_id=address_id(session, Channel.EMAIL, person.email, now) if person.email else None,
                sms_address_id=address_id(session, Channel.SMS, person.mobile, now) if person.mobile else None,
                status=SubscriptionStatus.ACTIVE,
                created_at=now,
                updated_at=now,
            )
        )
    session.flush()


def address_id(session: Session, channel: Channel, value: str, now: datetime) -> int:
    """Return the id of an address, adding it if it is new."""
    known = session.scalar(select(Address.id).where(Address.channel == channel, Address.value == value))
    if known is not None:
        return known
    address = Address(channel=channel, value=value, key=address_key(SECRET, channel, value), created_at=now)
    session.add(address)
    session.flush()
    return address.id


def make_campaign(
    session: Session,
    by: User,
    now: datetime,
    *,
    channels: ChannelPolicy = ChannelPolicy.EMAIL,
    advisory: str = "online-blackmail",
    audience: str = "victoria-parents",
    urgent: bool = False,
    expires_at: datetime | None = None,
    schedule: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Campaign:
    """Draft a campaign."""
    return lifecycle.create(
        session,
        advisory=advisory,
        readers=Readers.PARENTS,
        topic="online-blackmail",
        audience=audience,
        channels=channels,
        schedule=schedule or {"kind": "now"},
        options=options or {},
        urgent=urgent,
        expires_at=expires_at,
        by=by,
        now=now,
    )
