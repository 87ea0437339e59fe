"""Who will really get what, before anybody approves it, and what stands in the way.

The content room judges; here the recipients of a campaign are counted and its findings are accepted. Nothing is
accepted in general: an officer names the finding, or the rule whose present findings they accept, and what was accepted
is part of what the approval is bound to. A finding that nobody accepted stops the campaign at submission, and again at
approval if it has come up since.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier.accounts.models import User
from notifier.audiences import segments, slices
from notifier.campaigns import options
from notifier.campaigns.approval import Papers
from notifier.campaigns.models import Campaign
from notifier.content.checks import Checker
from notifier.content.coverage import Coverage, CoverageFinding, Wish, coverage
from notifier.content.render import RenderContext, Renderer
from notifier.content.settings import ContentSettings
from notifier.kit.errors import Conflict, Invalid
from notifier.vocabulary import Channel, ChannelPolicy, Readers

# So many findings are spelled out in a refusal; `campaigns coverage` shows them all.
_SPELLED_OUT = 5


@dataclass(frozen=True, slots=True)
class Proof:
    """What a coverage is made with: the words and numbers, what renders them, and what they are held against."""

    papers: Papers
    renderer: Renderer
    checker: Checker
    context: RenderContext
    settings: ContentSettings


def coverage_of(session: Session, campaign: Campaign, proof: Proof, *, now: datetime) -> Coverage:
    """Return what each recipient of a campaign would get if it were sent now, and every finding."""
    advisory = proof.papers.library.advisory(campaign.advisory)
    second = options.read(campaign.options).second_language
    context = replace(proof.context, code=campaign.code, today=now.date(), second_language=second)
    readers = Readers(campaign.readers)
    wishes = _wishes(session, campaign, proof.papers, now)
    return coverage(proof.renderer, proof.checker, advisory, readers, wishes, context, proof.settings)


def accept(
    session: Session, campaign: Campaign, proof: Proof, named: Collection[str], *, by: User, now: datetime
) -> None:
    """Accept findings by their key, or all present ones of a rule by its name. Raises Invalid for what is neither."""
    found = coverage_of(session, campaign, proof, now=now)
    chosen = [finding for finding in found.acceptable if finding.key in named or finding.rule in named]
    unknown = set(named) - {finding.key for finding in chosen} - {finding.rule for finding in chosen}
    if unknown:
        raise Invalid(
            f"{', '.join(sorted(unknown))} is no finding of campaign {campaign.id} that can be accepted; "
            f"`notifier campaigns coverage {campaign.id}` shows those there are"
        )
    known = {entry["key"] for entry in campaign.accepted}
    campaign.accepted = [
        *campaign.accepted,
        *(_entry(finding, by, now) for finding in chosen if finding.key not in known),
    ]
    session.flush()


def refuse_unaccepted(session: Session, campaign: Campaign, proof: Proof, *, now: datetime) -> None:
    """Raise Conflict while a finding blocks, or may be accepted and has not been."""
    found = coverage_of(session, campaign, proof, now=now)
    if not found.lines:
        raise Conflict(
            f"Campaign {campaign.id} reaches nobody; `notifier audiences count {campaign.audience}` says why"
        )
    if found.blocking:
        raise Conflict(f"Campaign {campaign.id} cannot go: {_spelled_out(found.blocking)}")
    accepted = {entry["key"] for entry in campaign.accepted}
    left = [finding for finding in found.acceptable if finding.key not in accepted]
    if left:
        rules = " ".join(f"--accept {rule}" for rule in sorted({finding.rule for finding in left}))
        raise Conflict(
            f"Somebody has to answer for what campaign {campaign.id} would do: {_spelled_out(left)}. Look at "
            f"`notifier campaigns coverage {campaign.id}`, then submit it with {rules}"
        )


def _wishes(session: Session, campaign: Campaign, papers: Papers, now: datetime) -> list[Wish]:
    """Count the recipients of each language and region on each channel."""
    audience = papers.audience(campaign.audience)
    list_ids = segments.lists_of(session, audience)
    found: list[Wish] = []
    for channel in ChannelPolicy(campaign.channels).channels:
        span = slices.span(session, audience, channel, list_ids)
        who: dict[str, Any] = {
            "list_ids": list_ids,
            "topic": campaign.topic,
            "now": now,
            "after": span.after,
            "through": span.through,
        }
        members = segments.members(audience, channel, **who)
        if channel is Channel.SMS and campaign.channels == ChannelPolicy.EMAIL_THEN_SMS:
            members = segments.members_not_reached_by_email(audience, **who)
        reached = members.subquery()
        rows = session.execute(
            select(reached.c.wanted_language, reached.c.region, func.count())
            .where(reached.c.hold_back.is_(None))
            .group_by(reached.c.wanted_language, reached.c.region)
        )
        found += [Wish(channel, wanted, region, count) for wanted, region, count in rows]
    return found


def _entry(finding: CoverageFinding, by: User, now: datetime) -> dict[str, Any]:
    return {"key": finding.key, "message": finding.message, "by": by.email, "at": now.isoformat()}


def _spelled_out(findings: Collection[CoverageFinding]) -> str:
    messages = [finding.message for finding in findings][:_SPELLED_OUT]
    more = len(findings) - len(messages)
    return "; ".join(messages) + (f"; and {more} more" if more else "")
