"""After a storm: wait until everything has settled, then hold the ledger against what was really received."""

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier.bench.comparison import compare
from notifier.bench.neighbours import Neighbours
from notifier.bench.people import WITNESS, approved_campaign
from notifier.bootstrap import House
from notifier.campaigns.lifecycle import CampaignStatus
from notifier.campaigns.models import Campaign
from notifier.delivery.models import Attempt, Delivery, Wave
from notifier.delivery.status import DeliveryStatus
from notifier.kit.reachable import DatabaseUnavailable
from notifier.vocabulary import ChannelPolicy

PATIENCE_S = 600.0
_OPEN = (DeliveryStatus.QUEUED, DeliveryStatus.SENDING, DeliveryStatus.UNKNOWN)
# Without news of anybody silence proves nothing, so while doubts are open somebody else is written to now and then.
_WITNESS_EVERY_S = 6.0


@dataclass
class Outcome:
    """What came of it. `asked_of_provider` says how many calls ended in doubt, by what the proof said.

    `held` is why the campaign waits for a person, if it does: then nothing more would come.
    """

    database: str
    recipients: int
    kills: int = 0
    restarts_after_dying: int = 0
    missed: int = 0
    duplicates: int = 0
    unknown: int = 0
    received: int = 0
    asked_of_provider: dict[str, int] = field(default_factory=dict)
    mishap: str = ""
    held: str = ""
    open_deliveries: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def is_clean(self) -> bool:
        """Whether nobody was missed, nobody written to twice, and nothing is left unknown."""
        return not (self.missed or self.duplicates or self.unknown)

    def as_dict(self) -> dict[str, Any]:
        """Return the form programs read."""
        return asdict(self)


def start_again(neighbours: Neighbours, outcome: Outcome) -> None:
    """Do what a supervisor does: whatever has ended by itself is started again."""
    for part in [one for one in neighbours.parts if one.process.poll() is not None]:
        neighbours.kill(part)
        neighbours.spawn(part.name)
        outcome.restarts_after_dying += 1


def settle_down(neighbours: Neighbours, opened: House, outcome: Outcome, campaign: int) -> None:
    """Wait until nothing of a campaign is open, letting a witness be written to meanwhile, and compare."""
    campaigns = [campaign]
    deadline = time.monotonic() + PATIENCE_S
    witnessed = time.monotonic()
    while time.monotonic() < deadline and not _has_settled(opened, campaigns):
        outcome.held = why_held(opened, campaign)
        if outcome.held:
            break
        start_again(neighbours, outcome)
        if time.monotonic() - witnessed > _WITNESS_EVERY_S:
            campaigns.append(approved_campaign(opened, ChannelPolicy.EMAIL, audience=WITNESS))
            witnessed = time.monotonic()
        time.sleep(0.3)
    with opened.database.reading() as session:
        outcome.open_deliveries = open_deliveries(session, campaign)
        outcome.asked_of_provider = _doubts(session)
    found = compare(opened, neighbours.references(), [campaign])
    outcome.unknown = outcome.open_deliveries.get(DeliveryStatus.UNKNOWN, 0)
    outcome.missed = found.missed - outcome.unknown
    outcome.duplicates = found.duplicates
    outcome.received = found.received


def open_deliveries(session: Session, campaign: int) -> dict[str, int]:
    """Count the deliveries of a campaign that may still change what it can say of itself."""
    rows = session.execute(
        select(Delivery.status, func.count())
        .where(Delivery.campaign_id == campaign, Delivery.status.in_(_OPEN))
        .group_by(Delivery.status)
    )
    return dict(rows.all())


def why_held(opened: House, campaign: int) -> str:
    """Return why a campaign waits for a person, nothing if it does not."""
    with opened.database.reading() as session:
        status, reason = session.execute(
            select(Campaign.status, Campaign.status_reason).where(Campaign.id == campaign)
        ).one()
    return (reason or "") if status == CampaignStatus.HELD else ""


def _has_settled(opened: House, campaigns: list[int]) -> bool:
    try:
        with opened.database.reading() as session:
            unplanned = session.scalar(
                select(Wave.id).where(Wave.campaign_id.in_(campaigns), Wave.status == "pending").limit(1)
            )
            return unplanned is None and open_deliveries(session, campaigns[0]) == {}
    except DatabaseUnavailable:
        return False


def _doubts(session: Session) -> dict[str, int]:
    """Count the calls that ended in doubt, by provider and what the proof said (open: nothing yet)."""
    rows = session.execute(
        select(Attempt.provider, Attempt.doubt, Attempt.outcome, func.count())
        .where(Attempt.doubt.is_not(None))
        .group_by(Attempt.provider, Attempt.doubt, Attempt.outcome)
    )
    return {
        f"{provider}: {outcome if doubt == 'settled' else doubt}": amount for provider, doubt, outcome, amount in rows
    }
