"""`notifier campaigns`: draft, have approved, send, watch."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

import typer
from sqlalchemy.orm import Session

from notifier.accounts import users
from notifier.audiences.definitions import Audience
from notifier.audiences.reach import count
from notifier.campaigns import desk, lifecycle, options, schedule, withdrawal
from notifier.campaigns.coverage import coverage_of
from notifier.campaigns.models import Campaign
from notifier.campaigns.options import Options
from notifier.campaigns.zones import zones_of
from notifier.cli import schedules
from notifier.cli.frame import (
    LARGEST_ID,
    ActorOption,
    IdArgument,
    JsonFlag,
    house,
    moment,
    print_json,
    print_table,
    say,
)
from notifier.cli.reconcile import reconcile
from notifier.cli.reports import note_listing, report
from notifier.delivery import control, doubt, waves
from notifier.delivery.doubt import Doubt
from notifier.delivery.models import Wave
from notifier.delivery.status import DeliveryStatus
from notifier.kit.clock import utc_now
from notifier.reports import progress as reports
from notifier.reports.words import masked
from notifier.vocabulary import Channel, ChannelPolicy

app = typer.Typer(help="Draft, have approved, send and watch campaigns.", no_args_is_help=True)

ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the audit trail.")]

# So many waves or doubts are shown in a table; --json has them all.
_SHOWN = 20

# What an officer types for --channels; the two orders of "email,sms" mean the same.
_CHANNELS = {
    "email": ChannelPolicy.EMAIL,
    "sms": ChannelPolicy.SMS,
    "email,sms": ChannelPolicy.BOTH,
    "sms,email": ChannelPolicy.BOTH,
    "both": ChannelPolicy.BOTH,
    "email-then-sms": ChannelPolicy.EMAIL_THEN_SMS,
}


def _policy(text: str) -> ChannelPolicy:
    policy = _CHANNELS.get(text.replace(" ", "").lower())
    if policy is None:
        raise typer.BadParameter(f"{text!r} is no choice of channels; write one of {', '.join(_CHANNELS)}")
    return policy


@app.command()
def create(
    advisory: Annotated[str, typer.Argument(help="The advisory to send (`notifier advisories list`).")],
    audience: Annotated[str, typer.Option(help="Who is to get it (`notifier audiences list`).")],
    channels: Annotated[str, typer.Option(help="email, sms, email,sms or email-then-sms.")],
    actor: ActorOption,
    at: Annotated[str | None, typer.Option(help="When, as 2026-12-01T09:00+11:00; left out: once approved.")] = None,
    local: Annotated[str | None, typer.Option(help="When, where the recipient is, as '2026-12-01 09:00'.")] = None,
    stagger: Annotated[str | None, typer.Option(help="Spread over a period in so many slots, as 2h/8.")] = None,
    per_hour: Annotated[int | None, typer.Option(min=1, help="Spread so that about so many get it an hour.")] = None,
    recurring: Annotated[str | None, typer.Option(help="Again and again, as cron has it: '0 9 * * mon'.")] = None,
    zone: Annotated[str | None, typer.Option(help="The time zone of --recurring.")] = None,
    every_weeks: Annotated[int, typer.Option(min=1, help="Of --recurring, only every so many weeks.")] = 1,
    until: Annotated[str | None, typer.Option(help="The end of --recurring.")] = None,
    canary: Annotated[int, typer.Option(min=0, help="So many go first, the rest after good results.")] = 0,
    canary_wait: Annotated[float, typer.Option(min=0, help="How many minutes of good results.")] = 30.0,
    canary_yes: Annotated[bool, typer.Option("--canary-yes", help="The rest goes when a person says so.")] = False,
    max_per_minute: Annotated[int, typer.Option(min=0, help="At most so many messages leave in a minute.")] = 0,
    override_quiet_hours: Annotated[
        bool, typer.Option("--override-quiet-hours", help="For urgent campaigns: send at night too.")
    ] = False,
    sms_after_bounce: Annotated[
        float, typer.Option(min=0, help="Under email-then-sms: for how many hours a hard bounce leads to an SMS.")
    ] = 24.0,
    second_language: Annotated[
        str, typer.Option(help="A language below the reader's own in every email, such as en-AU.")
    ] = "",
    expires: Annotated[str | None, typer.Option(help="After this moment nothing more of it is sent.")] = None,
    urgent: Annotated[bool, typer.Option("--urgent", help="Overtake other campaigns.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Draft a campaign."""
    now = utc_now()
    typed = schedules.Typed(at, local, stagger, per_hour, recurring, zone, every_weeks, until)
    chosen = Options(
        canary_first=canary,
        canary_wait_s=canary_wait * 60,
        canary_yes=canary_yes,
        max_per_minute=max_per_minute,
        override_quiet_hours=override_quiet_hours,
        sms_after_bounce_s=sms_after_bounce * 3600,
        second_language=second_language,
    )
    policy = _policy(channels)
    with house() as opened, opened.database.transaction() as session:
        papers = opened.papers
        found = papers.audience(audience)
        wish = desk.Draft(
            advisory=advisory,
            audience=audience,
            channels=policy,
            schedule=schedules.read(
                typed,
                zones=zones_of(session, found, papers.atlas),
                people=lambda: _people(session, found, policy, now),
                now=now,
            ),
            options=chosen,
            urgent=urgent,
            expires_at=moment(expires) if expires else None,
        )
        campaign = desk.draft(session, wish, papers, by=users.find(session, actor), now=now)
        _tell(campaign, as_json, f"Drafted. Next: notifier campaigns submit {campaign.id} --as {actor}")


@app.command()
def coverage(campaign_id: IdArgument, as_json: JsonFlag = False) -> None:
    """Show what every recipient would really get, and what stands in the way."""
    now = utc_now()
    with house() as opened, opened.database.reading() as session:
        campaign = lifecycle.find(session, campaign_id)
        found = coverage_of(session, campaign, opened.proof, now=now).to_json()
        accepted = {entry["key"]: entry["by"] for entry in campaign.accepted}
    if as_json:
        print_json(found | {"accepted": accepted})
        return
    columns = ["channel", "wanted", "region", "recipients", "language", "steps", "state", "alphabet", "parts", "cost"]
    rows = [[_cell(line[name]) for name in columns] for line in found["lines"]]
    print_table("What every recipient would get", columns, rows)
    findings = [[f["weight"], f["rule"], f["message"], accepted.get(f["key"], "")] for f in found["findings"]]
    print_table("Findings", ["weight", "rule", "what", "accepted by"], findings)


@app.command()
def submit(
    campaign_id: IdArgument,
    actor: ActorOption,
    accept: Annotated[
        list[str] | None, typer.Option(help="A finding you answer for: its key, or a rule; as often as needed.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Ask a second person to look at a draft."""
    with house() as opened, opened.database.transaction() as session:
        by = users.find(session, actor)
        campaign = desk.submit(session, campaign_id, opened.proof, accepting=accept or [], by=by, now=utc_now())
        _tell(
            campaign, as_json, f"Submitted. Next, by an approver: notifier campaigns approve {campaign_id} --as EMAIL"
        )


@app.command()
def approve(campaign_id: IdArgument, actor: ActorOption, as_json: JsonFlag = False) -> None:
    """Approve what was submitted; it goes out at its time."""
    now = utc_now()
    with house() as opened, opened.database.transaction() as session:
        papers = opened.papers
        submitted = lifecycle.find(session, campaign_id)
        campaign = control.approve(
            session,
            campaign_id,
            by=users.find(session, actor),
            fingerprint=desk.look_again(session, campaign_id, opened.proof, now=now),
            zones=zones_of(session, papers.audience(submitted.audience), papers.atlas),
            now=now,
        )
        when = "; ".join([schedule.in_words(campaign.schedule), *options.read(campaign.options).in_words()])
        _tell(campaign, as_json, f"Approved; it goes out {when}. Next: notifier run")


@app.command("return")
def send_back(campaign_id: IdArgument, actor: ActorOption, reason: ReasonOption, as_json: JsonFlag = False) -> None:
    """Return a submitted campaign to its officer."""
    with house() as opened, opened.database.transaction() as session:
        by = users.find(session, actor)
        campaign = lifecycle.send_back(session, campaign_id, by=by, reason=reason, now=utc_now())
        _tell(campaign, as_json, "Returned.")


@app.command()
def pause(campaign_id: IdArgument, actor: ActorOption, reason: ReasonOption = "", as_json: JsonFlag = False) -> None:
    """Stop sending until somebody resumes."""
    with house() as opened, opened.database.transaction() as session:
        by = users.find(session, actor)
        campaign = control.pause(session, campaign_id, by=by, reason=reason or None, now=utc_now())
        _tell(campaign, as_json, "Paused.")


@app.command()
def resume(campaign_id: IdArgument, actor: ActorOption, as_json: JsonFlag = False) -> None:
    """Go on after a pause or a hold."""
    with house() as opened, opened.database.transaction() as session:
        campaign = control.resume(session, campaign_id, by=users.find(session, actor), now=utc_now())
        _tell(campaign, as_json, "Resumed.")


@app.command("go-on")
def go_on(campaign_id: IdArgument, actor: ActorOption, as_json: JsonFlag = False) -> None:
    """Send to the rest of a campaign whose first recipients have gone ahead."""
    with house() as opened, opened.database.transaction() as session:
        campaign = control.go_on(session, campaign_id, by=users.find(session, actor), now=utc_now())
        _tell(campaign, as_json, "The rest goes now.")


@app.command()
def cancel(campaign_id: IdArgument, actor: ActorOption, reason: ReasonOption = "", as_json: JsonFlag = False) -> None:
    """End a campaign for good; what has left stays sent."""
    with house() as opened, opened.database.transaction() as session:
        by = users.find(session, actor)
        campaign = control.cancel(session, campaign_id, by=by, reason=reason or None, now=utc_now())
        _tell(campaign, as_json, "Cancelled.")


@app.command()
def resolve(
    campaign_id: IdArgument,
    actor: ActorOption,
    sent: Annotated[bool, typer.Option("--sent", help="The provider took it: count it as accepted.")] = False,
    resend: Annotated[bool, typer.Option("--resend", help="The provider never had it: send it again.")] = False,
    attempt: Annotated[
        int | None, typer.Option(min=0, max=LARGEST_ID, help="Only this attempt; left out: every one in doubt.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Settle what is unknown, when a person has found out whether the provider took it."""
    if sent == resend:
        raise typer.BadParameter("say either --sent or --resend")
    say_so = doubt.said_sent if sent else doubt.said_not_sent
    with house() as opened, opened.database.transaction() as session:
        by = users.find(session, actor)
        moved = say_so(session, campaign_id, by=by, attempt=attempt, now=utc_now())
    if as_json:
        print_json({"campaign": campaign_id, "decision": "sent" if sent else "resend", "deliveries": moved})
        return
    say(f"Campaign {campaign_id}: {moved} deliveries {'count as accepted' if sent else 'are queued again'}.")


@app.command()
def withdraw(
    campaign_id: IdArgument,
    reason: ReasonOption,
    actor: ActorOption,
    replaced_by: Annotated[str | None, typer.Option(help="The code of the corrected message.")] = None,
) -> None:
    """Say on a message's official page that it was wrong, and which message to read instead."""
    with house() as opened, opened.database.transaction() as session:
        by = users.find(session, actor)
        withdrawal.withdraw(session, campaign_id, by=by, note=reason, replaced_by=replaced_by, now=utc_now())
    say(f"Campaign {campaign_id}: its official page now says that the message was withdrawn.")


app.command("report")(report)
app.command("reconcile")(reconcile)


@app.command("list")
def show_all(as_json: JsonFlag = False) -> None:
    """Show every campaign."""
    with house() as opened, opened.database.reading() as session:
        rows = [_as_dict(campaign) for campaign in lifecycle.everything(session)]
    if as_json:
        print_json(rows)
        return
    columns = ["id", "advisory", "audience", "channels", "status", "status_reason"]
    print_table("Campaigns", columns, [[row[column] for column in columns] for row in rows])


@app.command()
def show(campaign_id: IdArgument, as_json: JsonFlag = False) -> None:
    """Show one campaign and how far it is."""
    with house() as opened, opened.database.reading() as session:
        campaign = _as_dict(lifecycle.find(session, campaign_id))
        summary = reports.campaign_summary(session, campaign_id).as_dict()
        due = [_wave(wave) for wave in waves.of_campaign(session, campaign_id)]
        in_doubt = [_doubt(one, unknown) for one, unknown in doubt.of_campaign(session, campaign_id)]
    if as_json:
        print_json(campaign | summary | {"waves": due, "in_doubt": in_doubt})
        return
    print_table(f"Campaign {campaign_id}", ["", ""], [[key, value] for key, value in campaign.items()])
    print_table("Deliveries", ["status", "count"], [[name, amount] for name, amount in summary["by_status"].items()])
    if summary["held_back"]:
        print_table("Not sent, and why", ["reason", "count"], [list(pair) for pair in summary["held_back"].items()])
    for title, rows in (("When", due), ("In doubt: notifier campaigns resolve", in_doubt)):
        if rows:
            print_table(title, list(rows[0]), [list(row.values()) for row in rows[:_SHOWN]])


@app.command()
def deliveries(
    campaign_id: IdArgument,
    status: Annotated[DeliveryStatus | None, typer.Option(help="Only these.")] = None,
    channel: Annotated[Channel | None, typer.Option(help="Only these.")] = None,
    after: Annotated[int, typer.Option(min=0, max=LARGEST_ID, help="Begin after this delivery id.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 100,
    actor: Annotated[
        str | None, typer.Option("--as", metavar="EMAIL", help="Who looks at the addresses; left out: they are masked.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what became of each message; with --as also to whom it went, which the audit trail notes."""
    with house() as opened:
        if actor is not None:
            with opened.database.transaction() as session:
                lifecycle.find(session, campaign_id)
                note_listing(session, users.find(session, actor), campaign_id)
        with opened.database.reading() as session:
            lifecycle.find(session, campaign_id)
            rows = reports.deliveries(session, campaign_id, status=status, channel=channel, after=after, limit=limit)
    rows = rows if actor is not None else [_masked(row) for row in rows]
    if as_json:
        print_json(rows)
        return
    columns = ["id", "channel", "destination", "language", "region", "status", "reason"]
    lines = [[getattr(row, name) for name in columns] for row in rows]
    print_table(f"Deliveries of campaign {campaign_id}", columns, lines)
    if len(rows) == limit:
        say(f"There may be more: --after {rows[-1].id}")


def _masked(line: reports.DeliveryLine) -> reports.DeliveryLine:
    shown = masked(Channel(line.channel), line.destination) if line.destination else line.destination
    return replace(line, destination=shown)


def _people(session: Session, audience: Audience, policy: ChannelPolicy, now: datetime) -> int:
    """Count the addresses a campaign will write to."""
    reach = count(session, audience, topic="", now=now)
    return sum(line.reachable for line in reach.channels if line.channel in policy.channels)


def _wave(wave: Wave) -> dict[str, Any]:
    return {"round": wave.occurrence, "due_at": _iso(wave.due_at), "status": wave.status, "scope": wave.scope}


def _doubt(one: Doubt, unknown: int) -> dict[str, Any]:
    since = _iso(one.started_at)
    return {"attempt": one.attempt_id, "provider": one.provider, "since": since, "unknown": unknown}


def _tell(campaign: Campaign, as_json: bool, sentence: str) -> None:
    if as_json:
        print_json(_as_dict(campaign))
    else:
        say(f"Campaign {campaign.id}: {sentence}")


def _as_dict(campaign: Campaign) -> dict[str, Any]:
    """Return what a campaign says of itself, without its hashes."""
    moments = ("created_at", "submitted_at", "approved_at", "finished_at", "expires_at")
    words = ("code", "advisory", "readers", "topic", "audience", "channels", "status", "status_reason")
    people = ("created_by", "submitted_by", "approved_by")
    values = {name: getattr(campaign, name) for name in (*words, *people)}
    return {
        "id": campaign.id,
        **values,
        "urgent": campaign.urgent,
        "schedule": campaign.schedule,
        "options": campaign.options,
        **{name: _iso(getattr(campaign, name)) for name in moments},
    }


def _cell(value: object) -> object:
    return " → ".join(map(str, value)) if isinstance(value, list) else value


def _iso(value: datetime | None) -> str | None:
    return value.isoformat() if value else None
