"""What anybody may know about a message by its code: that it is real, what it says and to where, or that it was wrong.

Nothing about a recipient is ever part of the answer, and a message that has not gone out does not exist yet.
"""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.campaigns.models import Campaign
from notifier.delivery.models import Variant
from notifier.vocabulary import Readers

# Letters that Crockford's alphabet leaves out, and what somebody who wrote one meant.
_MEANT = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_MAX_CODE = 40


@dataclass(frozen=True, slots=True)
class OfficialMessage:
    """One message that went out. `regions` are where it went; `replaced_by` is the code of a corrected message."""

    code: str
    advisory: str
    readers: Readers
    sent_on: date
    regions: tuple[str, ...]
    withdrawn_at: datetime | None
    withdrawal_note: str | None
    replaced_by: str | None


def read_code(text: str) -> str:
    """Return a code as it is kept, from what somebody typed off a screen or heard over the telephone."""
    return text.strip().upper()[:_MAX_CODE].translate(_MEANT)


def official_message(session: Session, code: str) -> OfficialMessage | None:
    """Return the message of a code, or None if nothing has gone out under it."""
    campaign = session.scalar(select(Campaign).where(Campaign.code == read_code(code)))
    if campaign is None or campaign.approved_at is None:
        return None
    regions = session.scalars(
        select(Variant.region).where(Variant.campaign_id == campaign.id).distinct().order_by(Variant.region)
    ).all()
    if not regions:
        return None
    return OfficialMessage(
        code=campaign.code,
        advisory=campaign.advisory,
        readers=Readers(campaign.readers),
        sent_on=campaign.approved_at.date(),
        regions=tuple(regions),
        withdrawn_at=campaign.withdrawn_at,
        withdrawal_note=campaign.withdrawal_note,
        replaced_by=campaign.replaced_by,
    )
