"""The ledger against what was really received: nobody missed, nobody twice.

Counted from both sides. What the ledger calls sent must have been received; what was received must have been received
once, by reference and by address; and every address of the audience must have its row.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier.audiences import segments
from notifier.bootstrap import House
from notifier.campaigns import lifecycle
from notifier.campaigns.models import Campaign
from notifier.delivery.models import Delivery
from notifier.delivery.status import DeliveryStatus
from notifier.kit.tokens import Purpose
from notifier.vocabulary import ChannelPolicy

# A delivery that the ledger says was taken must have been received. A failed one was not, if the provider refused it.
_TAKEN = frozenset({DeliveryStatus.ACCEPTED, DeliveryStatus.DELIVERED, DeliveryStatus.BOUNCED})
_STILL_OPEN = frozenset({DeliveryStatus.QUEUED, DeliveryStatus.SENDING, DeliveryStatus.UNKNOWN})

References = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of it. `destinations` maps (campaign, address) to how often it was received."""

    missed: int
    duplicates: int
    received: int
    destinations: Mapping[tuple[int, str], int]
    written_to_after_leaving: int = 0

    def without(self, campaign_id: int, leavers: Iterable[str]) -> "Comparison":
        """Count messages of a campaign to people who had left before it."""
        written = sum(self.destinations.get((campaign_id, address), 0) for address in leavers)
        return replace(self, written_to_after_leaving=written)


def compare(opened: House, references: References, campaign_ids: Sequence[int]) -> Comparison:
    """Compare campaigns with what a sandbox says it received (`/sandbox/references`)."""
    received: Counter[int] = Counter()
    for by_reference in references.values():
        for reference, times in by_reference.items():
            said = opened.keyring.open(Purpose.DELIVERY, reference)
            if said is not None:
                received[said.subject] += times
    with opened.database.reading() as session:
        missed, destinations = 0, Counter[tuple[int, str]]()
        for campaign_id in campaign_ids:
            campaign = lifecycle.find(session, campaign_id)
            missed += _without_a_row(session, opened, campaign)
            for delivery_id, status, destination in _ledger(session, campaign_id):
                times = received[delivery_id]
                missed += status in _STILL_OPEN or (status in _TAKEN and times == 0)
                destinations[campaign_id, destination or str(delivery_id)] += times
    twice = sum(times - 1 for times in destinations.values() if times > 1)
    return Comparison(missed=missed, duplicates=twice, received=sum(destinations.values()), destinations=destinations)


def _ledger(session: Session, campaign_id: int) -> list[tuple[int, str, str | None]]:
    rows = session.execute(
        select(Delivery.id, Delivery.status, Delivery.destination).where(Delivery.campaign_id == campaign_id)
    )
    return [(delivery_id, status, destination) for delivery_id, status, destination in rows]


def _without_a_row(session: Session, opened: House, campaign: Campaign) -> int:
    """Count addresses of the audience that have no delivery, sent or not."""
    audience = opened.papers.audience(campaign.audience)
    list_ids = segments.lists_of(session, audience)
    missing = 0
    for channel in ChannelPolicy(campaign.channels).channels:
        members = segments.members(
            audience, channel, list_ids=list_ids, topic=campaign.topic, now=opened.clock(), after=0, through=2**47
        ).subquery()
        has_a_row = select(Delivery.address_id).where(Delivery.campaign_id == campaign.id, Delivery.channel == channel)
        missing += (
            session.scalar(select(func.count()).select_from(members).where(members.c.address_id.not_in(has_a_row))) or 0
        )
    return missing
