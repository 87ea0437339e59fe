"""What anybody may know about a message by its code: that it is real, what it says and to where, or that it was wrong.

Nothing about a recipient is ever part of the answer, and a message that has not gone out does not exist yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.campaigns.models import Campaign
from notifier.content.pinned import OfficialPage
from notifier.delivery.models import Variant
from notifier.delivery.variants import PAGE
from notifier.vocabulary import Readers

# Letters that Crockford's alphabet leaves out, and what somebody who wrote one meant.
_MEANT = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_MAX_CODE = 40


@dataclass(frozen=True, slots=True)
class OfficialMessage:
    """One message that went out. `regions` are where it went; `replaced_by` is the code of a corrected message.

    `kept` are the languages and regions whose text was kept as approved, and what each was made from
    (`content.pinned.basis`). None is left when the retention clock of contents has run out.
    """

    campaign_id: int
    code: str
    advisory: str
    readers: Readers
    sent_on: date
    regions: tuple[str, ...]
    withdrawn_at: datetime | None
    withdrawal_note: str | None
    replaced_by: str | None
    kept: Mapping[tuple[str, str], str]

    def basis(self, region: str) -> str | None:
        """Return what a region's pages were made from, None if nothing is kept of it."""
        return next((basis for (_, place), basis in self.kept.items() if place == region), None)


def read_code(text: str) -> str:
    """Return a code as it is kept, from what somebody typed off a screen or heard over the telephone."""
    return text.strip().upper()[:_MAX_CODE].translate(_MEANT)


def official_message(session: Session, code: str) -> OfficialMessage | None:
    """Return the message of a code, or None if nothing has gone out under it."""
    campaign = session.scalar(select(Campaign).where(Campaign.code == read_code(code)))
    if campaign is None or campaign.approved_at is None:
        return None
    variants = session.execute(
        select(Variant.language, Variant.region, Variant.content[PAGE]["basis"].as_string())
        .where(Variant.campaign_id == campaign.id)
        .order_by(Variant.region, Variant.id)
    ).all()
    if not variants:
        return None
    return OfficialMessage(
        campaign_id=campaign.id,
        code=campaign.code,
        advisory=campaign.advisory,
        readers=Readers(campaign.readers),
        sent_on=campaign.approved_at.date(),
        regions=tuple(dict.fromkeys(region for _, region, _ in variants)),
        withdrawn_at=campaign.withdrawn_at,
        withdrawal_note=campaign.withdrawal_note,
        replaced_by=campaign.replaced_by,
        kept={(language, region): basis for language, region, basis in variants if basis},
    )


def kept_page(session: Session, message: OfficialMessage, language: str, region: str) -> OfficialPage | None:
    """Return the text of a message as it was approved, or None if nothing is kept in this language for this region."""
    pages = session.scalars(
        select(Variant.content[PAGE])
        .where(Variant.campaign_id == message.campaign_id, Variant.language == language, Variant.region == region)
        .order_by(Variant.channel)
    )
    page = next((page for page in pages if page), None)
    return OfficialPage(**page) if page else None
