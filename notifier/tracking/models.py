"""The inbox of what providers told us, and the messages people wrote back."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from notifier.kit.db import Base, BigId


class ProviderEvent(Base):
    """One event, stored once by the provider's own id, raw text kept until retention forgets it; never changed."""

    __tablename__ = "provider_events"
    __table_args__ = (UniqueConstraint("provider", "event_id"), Index("ix_provider_events_delivery_id", "delivery_id"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    provider: Mapped[str] = mapped_column(String(20))
    event_id: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(20))
    delivery_id: Mapped[int | None] = mapped_column(BigInteger)
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    code: Mapped[str | None] = mapped_column(String(60))
    detail: Mapped[str | None] = mapped_column(Text)
    raw: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class PendingEvent(Base):
    """What applying needs to know of events, until they are applied: narrow rows that come and go.

    One row for all the deliveries that were told the same at the same moment: `delivery_ids` names them, `number` says
    how many events they are. `destination` is given only where no reference of ours names a delivery.
    """

    __tablename__ = "pending_events"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    provider: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(20))
    delivery_ids: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    destination: Mapped[str | None] = mapped_column(String(254))
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime]
    code: Mapped[str | None] = mapped_column(String(60))
    number: Mapped[int] = mapped_column(default=1, server_default="1")


class ProviderNews(Base):
    """When a provider last told of any message of ours: one row each, so that nobody searches the events for it."""

    __tablename__ = "provider_news"

    provider: Mapped[str] = mapped_column(String(20), primary_key=True)
    heard_at: Mapped[datetime]


class InboundMessage(Base):
    """A message a person wrote to us that no keyword explains: people read these."""

    __tablename__ = "inbound_messages"
    __table_args__ = (Index("ix_inbound_messages_read_at", "read_at", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    channel: Mapped[str] = mapped_column(String(5))
    address_id: Mapped[int | None] = mapped_column(BigInteger)
    sender: Mapped[str] = mapped_column(String(254))
    text: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    read_by: Mapped[str | None] = mapped_column(String(254))


class RecipientRequest(Base):
    """What a recipient asked for that a person or a duty has to carry out: a copy of their data, or to be forgotten."""

    __tablename__ = "recipient_requests"
    __table_args__ = (Index("ix_recipient_requests_done_at", "done_at", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    address_id: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(10))
    asked_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    done_by: Mapped[str | None] = mapped_column(String(254))


class SignUp(Base):
    """A wish to be written to that its address has not confirmed yet; forgotten when it expires.

    `secret` is what the confirmation proves to know: the hash of a code for a text message, nothing for an email, whose
    link is a sealed token. `wishes` holds region, language, topics and the version of the wording that was agreed to.
    """

    __tablename__ = "sign_ups"
    __table_args__ = (Index("ix_sign_ups_expires_at", "expires_at"), Index("ix_sign_ups_address_key", "address_key"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    channel: Mapped[str] = mapped_column(String(5))
    destination: Mapped[str | None] = mapped_column(String(254))
    address_key: Mapped[bytes] = mapped_column(LargeBinary(16))
    secret: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    wishes: Mapped[dict[str, Any]] = mapped_column(JSON)
    tries: Mapped[int] = mapped_column(default=0)
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]


class Allowance(Base):
    """How often something was done in one window of time, by a scope that is a keyed hash of who did it."""

    __tablename__ = "allowances"

    scope: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    window: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    used: Mapped[int]
