"""A few rows of a ledger, for tests: an address and a delivery in the state the test names."""

from datetime import datetime
from secrets import token_hex
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.audiences.models import Address
from notifier.campaigns.models import Campaign
from notifier.delivery.models import Batch, Delivery, Variant, Wave
from notifier.kit.tokens import Keyring, Purpose, address_key
from notifier.providers.base import Event
from notifier.vocabulary import Channel, EventKind

SECRET = b"s" * 32


def an_address(session: Session, value: str, now: datetime, **changes: Any) -> int:  # noqa: ANN401 - any column
    """Add an email address, or a phone number if it has no @; return its id."""
    channel = Channel.EMAIL if "@" in value else Channel.SMS
    row = Address(channel=channel, value=value, key=address_key(SECRET, channel, value), created_at=now, **changes)
    session.add(row)
    session.flush()
    return row.id


def a_campaign(session: Session, now: datetime, **changes: Any) -> int:  # noqa: ANN401 - any column
    """Add a campaign; return its id."""
    values: dict[str, Any] = {
        "code": token_hex(6),
        "advisory": "say-no",
        "readers": "parents",
        "topic": "online-blackmail",
        "audience": "all",
        "channels": "both",
        "schedule": {},
        "options": {},
        "accepted": [],
        "urgent": False,
        "status": "sending",
        "created_by": "officer@example.org",
        "created_at": now,
    }
    row = Campaign(**(values | changes))
    session.add(row)
    session.flush()
    return row.id


def a_wave(session: Session, campaign_id: int, now: datetime, status: str = "planned") -> int:
    """Add a wave; return its id."""
    row = Wave(campaign_id=campaign_id, priority=10, due_at=now, status=status, scope={})
    session.add(row)
    session.flush()
    return row.id


def a_variant(session: Session, campaign_id: int, language: str, now: datetime) -> int:
    """Add a text for emails in Victoria, in one language; return its id."""
    row = Variant(
        campaign_id=campaign_id,
        channel="email",
        readers="parents",
        language=language,
        region="AU-VIC",
        content={},
        digest="d",
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row.id


def a_batch(session: Session, campaign_id: int, variant_id: int, now: datetime, **changes: Any) -> int:  # noqa: ANN401
    """Add a batch nobody has claimed; return its id."""
    values: dict[str, Any] = {
        "campaign_id": campaign_id,
        "wave_id": 1,
        "variant_id": variant_id,
        "channel": Channel.EMAIL,
        "priority": 10,
        "due_at": now,
        "size": 0,
        "status": "ready",
    }
    row = Batch(**(values | changes))
    session.add(row)
    session.flush()
    return row.id


def the_status(session: Session, campaign_id: int) -> str:
    """Return the status of a campaign as the database has it now."""
    return session.scalars(select(Campaign.status).where(Campaign.id == campaign_id)).one()


def a_delivery(session: Session, address_id: int, **changes: Any) -> int:  # noqa: ANN401 - any column
    """Add a delivery to an address, accepted by its provider unless the test says otherwise; return its id."""
    values: dict[str, Any] = {
        "campaign_id": 1,
        "wave_id": 1,
        "channel": Channel.EMAIL,
        "list_ids": "1",
        "wanted_language": "en",
        "region": "AU-VIC",
        "status": "accepted",
    }
    row = Delivery(address_id=address_id, **(values | changes))
    session.add(row)
    session.flush()
    return row.id


def news(keyring: Keyring, delivery_id: int | None, kind: EventKind, at: datetime, **changes: Any) -> Event:  # noqa: ANN401
    """Return an event about a delivery."""
    values: dict[str, Any] = {
        "provider": "sendgrid",
        "event_id": f"{delivery_id}-{kind}-{at.isoformat()}-{sorted(changes.items())}",
        "reference": None if delivery_id is None else keyring.seal(Purpose.DELIVERY, delivery_id),
    }
    return Event(kind=kind, occurred_at=at, **(values | changes))


def the_delivery(session: Session, delivery_id: int) -> Delivery:
    """Return a delivery as the database has it now."""
    return session.scalars(
        select(Delivery).where(Delivery.id == delivery_id).execution_options(populate_existing=True)
    ).one()
