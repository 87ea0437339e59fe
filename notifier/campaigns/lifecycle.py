"""The life of a campaign: its states, the arrows between them, and who may take which.

    draft ──▶ in_review ──▶ approved ──▶ sending ◀──▶ paused
                 │  ▲                       ◀──▶ held
                 ▼  │                       └──▶ sent
               returned                          any of these but sent ──▶ cancelled

`paused` is a person's act. `held` is ours: something is wrong, and a person must look before it goes on. Every change
is compare-and-set and leaves a line in the audit trail.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session

from notifier.accounts.audit import record
from notifier.accounts.models import User
from notifier.accounts.users import MAY_APPROVE, MAY_DRAFT, require
from notifier.campaigns.models import Campaign
from notifier.kit.errors import Conflict, NotFound
from notifier.vocabulary import ChannelPolicy, Readers

# Crockford's alphabet: no letter that reads as a digit, so that a code can be told over the telephone.
_CODE_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CODE_LENGTH = 8

# What the audit trail and the status line say when the machine acts.
NOTIFIER = "notifier"


class CampaignStatus(StrEnum):
    """Where a campaign stands."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    RETURNED = "returned"
    APPROVED = "approved"
    SENDING = "sending"
    PAUSED = "paused"
    HELD = "held"
    SENT = "sent"
    CANCELLED = "cancelled"


_S = CampaignStatus

ARROWS: dict[CampaignStatus, frozenset[CampaignStatus]] = {
    _S.DRAFT: frozenset({_S.IN_REVIEW, _S.CANCELLED}),
    _S.IN_REVIEW: frozenset({_S.APPROVED, _S.RETURNED, _S.CANCELLED}),
    _S.RETURNED: frozenset({_S.IN_REVIEW, _S.CANCELLED}),
    _S.APPROVED: frozenset({_S.SENDING, _S.HELD, _S.CANCELLED}),
    _S.SENDING: frozenset({_S.PAUSED, _S.HELD, _S.SENT, _S.CANCELLED}),
    _S.PAUSED: frozenset({_S.SENDING, _S.HELD, _S.CANCELLED}),
    _S.HELD: frozenset({_S.SENDING, _S.CANCELLED}),
    _S.SENT: frozenset(),
    _S.CANCELLED: frozenset(),
}


def create(
    session: Session,
    *,
    advisory: str,
    readers: Readers,
    topic: str,
    audience: str,
    channels: ChannelPolicy,
    schedule: Mapping[str, Any],
    options: Mapping[str, Any],
    urgent: bool,
    expires_at: datetime | None,
    by: User,
    now: datetime,
) -> Campaign:
    """Make a draft. The caller has checked that advisory and audience exist and fit each other."""
    require(by, MAY_DRAFT, "drafting a campaign")
    campaign = Campaign(
        code="".join(secrets.choice(_CODE_ALPHABET) for _ in range(_CODE_LENGTH)),
        advisory=advisory,
        readers=readers,
        topic=topic,
        audience=audience,
        channels=channels,
        schedule=dict(schedule),
        options=dict(options),
        accepted=[],
        urgent=urgent,
        expires_at=expires_at,
        status=_S.DRAFT,
        created_by=by.email,
        created_at=now,
    )
    session.add(campaign)
    session.flush()
    record(session, actor=by.email, action="campaign.created", subject=campaign.subject, at=now)
    return campaign


def find(session: Session, campaign_id: int) -> Campaign:
    """Return a campaign, as the database has it now. Raises NotFound."""
    campaign = session.scalar(
        select(Campaign).where(Campaign.id == campaign_id).execution_options(populate_existing=True)
    )
    if campaign is None:
        raise NotFound(f"There is no campaign {campaign_id}; `notifier campaigns list` shows every one")
    return campaign


def everything(session: Session) -> list[Campaign]:
    """Return all campaigns, oldest first."""
    return list(session.scalars(select(Campaign).order_by(Campaign.id)))


def submit(session: Session, campaign_id: int, *, by: User, fingerprint: str, now: datetime) -> Campaign:
    """Ask a second person to look. `fingerprint` is what they will be asked to approve."""
    require(by, MAY_DRAFT, "submitting a campaign")
    return _move(
        session,
        campaign_id,
        _S.IN_REVIEW,
        by=by.email,
        now=now,
        submitted_by=by.email,
        submitted_at=now,
        submitted_hash=fingerprint,
        status_reason=None,
    )


def approve(session: Session, campaign_id: int, *, by: User, fingerprint: str, now: datetime) -> Campaign:
    """Approve what was submitted, and nothing else.

    Raises Conflict if this is the person who drafted or submitted it, or if words, audience or schedule have changed.
    """
    require(by, MAY_APPROVE, "approving a campaign")
    campaign = find(session, campaign_id)
    if by.email in {campaign.created_by, campaign.submitted_by}:
        raise Conflict(
            f"{by.email} drafted or submitted campaign {campaign_id}; a second person has to approve it "
            "(`notifier campaigns approve` as another approver)"
        )
    if campaign.status == _S.IN_REVIEW and campaign.submitted_hash != fingerprint:
        raise Conflict(
            f"The words, the audience or the schedule of campaign {campaign_id} have changed since it was submitted; "
            f"return it (`notifier campaigns return {campaign_id}`), so that it is looked at and submitted again"
        )
    return _move(
        session,
        campaign_id,
        _S.APPROVED,
        by=by.email,
        now=now,
        approved_by=by.email,
        approved_at=now,
        approved_hash=fingerprint,
    )


def send_back(session: Session, campaign_id: int, *, by: User, reason: str, now: datetime) -> Campaign:
    """Return a campaign to its officer, saying why."""
    require(by, MAY_APPROVE, "returning a campaign")
    return _move(session, campaign_id, _S.RETURNED, by=by.email, now=now, status_reason=reason)


def start(session: Session, campaign_id: int, *, now: datetime) -> Campaign:
    """Begin to send: the first wave is due."""
    return _move(session, campaign_id, _S.SENDING, by=NOTIFIER, now=now, status_reason=None)


def pause(session: Session, campaign_id: int, *, by: User, reason: str | None, now: datetime) -> Campaign:
    """Stop sending until a person resumes it."""
    require(by, MAY_DRAFT, "pausing a campaign")
    return _move(session, campaign_id, _S.PAUSED, by=by.email, now=now, status_reason=reason)


def hold(session: Session, campaign_id: int, *, reason: str, now: datetime) -> Campaign:
    """Stop sending because something is wrong; the reason is a sentence for the person who has to look."""
    return _move(session, campaign_id, _S.HELD, by=NOTIFIER, now=now, status_reason=reason)


def resume(session: Session, campaign_id: int, *, by: User, now: datetime) -> Campaign:
    """Go on sending after a pause or a hold."""
    require(by, MAY_DRAFT, "resuming a campaign")
    campaign = find(session, campaign_id)
    if campaign.status not in {_S.PAUSED, _S.HELD}:
        raise Conflict(f"Campaign {campaign_id} is {campaign.status}; only a paused or held one can be resumed")
    return _move(session, campaign_id, _S.SENDING, by=by.email, now=now, status_reason=None)


def cancel(session: Session, campaign_id: int, *, by: User, reason: str | None, now: datetime) -> Campaign:
    """End a campaign for good; what has left stays sent."""
    require(by, MAY_DRAFT, "cancelling a campaign")
    return _move(session, campaign_id, _S.CANCELLED, by=by.email, now=now, status_reason=reason, finished_at=now)


def finish(session: Session, campaign_id: int, *, now: datetime) -> Campaign:
    """Close a campaign whose every delivery has left or was held back."""
    return _move(session, campaign_id, _S.SENT, by=NOTIFIER, now=now, finished_at=now)


def _move(
    session: Session, campaign_id: int, to: CampaignStatus, *, by: str, now: datetime, **values: object
) -> Campaign:
    """Take one arrow if the campaign stands where the arrow begins, and say in the audit trail who did."""
    before = find(session, campaign_id).status
    moved = session.execute(
        update(Campaign)
        .where(Campaign.id == campaign_id, Campaign.status.in_([s for s, ends in ARROWS.items() if to in ends]))
        .values(status=to, **values),
        execution_options={"synchronize_session": False},
    )
    if not isinstance(moved, CursorResult) or moved.rowcount != 1:
        raise Conflict(f"Campaign {campaign_id} is {before}; it cannot become {to} from there")
    campaign = find(session, campaign_id)
    record(
        session,
        actor=by,
        action=f"campaign.{to}",
        subject=campaign.subject,
        at=now,
        reason=campaign.status_reason,
        detail={"from": before},
    )
    return campaign
