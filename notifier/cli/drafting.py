"""`notifier campaigns create`: from everything an officer may type to a draft, and how a campaign shows itself."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from notifier.accounts import users
from notifier.audiences.definitions import Audience
from notifier.audiences.reach import count
from notifier.bootstrap import House
from notifier.campaigns import desk
from notifier.campaigns.models import Campaign
from notifier.campaigns.options import Options
from notifier.campaigns.zones import zones_of
from notifier.cli import schedules
from notifier.cli.frame import ActorOption, JsonFlag, moment, tell
from notifier.cli.opening import house
from notifier.vocabulary import ChannelPolicy

# What an officer types for --channels; the two orders of "email,sms" mean the same.
_CHANNELS = {
    "email": ChannelPolicy.EMAIL,
    "sms": ChannelPolicy.SMS,
    "email,sms": ChannelPolicy.BOTH,
    "sms,email": ChannelPolicy.BOTH,
    "both": ChannelPolicy.BOTH,
    "email-then-sms": ChannelPolicy.EMAIL_THEN_SMS,
}

# ── what may be typed ────────────────────────────────────────────────────────────────────────────────────────────────

AdvisoryArgument = Annotated[str, typer.Argument(help="The advisory to send (`notifier advisories list`).")]
AudienceOption = Annotated[str, typer.Option(help="Who is to get it (`notifier audiences list`).")]
ChannelsOption = Annotated[str, typer.Option(help="email, sms, email,sms or email-then-sms.")]
AtOption = Annotated[str | None, typer.Option(help="When, as 2026-12-01T09:00+11:00; left out: once approved.")]
LocalOption = Annotated[str | None, typer.Option(help="When, where the recipient is, as '2026-12-01 09:00'.")]
StaggerOption = Annotated[str | None, typer.Option(help="Spread over a period in so many slots, as 2h/8.")]
PerHourOption = Annotated[int | None, typer.Option(min=1, help="Spread so that about so many get it an hour.")]
RecurringOption = Annotated[str | None, typer.Option(help="Again and again, as cron has it: '0 9 * * mon'.")]
ZoneOption = Annotated[str | None, typer.Option(help="The time zone of --recurring.")]
EveryWeeksOption = Annotated[int, typer.Option(min=1, help="Of --recurring, only every so many weeks.")]
UntilOption = Annotated[str | None, typer.Option(help="The end of --recurring.")]
CanaryOption = Annotated[int, typer.Option(min=0, help="So many go first, the rest after good results.")]
CanaryWaitOption = Annotated[float, typer.Option(min=0, help="How many minutes of good results.")]
CanaryYesOption = Annotated[bool, typer.Option("--canary-yes", help="The rest goes when a person says so.")]
MaxPerMinuteOption = Annotated[int, typer.Option(min=0, help="At most so many messages leave in a minute.")]
NightOption = Annotated[bool, typer.Option("--override-quiet-hours", help="For urgent campaigns: send at night too.")]
AfterBounceOption = Annotated[
    float, typer.Option(min=0, help="Under email-then-sms: for how many hours a hard bounce leads to an SMS.")
]
SecondLanguageOption = Annotated[
    str, typer.Option(help="A language below the reader's own in every email, such as en-AU.")
]
ExpiresOption = Annotated[str | None, typer.Option(help="After this moment nothing more of it is sent.")]
UrgentOption = Annotated[bool, typer.Option("--urgent", help="Overtake other campaigns.")]


def create(
    advisory: AdvisoryArgument,
    audience: AudienceOption,
    channels: ChannelsOption,
    actor: ActorOption,
    at: AtOption = None,
    local: LocalOption = None,
    stagger: StaggerOption = None,
    per_hour: PerHourOption = None,
    recurring: RecurringOption = None,
    zone: ZoneOption = None,
    every_weeks: EveryWeeksOption = 1,
    until: UntilOption = None,
    canary: CanaryOption = 0,
    canary_wait: CanaryWaitOption = 30.0,
    canary_yes: CanaryYesOption = False,
    max_per_minute: MaxPerMinuteOption = 0,
    override_quiet_hours: NightOption = False,
    sms_after_bounce: AfterBounceOption = 24.0,
    second_language: SecondLanguageOption = "",
    expires: ExpiresOption = None,
    urgent: UrgentOption = False,
    as_json: JsonFlag = False,
) -> None:
    """Draft a campaign."""
    wish = Wish(
        advisory=advisory,
        audience=audience,
        policy=_policy(channels),
        times=schedules.Typed(at, local, stagger, per_hour, recurring, zone, every_weeks, until),
        options=Options(
            canary_first=canary,
            canary_wait_s=canary_wait * 60,
            canary_yes=canary_yes,
            max_per_minute=max_per_minute,
            override_quiet_hours=override_quiet_hours,
            sms_after_bounce_s=sms_after_bounce * 3600,
            second_language=second_language,
        ),
        urgent=urgent,
        expires_at=moment(expires) if expires else None,
    )
    with house() as opened, opened.database.transaction() as session:
        campaign = _draft(session, wish, opened, actor)
        tell_campaign(campaign, as_json, f"Drafted. Next: notifier campaigns submit {campaign.id} --as {actor}")


@dataclass(frozen=True, slots=True)
class Wish:
    """What was typed, read but not yet held against audiences and clocks."""

    advisory: str
    audience: str
    policy: ChannelPolicy
    times: schedules.Typed
    options: Options
    urgent: bool
    expires_at: datetime | None


def tell_campaign(campaign: Campaign, as_json: bool, sentence: str) -> None:
    """Say what was done to a campaign, or print the campaign."""
    tell(as_dict(campaign), f"Campaign {campaign.id}: {sentence}", as_json=as_json)


def as_dict(campaign: Campaign) -> dict[str, Any]:
    """Return what a campaign says of itself, without its hashes."""
    moments = ("created_at", "submitted_at", "approved_at", "finished_at", "expires_at")
    words = ("code", "advisory", "readers", "topic", "audience", "channels", "status", "status_reason")
    people = ("created_by", "submitted_by", "approved_by")
    at = {name: getattr(campaign, name) for name in moments}
    return {
        "id": campaign.id,
        **{name: getattr(campaign, name) for name in (*words, *people)},
        "urgent": campaign.urgent,
        "schedule": campaign.schedule,
        "options": campaign.options,
        **{name: value.isoformat() if value else None for name, value in at.items()},
    }


def _policy(text: str) -> ChannelPolicy:
    policy = _CHANNELS.get(text.replace(" ", "").lower())
    if policy is None:
        raise typer.BadParameter(f"{text!r} is no choice of channels; write one of {', '.join(_CHANNELS)}")
    return policy


def _draft(session: Session, wish: Wish, opened: House, actor: str) -> Campaign:
    """Write a draft down. Raises what the desk refuses, BadParameter for times that do not go together."""
    papers, now = opened.papers, opened.clock()
    found = papers.audience(wish.audience)
    schedule = schedules.read(
        wish.times,
        zones=zones_of(session, found, papers.atlas),
        people=lambda: _people(session, found, wish.policy, now),
        now=now,
    )
    draft = desk.Draft(
        advisory=wish.advisory,
        audience=wish.audience,
        channels=wish.policy,
        schedule=schedule,
        options=wish.options,
        urgent=wish.urgent,
        expires_at=wish.expires_at,
    )
    return desk.draft(session, draft, papers, by=users.find(session, actor), now=now)


def _people(session: Session, audience: Audience, policy: ChannelPolicy, now: datetime) -> int:
    """Count the addresses a campaign will write to."""
    reach = count(session, audience, topic="", now=now)
    return sum(line.reachable for line in reach.channels if line.channel in policy.channels)
