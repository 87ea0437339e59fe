"""Guards: a campaign that goes wrong too often is held, with the reason in words, until a person resumes it.

Hard bounces and complaints are counted as their events are applied, a few rows at a time; what was sent and what the
provider refused is added up from the attempts, one row per call. So a look costs little however large the campaign is.
After a hold only what comes later is judged: the guard does not fire again for what a person has already seen.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from notifier.campaigns.lifecycle import CampaignStatus
from notifier.campaigns.models import Campaign
from notifier.delivery import control
from notifier.delivery.models import Attempt, GuardCount

_TAKEN = ("accepted", "partly", "taken", "partly_taken")
_ERRORS = ("temporary", "permanent", "ambiguous", "cut_off", "not_taken")


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """`[guards]`: from how many on, and at what share in percent, a campaign is held.

    `hard_bounce_percent` and `complaint_percent` are shares of the messages providers took, judged from
    `hard_bounce_from` and `complaint_from` messages on (Gmail and Yahoo ask for less than 0.3 % complaints);
    `error_percent` is the share of calls to a provider that were refused or unanswered, from `error_from` calls on.
    """

    hard_bounce_percent: float = 10.0
    hard_bounce_from: int = 1_000
    complaint_percent: float = 0.3
    complaint_from: int = 1_000
    error_percent: float = 50.0
    error_from: int = 100


@dataclass(frozen=True, slots=True)
class Totals:
    """What a campaign has come to."""

    sent: int
    calls: int
    errors: int
    hard_bounces: int
    complaints: int


def note(session: Session, found: Iterable[tuple[int, int, int]]) -> None:
    """Add (campaign id, hard bounces, complaints) that have just become known."""
    insert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
    names = ("seen_hard_bounces", "seen_complaints", "seen_sent", "seen_calls", "seen_errors")
    # In the order of their ids, so that two that count at once never wait for each other in a circle.
    for campaign_id, hard_bounces, complaints in sorted(found):
        values = dict.fromkeys(names, 0) | {
            "campaign_id": campaign_id,
            "hard_bounces": hard_bounces,
            "complaints": complaints,
        }
        session.execute(
            insert(GuardCount)
            .values(values)
            .on_conflict_do_update(
                index_elements=["campaign_id"],
                set_={
                    "hard_bounces": GuardCount.hard_bounces + hard_bounces,
                    "complaints": GuardCount.complaints + complaints,
                },
            )
        )


def watch(session: Session, settings: GuardSettings, *, now: datetime) -> list[int]:
    """Judge every campaign that is sending; hold those that go wrong, and return them."""
    held = []
    for campaign_id in session.scalars(select(Campaign.id).where(Campaign.status == CampaignStatus.SENDING)).all():
        seen = _seen(session, campaign_id)
        totals = _totals(session, campaign_id, seen)
        wrong = _wrong(totals, seen, settings)
        if wrong is None:
            continue
        seen.seen_sent, seen.seen_calls, seen.seen_errors = totals.sent, totals.calls, totals.errors
        seen.seen_hard_bounces, seen.seen_complaints = totals.hard_bounces, totals.complaints
        session.flush()
        reason = f"{wrong} Look into it, then resume or cancel; what has happened so far is not judged again."
        control.hold(session, campaign_id, reason=reason, now=now)
        held.append(campaign_id)
    return held


def _seen(session: Session, campaign_id: int) -> GuardCount:
    kept = session.scalar(select(GuardCount).where(GuardCount.campaign_id == campaign_id).with_for_update())
    if kept is None:
        note(session, [(campaign_id, 0, 0)])
        kept = session.scalars(select(GuardCount).where(GuardCount.campaign_id == campaign_id).with_for_update()).one()
    return kept


def _totals(session: Session, campaign_id: int, kept: GuardCount) -> Totals:
    sent, calls, errors = session.execute(
        select(
            func.coalesce(func.sum(Attempt.recipients).filter(Attempt.outcome.in_(_TAKEN)), 0),
            func.count(Attempt.outcome),
            func.count().filter(Attempt.outcome.in_(_ERRORS)),
        ).where(Attempt.campaign_id == campaign_id)
    ).one()
    return Totals(sent, calls, errors, kept.hard_bounces, kept.complaints)


def _wrong(totals: Totals, seen: GuardCount, settings: GuardSettings) -> str | None:
    """Say what goes wrong since a person last looked, or None."""
    sent, calls = totals.sent - seen.seen_sent, totals.calls - seen.seen_calls
    checks = (
        (
            totals.hard_bounces - seen.seen_hard_bounces,
            sent,
            settings.hard_bounce_from,
            settings.hard_bounce_percent,
            "messages bounced hard",
        ),
        (
            totals.complaints - seen.seen_complaints,
            sent,
            settings.complaint_from,
            settings.complaint_percent,
            "messages were complained about",
        ),
        (
            totals.errors - seen.seen_errors,
            calls,
            settings.error_from,
            settings.error_percent,
            "calls to the provider were refused or went unanswered",
        ),
    )
    for number, of_how_many, at_least, limit, what in checks:
        if of_how_many >= at_least and number * 100 > limit * of_how_many:
            share = number * 100 / of_how_many
            return f"{number} of {of_how_many} {what}: {share:.1f} %, and the limit is {limit:g} %."
    return None
