"""What became of a campaign: read-only questions about the ledger.

A summary counts every planned delivery, the ones that were not sent with their reason; the list names each one. What a
person may see is decided by the surfaces, never here.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from notifier.campaigns.models import Campaign
from notifier.delivery.counts import Cell, cells
from notifier.delivery.models import Delivery, Variant
from notifier.delivery.status import DeliveryStatus
from notifier.kit.errors import NotFound

# The statuses of a message that left.
SENT = frozenset({DeliveryStatus.ACCEPTED, DeliveryStatus.DELIVERED, DeliveryStatus.BOUNCED, DeliveryStatus.FAILED})


_NOT_REACHED = frozenset({DeliveryStatus.BOUNCED, DeliveryStatus.FAILED})


@dataclass(frozen=True, slots=True)
class CampaignSummary:
    """The counts of one campaign.

    `by_language` counts the deliveries that left by the language of the text they really got; `held_back` those that
    were not sent, by reason; `not_reached` those that left and bounced or failed, by reason; `unknown` those nobody can
    be sure of yet.
    """

    id: int
    code: str
    advisory: str
    status: str
    status_reason: str | None
    planned: int
    by_status: dict[str, int]
    by_channel: dict[str, dict[str, int]]
    by_language: dict[str, int]
    by_region: dict[str, dict[str, int]]
    held_back: dict[str, int]
    not_reached: dict[str, int]
    unknown: int

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class DeliveryLine:
    """One delivery as a report shows it: to whom, how, and what became of it."""

    id: int
    channel: str
    destination: str | None
    language: str | None
    region: str
    list_ids: str
    status: str
    reason: str | None
    accepted_at: datetime | None
    delivered_at: datetime | None
    bounced_at: datetime | None
    failed_at: datetime | None
    complained_at: datetime | None
    opted_out_at: datetime | None

    def as_dict(self) -> dict[str, Any]:
        """Return the line as plain values, for JSON and CSV."""
        return asdict(self)


def campaign_summary(session: Session, campaign_id: int) -> CampaignSummary:
    """Count the deliveries of a campaign, exactly and from few rows. Raises NotFound."""
    campaign = session.get(Campaign, campaign_id)
    if campaign is None:
        raise NotFound(f"There is no campaign {campaign_id}; `notifier campaigns list` shows every one")
    found = cells(session, campaign_id)
    languages = languages_of(session, campaign_id)
    by_channel: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    by_region: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for cell in found:
        by_channel[cell.channel][cell.status] += cell.number
        by_region[cell.region][cell.status] += cell.number
    left = [cell for cell in found if cell.status in SENT]
    by_status = total(found, lambda cell: cell.status)
    return CampaignSummary(
        id=campaign.id,
        code=campaign.code,
        advisory=campaign.advisory,
        status=campaign.status,
        status_reason=campaign.status_reason,
        planned=sum(by_status.values()),
        by_status=by_status,
        by_channel={channel: dict(counts) for channel, counts in sorted(by_channel.items())},
        by_language=total(left, lambda cell: languages.get(cell.variant_id, "")),
        by_region={region: dict(counts) for region, counts in sorted(by_region.items())},
        held_back=total([cell for cell in found if cell.status == DeliveryStatus.HELD_BACK], lambda cell: cell.reason),
        not_reached=total([cell for cell in found if cell.status in _NOT_REACHED], lambda cell: cell.reason),
        unknown=by_status.get(DeliveryStatus.UNKNOWN, 0),
    )


def total(found: Iterable[Cell], key: Callable[[Cell], str]) -> dict[str, int]:
    """Add cells up by a key, in its order; what is 0 is left out."""
    sums: dict[str, int] = defaultdict(int)
    for cell in found:
        sums[key(cell)] += cell.number
    return {name: number for name, number in sorted(sums.items()) if number}


def languages_of(session: Session, campaign_id: int) -> dict[int, str]:
    """Return the language of each text of a campaign, by the variant's id."""
    rows = session.execute(select(Variant.id, Variant.language).where(Variant.campaign_id == campaign_id))
    return {row.id: row.language for row in rows}


def deliveries(
    session: Session,
    campaign_id: int,
    *,
    status: str | None = None,
    channel: str | None = None,
    reason: str | None = None,
    language: str | None = None,
    list_id: int | None = None,
    after: int = 0,
    limit: int = 1000,
) -> list[DeliveryLine]:
    """Return the next `limit` deliveries of a campaign with an id greater than `after`, in order of id.

    Each filter that is given narrows the list; `list_id` is a school's contact list.
    """
    filters = (
        (Delivery.status, status),
        (Delivery.channel, channel),
        (Delivery.reason, reason),
        (Variant.language, language),
    )
    statement = (
        select(*_LINE)
        .outerjoin(Variant, Variant.id == Delivery.variant_id)
        .where(Delivery.campaign_id == campaign_id, Delivery.id > after)
        .where(*[column == value for column, value in filters if value is not None])
        .order_by(Delivery.id)
        .limit(limit)
    )
    if list_id is not None:
        statement = statement.where(through_list(list_id))
    return [DeliveryLine(*row) for row in _plain(session, statement)]


def through_list(list_id: int) -> ColumnElement[bool]:
    """Whether a delivery reached its address through a contact list."""
    # The commas around both sides make 1 differ from 11.
    return ("," + Delivery.list_ids + ",").contains(f",{list_id},")


_LINE = (
    Delivery.id,
    Delivery.channel,
    Delivery.destination,
    Variant.language,
    Delivery.region,
    Delivery.list_ids,
    Delivery.status,
    Delivery.reason,
    Delivery.accepted_at,
    Delivery.delivered_at,
    Delivery.bounced_at,
    Delivery.failed_at,
    Delivery.complained_at,
    Delivery.opted_out_at,
)


def _plain(session: Session, statement: Select[*tuple[Any, ...]]) -> Sequence[Any]:
    return session.execute(statement).all()
