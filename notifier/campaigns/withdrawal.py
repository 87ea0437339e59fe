"""Taking a message back: what has left cannot be recalled, but its official page can say that it was wrong.

Whoever checks the message on its page then reads why it was withdrawn and, where there is one, the corrected message.
"""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from notifier.accounts.audit import record
from notifier.accounts.models import User
from notifier.accounts.users import MAY_DRAFT, require
from notifier.campaigns.models import Campaign
from notifier.kit.errors import Conflict, NotFound


def withdraw(
    session: Session, campaign_id: int, *, by: User, note: str, replaced_by: str | None, now: datetime
) -> Campaign:
    """Mark a campaign's message as withdrawn; `replaced_by` is the code of the corrected one.

    Raises NotFound for a campaign or code that does not exist, Conflict if it was withdrawn before.
    """
    require(by, MAY_DRAFT, "withdrawing a message")
    campaign = session.get(Campaign, campaign_id, populate_existing=True)
    if campaign is None:
        raise NotFound(f"There is no campaign {campaign_id}; `notifier campaigns list` shows every one")
    if campaign.withdrawn_at is not None:
        raise Conflict(f"The message of campaign {campaign_id} was withdrawn on {campaign.withdrawn_at:%d %B %Y}")
    if replaced_by is not None and session.scalar(select(Campaign.id).where(Campaign.code == replaced_by)) is None:
        raise NotFound(f"No message has the code {replaced_by}; `notifier campaigns list` shows every campaign's code")
    session.execute(
        update(Campaign)
        .where(Campaign.id == campaign_id)
        .values(withdrawn_at=now, withdrawn_by=by.email, withdrawal_note=note, replaced_by=replaced_by)
    )
    record(
        session,
        actor=by.email,
        action="campaign.message_withdrawn",
        subject=campaign.subject,
        at=now,
        reason=note,
        detail={"replaced_by": replaced_by},
    )
    session.refresh(campaign)
    return campaign
