"""Guards: a campaign that goes wrong too often is held, with the reason in words, until a person resumes it.

Each channel is judged by itself, so that emails that bounce are not hidden by text messages that arrive. Hard bounces
and complaints are counted as their events are applied; what was sent and what the provider refused is known from
`delivery.calls`. So a look costs little however large the campaign is. After a hold only what comes later is judged:
the guard does not fire again for what a person has already seen.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from notifier.campaigns.lifecycle import CampaignStatus
from notifier.campaigns.models import Campaign
from notifier.delivery import calls, control
from notifier.delivery.calls import CallLine
from notifier.delivery.models import GuardCount
from notifier.vocabulary import Channel

_KEY = ("campaign_id", "channel")
_NUMBERS = (
    *("hard_bounces", "complaints"),
    *("seen_hard_bounces", "seen_complaints", "seen_sent", "seen_calls", "seen_errors"),
)


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """`[guards]`: from how many on, and at what share in percent, a campaign is held.

    `hard_bounce_percent` and `complaint_percent` are shares of the messages providers took, judged from
    `hard_bounce_from` and `complaint_from` messages on (Gmail and Yahoo ask for less than 0.3 % complaints);
    `error_percent` is the share of calls to a provider that were refused or unanswered, from `error_from` calls on.
    Each channel is judged by itself; a call some of whose messages were refused counts with their share.
    """

    hard_bounce_percent: float = 10.0
    hard_bounce_from: int = 1_000
    complaint_percent: float = 0.3
    complaint_from: int = 1_000
    error_percent: float = 50.0
    error_from: int = 100


@dataclass(frozen=True, slots=True)
class Totals:
    """What one channel of a campaign has come to."""

    sent: int
    calls: int
    error_permille: int
    hard_bounces: int
    complaints: int


@dataclass(frozen=True, slots=True)
class Found:
    """Hard bounces and complaints of one channel of a campaign that have just become known."""

    campaign_id: int
    channel: str
    hard_bounces: int
    complaints: int


def note(session: Session, found: Iterable[Found]) -> None:
    """Add what has just become known."""
    insert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
    # In one order, so that two that count at once never wait for each other in a circle.
    for one in sorted(found, key=lambda one: (one.campaign_id, one.channel)):
        values = dict.fromkeys(_NUMBERS, 0) | {
            "campaign_id": one.campaign_id,
            "channel": one.channel,
            "hard_bounces": one.hard_bounces,
            "complaints": one.complaints,
        }
        session.execute(
            insert(GuardCount)
            .values(values)
            .on_conflict_do_update(
                index_elements=_KEY,
                set_={
                    "hard_bounces": GuardCount.hard_bounces + one.hard_bounces,
                    "complaints": GuardCount.complaints + one.complaints,
                },
            )
        )


def watch(session: Session, settings: GuardSettings, *, now: datetime) -> list[int]:
    """Judge every campaign that is sending; hold those that go wrong on a channel, and return them."""
    sending = session.scalars(select(Campaign.id).where(Campaign.status == CampaignStatus.SENDING)).all()
    return [campaign_id for campaign_id in sending if _judge(session, campaign_id, settings, now)]


def over_limits(session: Session, campaign_id: int, settings: GuardSettings) -> list[str]:
    """Say in words where all of a campaign is over a limit, also where it was through, or too small, to be judged."""
    made = calls.lines(session, campaign_id)
    kept = {
        row.channel: row for row in session.scalars(select(GuardCount).where(GuardCount.campaign_id == campaign_id))
    }
    found = []
    for channel in Channel:
        nothing = GuardCount(campaign_id=campaign_id, channel=channel, **dict.fromkeys(_NUMBERS, 0))
        totals = _totals(made, kept.get(channel, nothing))
        words = [check.in_words() for check in _checks(totals, nothing, settings) if check.is_over]
        found += [f"By {channel.word}, {' '.join(words)}"] if words else []
    return found


def _judge(session: Session, campaign_id: int, settings: GuardSettings, now: datetime) -> bool:
    wrong = []
    made = calls.lines(session, campaign_id)
    for channel in Channel:
        seen = _seen(session, campaign_id, channel)
        totals = _totals(made, seen)
        found = [check.in_words() for check in _checks(totals, seen, settings) if check.is_judged and check.is_over]
        if not found:
            continue
        seen.seen_sent, seen.seen_calls, seen.seen_errors = totals.sent, totals.calls, totals.error_permille
        seen.seen_hard_bounces, seen.seen_complaints = totals.hard_bounces, totals.complaints
        wrong.append(f"By {channel.word}, {' '.join(found)}")
    if wrong:
        session.flush()
        way_out = "Look into it, then resume or cancel; what has happened so far is not judged again."
        control.hold(session, campaign_id, reason=" ".join([*wrong, way_out]), now=now)
    return bool(wrong)


def _seen(session: Session, campaign_id: int, channel: Channel) -> GuardCount:
    wanted = (
        select(GuardCount).where(GuardCount.campaign_id == campaign_id, GuardCount.channel == channel).with_for_update()
    )
    kept = session.scalar(wanted)
    if kept is None:
        note(session, [Found(campaign_id, channel, 0, 0)])
        kept = session.scalars(wanted).one()
    return kept


def _totals(made: Iterable[CallLine], kept: GuardCount) -> Totals:
    closed = [line for line in made if line.channel == kept.channel and line.outcome != calls.UNDER_WAY]
    return Totals(
        sent=sum(line.taken for line in closed),
        calls=sum(line.calls for line in closed),
        error_permille=sum(line.refused_permille for line in closed),
        hard_bounces=kept.hard_bounces,
        complaints=kept.complaints,
    )


@dataclass(frozen=True, slots=True)
class _Check:
    """One limit, and what has come up to it since a person last looked."""

    number: float
    of_how_many: int
    judged_from: int
    limit: float
    what: str

    @property
    def is_over(self) -> bool:
        return self.number * 100 > self.limit * self.of_how_many

    @property
    def is_judged(self) -> bool:
        return self.of_how_many >= self.judged_from

    def in_words(self) -> str:
        share = self.number * 100 / self.of_how_many
        found = (
            f"{self.number:.0f} of {self.of_how_many} {self.what}: {share:.1f} %, and the limit is {self.limit:g} %."
        )
        return found if self.is_judged else f"{found} Guards judge from {self.judged_from} on."


def _checks(totals: Totals, seen: GuardCount, settings: GuardSettings) -> tuple[_Check, ...]:
    sent, calls_made = totals.sent - seen.seen_sent, totals.calls - seen.seen_calls
    bounced, complained = totals.hard_bounces - seen.seen_hard_bounces, totals.complaints - seen.seen_complaints
    return (
        _Check(bounced, sent, settings.hard_bounce_from, settings.hard_bounce_percent, "messages bounced hard"),
        _Check(complained, sent, settings.complaint_from, settings.complaint_percent, "messages were complained about"),
        _Check(
            (totals.error_permille - seen.seen_errors) / 1000,
            calls_made,
            settings.error_from,
            settings.error_percent,
            "calls to the provider were refused or went unanswered",
        ),
    )
