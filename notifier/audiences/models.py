"""Contact lists, addresses, subscriptions, suppressions.

An address is all we can recognise with certainty, so it is what choices and suppressions hang on. A subscription is one
row of one school's list: a person as that school knows them, with an email address, a mobile number, or both.
"""

from datetime import datetime, time
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, LargeBinary, String, Text, Time, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from notifier.kit.db import Base, BigId


class SubscriptionStatus(StrEnum):
    """What the school says of a row: on the list, or no longer. What a recipient says is a `ListChoice`."""

    ACTIVE = "active"
    REMOVED = "removed"


class ImportMode(StrEnum):
    """What an absent row means: nothing (merge), or that the person has left the list (replace)."""

    MERGE = "merge"
    REPLACE = "replace"


class ImportStatus(StrEnum):
    """Where an import stands: being read, shown to a person, carried out, or overtaken by a later one."""

    READING = "reading"
    SHOWN = "shown"
    APPLIED = "applied"
    OVERTAKEN = "overtaken"


class ContactList(Base):
    """A school's list of people, with the reason it may be used.

    `version` grows with every import carried out and every erasure. `recency` is the place of the last import among
    those of all lists: where lists disagree about a person, the one with the highest recency is believed.
    """

    __tablename__ = "contact_lists"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    code: Mapped[str] = mapped_column(String(80), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    region: Mapped[str] = mapped_column(String(12))
    country: Mapped[str] = mapped_column(String(2))
    readers: Mapped[str] = mapped_column(String(20))
    language: Mapped[str | None] = mapped_column(String(35))
    lawful_basis: Mapped[str] = mapped_column(String(40))
    attested_by: Mapped[str | None] = mapped_column(String(254))
    attested_at: Mapped[datetime | None]
    attestation_version: Mapped[str | None] = mapped_column(String(20))
    source: Mapped[str | None] = mapped_column(String(200))
    column_mapping: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    version: Mapped[int] = mapped_column(default=0)
    recency: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(254))


class ListKeeper(Base):
    """A user of a school to whom a contact list is entrusted."""

    __tablename__ = "list_keepers"

    list_id: Mapped[int] = mapped_column(ForeignKey("contact_lists.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    since: Mapped[datetime]


class Address(Base):
    """One email address or phone number, with its owner's own choices.

    It is unique by channel and normalised value, of which `key` is the keyed hash (docs/decisions/0039).
    """

    __tablename__ = "addresses"
    __table_args__ = (Index("ix_addresses_channel_id", "channel", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    channel: Mapped[str] = mapped_column(String(5))
    value: Mapped[str] = mapped_column(String(254))
    key: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    language: Mapped[str | None] = mapped_column(String(35))
    paused_until: Mapped[datetime | None]
    quiet_from: Mapped[time | None] = mapped_column(Time())
    quiet_until: Mapped[time | None] = mapped_column(Time())
    created_at: Mapped[datetime]


class Subscription(Base):
    """One row of one contact list. `import_id` is the import that last wrote it.

    Its list and its addresses are named without a constraint: on PostgreSQL three of them cost more than the row itself
    (docs/decisions/0036).
    """

    __tablename__ = "subscriptions"
    __table_args__ = (
        UniqueConstraint("list_id", "row_key"),
        Index("ix_subscriptions_email_address_id", "email_address_id"),
        Index("ix_subscriptions_sms_address_id", "sms_address_id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    list_id: Mapped[int] = mapped_column(BigId)
    row_key: Mapped[str] = mapped_column(String(64))
    reference: Mapped[str | None] = mapped_column(String(80))
    given_name: Mapped[str | None] = mapped_column(String(120))
    family_name: Mapped[str | None] = mapped_column(String(120))
    role: Mapped[str] = mapped_column(String(10))
    year_levels: Mapped[str | None] = mapped_column(String(60))
    language: Mapped[str | None] = mapped_column(String(35))
    email_address_id: Mapped[int | None] = mapped_column(BigId)
    sms_address_id: Mapped[int | None] = mapped_column(BigId)
    status: Mapped[str] = mapped_column(String(12))
    import_id: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class SubscriptionChange(Base):
    """The consent log: one change of one subscription or choice. Rows are only ever added."""

    __tablename__ = "subscription_log"
    __table_args__ = (Index("ix_subscription_log_address_id", "address_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime]
    address_id: Mapped[int | None] = mapped_column(BigInteger)
    list_id: Mapped[int | None] = mapped_column(BigInteger)
    channel: Mapped[str | None] = mapped_column(String(5))
    topic: Mapped[str | None] = mapped_column(String(60))
    old: Mapped[str | None] = mapped_column(String(40))
    new: Mapped[str] = mapped_column(String(40))
    actor: Mapped[str] = mapped_column(String(254))
    why: Mapped[str | None] = mapped_column(String(200))


class TopicChoice(Base):
    """A topic the owner of an address declined, or asked for again."""

    __tablename__ = "topic_choices"

    address_id: Mapped[int] = mapped_column(ForeignKey("addresses.id"), primary_key=True)
    topic: Mapped[str] = mapped_column(String(60), primary_key=True)
    wanted: Mapped[bool]
    changed_at: Mapped[datetime]


class ListChoice(Base):
    """A list the owner of an address left, or came back to. It outlives every upload of that list."""

    __tablename__ = "list_choices"

    address_id: Mapped[int] = mapped_column(ForeignKey("addresses.id"), primary_key=True)
    list_id: Mapped[int] = mapped_column(ForeignKey("contact_lists.id"), primary_key=True)
    wanted: Mapped[bool]
    changed_at: Mapped[datetime]


class Suppression(Base):
    """An address that may not be written to on its channel, known by its keyed hash alone."""

    __tablename__ = "suppressions"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    address_key: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    channel: Mapped[str] = mapped_column(String(5))
    reason: Mapped[str] = mapped_column(String(20))
    source: Mapped[str] = mapped_column(String(120))
    note: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]


class Import(Base):
    """One reading of one file for one list: what it would change, and whether that was carried out.

    `base_version` is the version of the list the difference was shown against; `digest` is the SHA-256 of the file and
    of how its columns were read, so that the same file is known again. Where a row of the file is about several people,
    `people_per_row` says how many: their rows are numbered row times people, plus which of them.
    """

    __tablename__ = "imports"
    __table_args__ = (Index("ix_imports_list_id", "list_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    list_id: Mapped[int] = mapped_column(ForeignKey("contact_lists.id"))
    file_name: Mapped[str] = mapped_column(String(200))
    digest: Mapped[str] = mapped_column(String(64))
    mode: Mapped[str] = mapped_column(String(10))
    status: Mapped[str] = mapped_column(String(10))
    base_version: Mapped[int]
    people_per_row: Mapped[int] = mapped_column(default=1, server_default="1")
    counts: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(254))
    applied_at: Mapped[datetime | None]
    applied_by: Mapped[str | None] = mapped_column(String(254))


class ImportRow(Base):
    """One row of a file as it was judged; kept until the list's next import.

    `email_given` and `mobile_given` hold what the file said where it was written another way. `findings` is a JSON text
    of [column, value, reason] triples, NULL for the many rows there is nothing to say about.
    """

    __tablename__ = "import_rows"
    __table_args__ = ({"sqlite_with_rowid": False},)

    import_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    row: Mapped[int] = mapped_column(primary_key=True)
    verdict: Mapped[str] = mapped_column(String(10))
    row_key: Mapped[str | None] = mapped_column(String(64))
    reference: Mapped[str | None] = mapped_column(String(80))
    given_name: Mapped[str | None] = mapped_column(String(120))
    family_name: Mapped[str | None] = mapped_column(String(120))
    role: Mapped[str | None] = mapped_column(String(10))
    year_levels: Mapped[str | None] = mapped_column(String(60))
    language: Mapped[str | None] = mapped_column(String(35))
    email: Mapped[str | None] = mapped_column(String(254))
    email_key: Mapped[bytes | None] = mapped_column(LargeBinary(16))
    email_given: Mapped[str | None] = mapped_column(String(320))
    mobile: Mapped[str | None] = mapped_column(String(20))
    mobile_key: Mapped[bytes | None] = mapped_column(LargeBinary(16))
    mobile_given: Mapped[str | None] = mapped_column(String(60))
    findings: Mapped[str | None] = mapped_column(Text)
