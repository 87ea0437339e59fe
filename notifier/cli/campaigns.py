"""`notifier campaigns`: draft, have approved, send, watch."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from notifier.accounts import users
from notifier.bootstrap import House
from notifier.campaigns import desk, lifecycle, options, schedule, withdrawal
from notifier.campaigns.coverage import coverage_of
from notifier.campaigns.zones import zones_of
from notifier.cli.drafting import as_dict, create, tell_campaign
from notifier.cli.frame import LARGEST_ID, ActorOption, IdArgument, JsonFlag, LookerOption, print_json, print_table, say
from notifier.cli.opening import house
from notifier.cli.reconcile import reconcile
from notifier.cli.reports import note_listing, report
from notifier.delivery import control, doubt, guards, waves
from notifier.delivery.doubt import Doubt
from notifier.delivery.models import Wave
from notifier.delivery.status import DeliveryStatus
from notifier.kit.clock import utc_now
from notifier.providers.base import SettledBy
from notifier.reports import progress as reports
from notifier.reports.words import masked
from notifier.vocabulary import Channel

app = typer.Typer(help="Draft, have approved, send and watch campaigns.", no_args_is_help=True)

ReasonOption = Annotated[str, typer.Option("--reason", help="Why, for the audit trail.")]

# So many waves or doubts are shown in a table; --json has them all.
_SHOWN = 20

app.command()(create)


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
        by = users.acting(session, actor, users.MAY_DRAFT, "submitting a campaign")
        campaign = desk.submit(session, campaign_id, opened.proof, accepting=accept or [], by=by, now=utc_now())
        tell_campaign(
            campaign, as_json, f"Submitted. Next, by an approver: notifier campaigns approve {campaign_id} --as EMAIL"
        )


@app.command()
def approve(campaign_id: IdArgument, actor: ActorOption, as_json: JsonFlag = False) -> None:
    """Approve what was submitted; it goes out at its time."""
    now = utc_now()
    with house() as opened, opened.database.transaction() as session:
        by = users.acting(session, actor, users.MAY_APPROVE, "approving a campaign")
        papers = opened.papers
        submitted = lifecycle.find(session, campaign_id)
        campaign = control.approve(
            session,
            campaign_id,
            by=by,
            fingerprint=desk.look_again(session, campaign_id, opened.proof, now=now),
            zones=zones_of(session, papers.audience(submitted.audience), papers.atlas),
            now=now,
        )
        when = "; ".join([schedule.in_words(campaign.schedule), *options.read(campaign.options).in_words()])
        tell_campaign(campaign, as_json, f"Approved; it goes out {when}. Next: notifier run")


@app.command("return")
def send_back(campaign_id: IdArgument, actor: ActorOption, reason: ReasonOption, as_json: JsonFlag = False) -> None:
    """Return a submitted campaign to its officer."""
    with house() as opened, opened.database.transaction() as session:
        by = users.find(session, actor)
        campaign = lifecycle.send_back(session, campaign_id, by=by, reason=reason, now=utc_now())
        tell_campaign(campaign, as_json, "Returned.")


@app.command()
def pause(campaign_id: IdArgument, actor: ActorOption, reason: ReasonOption = "", as_json: JsonFlag = False) -> None:
    """Stop sending until somebody resumes."""
    with house() as opened, opened.database.transaction() as session:
        by = users.find(session, actor)
        campaign = control.pause(session, campaign_id, by=by, reason=reason or None, now=utc_now())
        tell_campaign(campaign, as_json, "Paused.")


@app.command()
def resume(campaign_id: IdArgument, actor: ActorOption, as_json: JsonFlag = False) -> None:
    """Go on after a pause or a hold."""
    with house() as opened, opened.database.transaction() as session:
        campaign = control.resume(session, campaign_id, by=users.find(session, actor), now=utc_now())
        tell_campaign(campaign, as_json, "Resumed.")


@app.command("go-on")
def go_on(campaign_id: IdArgument, actor: ActorOption, as_json: JsonFlag = False) -> None:
    """Send to the rest of a campaign whose first recipients have gone ahead."""
    with house() as opened, opened.database.transaction() as session:
        campaign = control.go_on(session, campaign_id, by=users.find(session, actor), now=utc_now())
        tell_campaign(campaign, as_json, "The rest goes now.")


@app.command()
def cancel(campaign_id: IdArgument, actor: ActorOption, reason: ReasonOption = "", as_json: JsonFlag = False) -> None:
    """End a campaign for good; what has left stays sent."""
    with house() as opened, opened.database.transaction() as session:
        by = users.find(session, actor)
        campaign = control.cancel(session, campaign_id, by=by, reason=reason or None, now=utc_now())
        tell_campaign(campaign, as_json, "Cancelled.")


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
    as_json: JsonFlag = False,
) -> None:
    """Say on a message's official page that it was wrong, and which message to read instead."""
    with house() as opened, opened.database.transaction() as session:
        by = users.find(session, actor)
        now = utc_now()
        campaign = withdrawal.withdraw(session, campaign_id, by=by, note=reason, replaced_by=replaced_by, now=now)
        tell_campaign(campaign, as_json, "its official page now says that the message was withdrawn.")


app.command("report")(report)
app.command("reconcile")(reconcile)


@app.command("list")
def show_all(as_json: JsonFlag = False) -> None:
    """Show every campaign."""
    with house() as opened, opened.database.reading() as session:
        rows = [as_dict(campaign) for campaign in lifecycle.everything(session)]
    if as_json:
        print_json(rows)
        return
    columns = ["id", "advisory", "audience", "channels", "status", "status_reason"]
    print_table("Campaigns", columns, [[row[column] for column in columns] for row in rows])


@app.command()
def show(campaign_id: IdArgument, as_json: JsonFlag = False) -> None:
    """Show one campaign and how far it is."""
    with house() as opened, opened.database.reading() as session:
        campaign = as_dict(lifecycle.find(session, campaign_id))
        summary = reports.campaign_summary(session, campaign_id).as_dict()
        due = [_wave(wave) for wave in waves.of_campaign(session, campaign_id)]
        in_doubt = [_doubt(opened, one, unknown) for one, unknown in doubt.of_campaign(session, campaign_id)]
        over_limits = guards.over_limits(session, campaign_id, opened.settings.guards)
    if as_json:
        print_json(campaign | summary | {"waves": due, "in_doubt": in_doubt, "over_limits": over_limits})
        return
    print_table(f"Campaign {campaign_id}", ["", ""], [[key, value] for key, value in campaign.items()])
    print_table("Deliveries", ["status", "count"], [[name, amount] for name, amount in summary["by_status"].items()])
    if summary["held_back"]:
        print_table("Not sent, and why", ["reason", "count"], [list(pair) for pair in summary["held_back"].items()])
    for line in over_limits:
        say(line)
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
    actor: LookerOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what became of each message; with --as also to whom it went, which the audit trail notes."""
    with house() as opened:
        with opened.database.reading() as session:
            lifecycle.find(session, campaign_id)
        if actor is not None:
            note_listing(opened, actor, campaign_id)
        with opened.database.reading() as session:
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


def _wave(wave: Wave) -> dict[str, Any]:
    return {"round": wave.occurrence, "due_at": _iso(wave.due_at), "status": wave.status, "scope": wave.scope}


def _doubt(opened: House, one: Doubt, unknown: int) -> dict[str, Any]:
    ways = {provider.name: provider.settled_by for several in opened.providers.values() for provider in several}
    # A provider that is no longer in the settings can only be asked by a person.
    way = ways.get(one.provider, SettledBy.PERSON)
    asks_at = one.started_at + timedelta(seconds=opened.settings.web.unknown_lag_s)
    return {
        "attempt": one.attempt_id,
        "provider": one.provider,
        "since": _iso(one.started_at),
        "unknown": unknown,
        "waits_for": doubt.waits_for(one, way, opened.settings.doubt, now=utc_now()),
        "a_person_is_asked_from": _iso(one.started_at if way is SettledBy.PERSON else asks_at),
    }


def _cell(value: object) -> object:
    return " → ".join(map(str, value)) if isinstance(value, list) else value


def _iso(value: datetime | None) -> str | None:
    return value.isoformat() if value else None
