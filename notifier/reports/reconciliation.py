"""The ledger beside the provider's own record of a campaign: what the one knows and the other does not.

What the ledger calls sent must be on record, once; what it calls held back, waiting or cancelled must not be. Nothing
is put right here: a person decides. Where the record comes from is not this page's business.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.campaigns import lifecycle
from notifier.delivery.models import Delivery
from notifier.delivery.status import DeliveryStatus
from notifier.tracking.models import ProviderEvent
from notifier.vocabulary import Channel

_TAKEN = frozenset({DeliveryStatus.ACCEPTED, DeliveryStatus.DELIVERED, DeliveryStatus.BOUNCED})
_NOT_SENT = frozenset({DeliveryStatus.QUEUED, DeliveryStatus.HELD_BACK, DeliveryStatus.CANCELLED})
_OPEN = frozenset({DeliveryStatus.SENDING, DeliveryStatus.UNKNOWN})

# How many deliveries of each kind of difference are named; all are counted.
_NAMED = 1_000
_AT_ONCE = 10_000

# Delivery id to how often the provider took it, by channel. A channel that is left out cannot be compared.
Record = Mapping[Channel, Mapping[int, int]]


@dataclass(slots=True)
class Difference:
    """Deliveries that differ in one way: how many, and the ids of the first of them."""

    number: int = 0
    deliveries: list[int] = field(default_factory=list)

    def add(self, delivery_id: int) -> None:
        """Count one more."""
        self.number += 1
        if len(self.deliveries) < _NAMED:
            self.deliveries.append(delivery_id)


@dataclass(slots=True)
class Reconciliation:
    """What a comparison came to.

    `missing`: the ledger says taken, the record does not know it. `unexpected`: the record has it, the ledger says it
    never left. `twice`: on record more than once. `open`: nobody knows yet, which is no difference.
    """

    campaign: int
    compared: int = 0
    not_comparable: int = 0
    missing: Difference = field(default_factory=Difference)
    unexpected: Difference = field(default_factory=Difference)
    twice: Difference = field(default_factory=Difference)
    open: Difference = field(default_factory=Difference)

    @property
    def agrees(self) -> bool:
        """Whether ledger and record say the same."""
        return not (self.missing.number or self.unexpected.number or self.twice.number)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        return asdict(self) | {"agrees": self.agrees}


def reconcile(session: Session, campaign_id: int, record: Record) -> Reconciliation:
    """Compare every delivery of a campaign with a provider's record. Raises NotFound for an unknown campaign."""
    lifecycle.find(session, campaign_id)
    found = Reconciliation(campaign_id)
    for delivery_id, channel, status in _ledger(session, campaign_id):
        known = record.get(Channel(channel))
        if known is None:
            found.not_comparable += 1
            continue
        found.compared += 1
        _judge(found, delivery_id, DeliveryStatus(status), known.get(delivery_id, 0))
    return found


def heard_of(session: Session, campaign_id: int, channel: Channel) -> dict[int, int]:
    """Return the deliveries a provider has told of, as a record: all that is known where it keeps none to ask."""
    told = (
        select(ProviderEvent.delivery_id)
        .join(Delivery, Delivery.id == ProviderEvent.delivery_id)
        .where(Delivery.campaign_id == campaign_id, Delivery.channel == channel)
        .distinct()
    )
    return {delivery_id: 1 for delivery_id in session.scalars(told) if delivery_id is not None}


def by_destination(session: Session, campaign_id: int, channel: Channel) -> dict[str, list[int]]:
    """Return the deliveries of a campaign by where they go, a round of a recurring campaign after the other."""
    found: dict[str, list[int]] = {}
    rows = session.execute(
        select(Delivery.destination, Delivery.id)
        .where(Delivery.campaign_id == campaign_id, Delivery.channel == channel, Delivery.destination.is_not(None))
        .order_by(Delivery.id)
    )
    for destination, delivery_id in rows:
        found.setdefault(str(destination), []).append(delivery_id)
    return found


def _judge(found: Reconciliation, delivery_id: int, status: DeliveryStatus, times: int) -> None:
    if times > 1:
        found.twice.add(delivery_id)
    if status in _OPEN:
        found.open.add(delivery_id)
    elif status in _TAKEN and times == 0:
        found.missing.add(delivery_id)
    elif status in _NOT_SENT and times:
        found.unexpected.add(delivery_id)


def _ledger(session: Session, campaign_id: int) -> Iterator[tuple[int, str, str]]:
    rows = session.execute(
        select(Delivery.id, Delivery.channel, Delivery.status).where(Delivery.campaign_id == campaign_id),
        execution_options={"yield_per": _AT_ONCE},
    )
    for row in rows:
        yield row.id, row.channel, row.status
