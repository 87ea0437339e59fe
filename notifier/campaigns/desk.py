"""The officer's desk: draft a campaign from an advisory and an audience that fit each other, and submit it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from notifier.accounts.models import User
from notifier.audiences.segments import Audience
from notifier.campaigns import lifecycle
from notifier.campaigns.approval import Papers, fingerprint
from notifier.campaigns.coverage import Proof, accept, refuse_unaccepted
from notifier.campaigns.models import Campaign
from notifier.campaigns.options import Options
from notifier.content.library import Advisory
from notifier.kit.errors import Conflict, Invalid
from notifier.vocabulary import ChannelPolicy


@dataclass(frozen=True, slots=True)
class Draft:
    """What an officer asks for."""

    advisory: str
    audience: str
    channels: ChannelPolicy
    schedule: Mapping[str, Any]
    options: Options = field(default_factory=Options)
    urgent: bool = False
    expires_at: datetime | None = None


def draft(session: Session, wish: Draft, papers: Papers, *, by: User, now: datetime) -> Campaign:
    """Make a draft. Raises NotFound for an unknown advisory or audience, Invalid where the two do not fit."""
    advisory = papers.library.advisory(wish.advisory)
    audience = papers.audience(wish.audience)
    _check_fit(wish, advisory, audience, papers)
    wish.options.check(urgent=wish.urgent)
    _check_end(wish, now)
    return lifecycle.create(
        session,
        advisory=advisory.name,
        readers=audience.readers,
        topic=advisory.topic,
        audience=audience.name,
        channels=wish.channels,
        schedule=wish.schedule,
        options=wish.options.chosen(),
        urgent=wish.urgent,
        expires_at=wish.expires_at,
        by=by,
        now=now,
    )


def submit(
    session: Session, campaign_id: int, proof: Proof, *, accepting: Collection[str] = (), by: User, now: datetime
) -> Campaign:
    """Submit a campaign as words, audience and schedule are now, answering for the findings named.

    Raises Conflict while a finding blocks or nobody answers for it.
    """
    campaign = lifecycle.find(session, campaign_id)
    if accepting:
        accept(session, campaign, proof, accepting, by=by, now=now)
    refuse_unaccepted(session, campaign, proof, now=now)
    current = fingerprint(campaign, proof.papers, today=now.date())
    return lifecycle.submit(session, campaign_id, by=by, fingerprint=current, now=now)


def look_again(session: Session, campaign_id: int, proof: Proof, *, now: datetime) -> str:
    """Return the fingerprint of a campaign for its approver. Raises Conflict if a finding has come up since."""
    campaign = lifecycle.find(session, campaign_id)
    refuse_unaccepted(session, campaign, proof, now=now)
    return fingerprint(campaign, proof.papers, today=now.date())


def _check_end(wish: Draft, now: datetime) -> None:
    """Refuse an end before the beginning: such a campaign would hold back everybody without a word."""
    end = wish.expires_at
    if end is None:
        return
    if end <= now:
        raise Invalid(
            f"The campaign would have expired already at {end.isoformat()}; give a time that is still to come"
        )
    begin = wish.schedule.get("start", wish.schedule).get("at")
    if begin is not None and end <= datetime.fromisoformat(begin):
        raise Invalid(f"The campaign would expire at {end.isoformat()}, before it goes out at {begin}")


def _check_fit(wish: Draft, advisory: Advisory, audience: Audience, papers: Papers) -> None:
    if audience.readers not in advisory.readers:
        raise Invalid(
            f"The advisory {advisory.name} has no text for {audience.readers}, who are the readers of the audience "
            f"{audience.name}; it has texts for {', '.join(advisory.readers)}"
        )
    if audience.topics and advisory.topic not in audience.topics:
        raise Conflict(
            f"The audience {audience.name} may be written to about {', '.join(audience.topics)} only; the advisory "
            f"{advisory.name} is about {advisory.topic}. Choose another audience, or add the topic to its file"
        )
    for channel in wish.channels.channels:
        if channel not in advisory.channels:
            raise Invalid(f"The advisory {advisory.name} has no text for the channel {channel}")
    for region in audience.regions:
        if not any(papers.atlas.belongs(region, group) for group in advisory.regions):
            raise Conflict(
                f"The advisory {advisory.name} is for {', '.join(advisory.regions)}; the audience {audience.name} "
                f"reaches {region}"
            )
