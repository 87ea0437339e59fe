"""The ledger and the queue.

`deliveries` is the ledger: a row for every address a campaign was planned for, sent or not. `batches` is the queue: the
unit of claim, pacing, lease and recovery. The tables of the hot path carry no foreign keys: the planner writes them
from rows it has just read, and a check per row would cost more than the row (docs/decisions/0004).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from notifier.kit.db import Base, BigId

_UNCOUNTED = "counted IS NULL"


def _of_few(name: str, *columns: str, where: str) -> Index:
    """An index of the few rows that are looked for again and again, among the many that are not."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


class Wave(Base):
    """One due moment of a campaign.

    The planner works through the channels in order and through each in slices of addresses: `channel` is the one it is
    at, `planned_through` the last address id of it that has its delivery. `occurrence` counts the rounds of a recurring
    campaign; within one round an address is written to once on a channel. `counted` says that the kept counts of what
    the wave has outside of batches are good; whoever changes that takes it back (delivery/counts.py).
    """

    __tablename__ = "waves"
    __table_args__ = (
        Index("ix_waves_status_due_at", "status", "due_at"),
        Index("ix_waves_campaign_id", "campaign_id"),
        _of_few("ix_waves_uncounted", "status", "id", where=_UNCOUNTED),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(BigInteger)
    occurrence: Mapped[int] = mapped_column(default=1)
    priority: Mapped[int]
    due_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(String(12))
    status_reason: Mapped[str | None] = mapped_column(Text)
    scope: Mapped[dict[str, Any]] = mapped_column(JSON)
    channel: Mapped[str | None] = mapped_column(String(5))
    planned_through: Mapped[int] = mapped_column(BigInteger, default=0)
    planned: Mapped[int] = mapped_column(default=0)
    counted: Mapped[bool | None]


class Variant(Base):
    """The content of one campaign for one channel, language and region, rendered once.

    `content` holds the message as rendered, so that every worker sends, and the verification page shows, exactly the
    text that was approved.
    """

    __tablename__ = "variants"
    __table_args__ = (UniqueConstraint("campaign_id", "channel", "language", "region"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(BigInteger)
    channel: Mapped[str] = mapped_column(String(5))
    readers: Mapped[str] = mapped_column(String(20))
    language: Mapped[str] = mapped_column(String(35))
    region: Mapped[str] = mapped_column(String(12))
    content: Mapped[dict[str, Any]] = mapped_column(JSON)
    digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]


class VariantRoute(Base):
    """Which variant a wanted language in a region leads to: the planner looks it up, the officer sees it.

    `wanted` is the language as the recipient or the list gave it ("" where neither did). Without a variant the
    deliveries are held back with the reason `no_content`.
    """

    __tablename__ = "variant_routes"
    __table_args__ = (UniqueConstraint("campaign_id", "channel", "wanted", "region"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(BigInteger)
    channel: Mapped[str] = mapped_column(String(5))
    wanted: Mapped[str] = mapped_column(String(35))
    region: Mapped[str] = mapped_column(String(12))
    variant_id: Mapped[int | None] = mapped_column(BigInteger)
    language: Mapped[str | None] = mapped_column(String(35))


class Batch(Base):
    """Up to a thousand deliveries of one wave and one variant.

    A claim holds a batch until `lease_until`; `claims` counts how often it was taken and, with `lease_owner`, fences
    off a worker whose lease has run out. The smaller `priority` goes first. `tries` counts how often its deliveries
    were refused for now, and so how long the next pause is. `counted` says that its kept counts are good; whoever
    changes one of its deliveries takes it back (delivery/counts.py).
    """

    __tablename__ = "batches"
    __table_args__ = (
        Index("ix_batches_queue", "channel", "status", "priority", "due_at", "id"),
        Index("ix_batches_campaign_id", "campaign_id", "status"),
        _of_few("ix_batches_uncounted", "status", "id", where=_UNCOUNTED),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(BigInteger)
    wave_id: Mapped[int] = mapped_column(BigInteger)
    variant_id: Mapped[int] = mapped_column(BigInteger)
    channel: Mapped[str] = mapped_column(String(5))
    priority: Mapped[int]
    due_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    size: Mapped[int]
    tries: Mapped[int] = mapped_column(default=0)
    status: Mapped[str] = mapped_column(String(10))
    claims: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None] = mapped_column(String(80))
    lease_until: Mapped[datetime | None]
    counted: Mapped[bool | None]


class Delivery(Base):
    """One message to one address on one channel: sent or not, and why.

    `list_ids` names every contact list the address was reached through, comma-separated in order. `destination` and
    `given_name` are copies that retention and erasure wipe; the row stays, so the counts stay true.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("campaign_id", "occurrence", "channel", "address_id"),
        Index("ix_deliveries_batch_id", "batch_id", "id"),
        Index("ix_deliveries_address_id", "address_id"),
        # What the planner held back at once is in no batch; few rows, and asked for by wave.
        _of_few("ix_deliveries_unbatched", "wave_id", where="batch_id IS NULL"),
        # A delivery changes three times in its life, and no index is about what changes. With room beside it in its
        # page PostgreSQL writes the new version there and no index entry at all: a third to a quarter of the time.
        {"postgresql_with": {"fillfactor": 50}},
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(BigInteger)
    occurrence: Mapped[int] = mapped_column(default=1)
    wave_id: Mapped[int] = mapped_column(BigInteger)
    variant_id: Mapped[int | None] = mapped_column(BigInteger)
    batch_id: Mapped[int | None] = mapped_column(BigInteger)
    channel: Mapped[str] = mapped_column(String(5))
    address_id: Mapped[int] = mapped_column(BigInteger)
    destination: Mapped[str | None] = mapped_column(String(254))
    given_name: Mapped[str | None] = mapped_column(String(120))
    list_ids: Mapped[str] = mapped_column(Text)
    wanted_language: Mapped[str] = mapped_column(String(35))
    region: Mapped[str] = mapped_column(String(12))
    status: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str | None] = mapped_column(String(60))
    attempt_id: Mapped[int | None] = mapped_column(BigInteger)
    provider_message_id: Mapped[str | None] = mapped_column(String(80))
    accepted_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    bounced_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    deferred_at: Mapped[datetime | None]
    complained_at: Mapped[datetime | None]
    opted_out_at: Mapped[datetime | None]


class Attempt(Base):
    """One call to a provider: intent before it, outcome after it. Without an outcome it was cut off.

    `doubt` is `open` while nobody knows whether the provider took it, and `settled` afterwards (`delivery.doubt`).
    `taken` is how many recipients the provider took, or may have taken while that is in doubt. `counted` says that the
    call is part of `call_totals`.
    """

    __tablename__ = "attempts"
    __table_args__ = (
        Index("ix_attempts_batch_id", "batch_id"),
        Index("ix_attempts_provider", "provider", "id"),
        # The few that are looked for again and again: calls under way, doubts, and what is not counted yet.
        _of_few("ix_attempts_in_flight", "started_at", where="outcome IS NULL"),
        _of_few("ix_attempts_doubt", "id", where="doubt = 'open'"),
        _of_few("ix_attempts_uncounted", "id", where=_UNCOUNTED),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    batch_id: Mapped[int] = mapped_column(BigInteger)
    campaign_id: Mapped[int] = mapped_column(BigInteger)
    provider: Mapped[str] = mapped_column(String(20))
    recipients: Mapped[int]
    taken: Mapped[int | None]
    started_at: Mapped[datetime]
    duration_ms: Mapped[int | None]
    outcome: Mapped[str | None] = mapped_column(String(20))
    doubt: Mapped[str | None] = mapped_column(String(10))
    code: Mapped[str | None] = mapped_column(String(40))
    detail: Mapped[str | None] = mapped_column(Text)
    provider_message_id: Mapped[str | None] = mapped_column(String(80))
    counted: Mapped[bool | None]


class CallTotal(Base):
    """What the counted calls of a campaign have come to (`delivery.calls`)."""

    __tablename__ = "call_totals"

    campaign_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    channel: Mapped[str] = mapped_column(String(5), primary_key=True)
    provider: Mapped[str] = mapped_column(String(20), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(20), primary_key=True)
    calls: Mapped[int]
    recipients: Mapped[int] = mapped_column(BigInteger)
    taken: Mapped[int] = mapped_column(BigInteger)
    refused_permille: Mapped[int] = mapped_column(BigInteger)
    duration_ms: Mapped[int] = mapped_column(BigInteger)


class ProviderErasure(Base):
    """One question to a provider to erase something of a person who has been forgotten here.

    `subject` is the email address or mobile number, and is wiped once the provider has taken it.
    """

    __tablename__ = "provider_erasures"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    provider: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str | None] = mapped_column(String(254))
    asked_at: Mapped[datetime]
    tries: Mapped[int]
    next_at: Mapped[datetime]
    last_error: Mapped[str | None] = mapped_column(Text)
    done_at: Mapped[datetime | None]


class GuardCount(Base):
    """What the guards have counted of one channel of a campaign, and up to where they have judged it.

    The `seen_` columns hold the totals a person has already decided about: only what came after them is judged. Errors
    are thousandths of a call (`CallTotal.refused_permille`).
    """

    __tablename__ = "guard_counts"

    campaign_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    channel: Mapped[str] = mapped_column(String(5), primary_key=True)
    hard_bounces: Mapped[int] = mapped_column(default=0)
    complaints: Mapped[int] = mapped_column(default=0)
    seen_hard_bounces: Mapped[int] = mapped_column(default=0)
    seen_complaints: Mapped[int] = mapped_column(default=0)
    seen_sent: Mapped[int] = mapped_column(default=0)
    seen_calls: Mapped[int] = mapped_column(default=0)
    seen_errors: Mapped[int] = mapped_column(default=0)


class IdBlock(Base):
    """The next free number of a table whose rows the planner numbers itself, in blocks."""

    __tablename__ = "id_blocks"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    next_id: Mapped[int] = mapped_column(BigInteger)


class Pace(Base):
    """When the next message of a scope may leave (GCRA): one row, shared by every worker.

    `scope` is for example `provider:sendgrid`, `sender:+61480000000` or `campaign:12`.
    """

    __tablename__ = "paces"

    scope: Mapped[str] = mapped_column(String(120), primary_key=True)
    free_at_us: Mapped[int] = mapped_column(BigInteger)


class DeliveryCount(Base):
    """How many deliveries of a unit share everything a report asks for. Empty texts and 0 stand for nothing.

    A unit is a batch, by its id, or what a wave has outside of batches, by minus the wave's id. Its counts are good as
    long as the batch or the wave is `counted`.
    """

    __tablename__ = "delivery_counts"

    unit: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    variant_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    channel: Mapped[str] = mapped_column(String(5), primary_key=True)
    region: Mapped[str] = mapped_column(String(12), primary_key=True)
    status: Mapped[str] = mapped_column(String(10), primary_key=True)
    reason: Mapped[str] = mapped_column(String(60), primary_key=True)
    number: Mapped[int]


class SchoolCount(Base):
    """How many deliveries of a unit were reached through one contact list, by channel and status.

    A delivery that stands for several lists counts in each; `list_id` 0 stands for none. Rows of a batch nobody has
    claimed are good though it is not `counted`: all of it is queued.
    """

    __tablename__ = "school_counts"

    unit: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    list_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    channel: Mapped[str] = mapped_column(String(5), primary_key=True)
    status: Mapped[str] = mapped_column(String(10), primary_key=True)
    number: Mapped[int]


class Forgetting(Base):
    """How far the forgetting of a campaign has come: its addresses batch by batch, its words at once."""

    __tablename__ = "forgettings"

    campaign_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    through_batch: Mapped[int] = mapped_column(BigInteger)
    addresses_at: Mapped[datetime | None]
    content_at: Mapped[datetime | None]
