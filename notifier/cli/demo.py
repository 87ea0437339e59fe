"""`notifier demo`: the main job on made-up families, on this machine alone, end to end over real HTTP.

It starts the sandbox and `notifier run` as processes of their own, imports lists, sends two campaigns that two people
have looked at, lets one parent leave by one click and one by STOP in between, and then compares the ledger with what
the sandbox received.
"""

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from notifier import migrations
from notifier.accounts import users
from notifier.accounts.models import UserRole
from notifier.audiences import importer, lists, samples, suppressions
from notifier.audiences.models import ImportMode
from notifier.bench.comparison import Comparison, compare
from notifier.bench.neighbours import Neighbours
from notifier.bootstrap import House
from notifier.campaigns import desk, lifecycle, schedule
from notifier.campaigns.coverage import coverage_of
from notifier.cli.frame import JsonFlag, console, print_json, print_table, progress, say
from notifier.cli.lists import Upload, show_import
from notifier.cli.setup import write_secrets
from notifier.delivery import control
from notifier.delivery.status import DeliveryStatus
from notifier.kit.clock import utc_now
from notifier.kit.errors import Conflict
from notifier.kit.sheets import write_csv
from notifier.reports import progress as reports
from notifier.vocabulary import Channel, ChannelPolicy, Readers

OFFICER, APPROVER = "officer@police.example", "approver@police.example"
CAMPAIGNS = (("online-blackmail", "victoria-parents"), ("say-no", "all-parents"))

# What the officer of the demo answers for: translations nobody has reviewed and contacts nobody has checked are for the
# sandbox only, and parents without a text in their language get the region's.
_ANSWERED_FOR = ("unreviewed", "unchecked_contact", "fallback")

# A demo that has not settled by then has failed; it says so instead of waiting for ever.
PATIENCE_S = 120.0
_SETTLED = ("delivered", "bounced", "failed", "held_back", "cancelled")

# So that the tables are not all of one colour: a few addresses bounce, a few are slow.
_BEHAVIOUR = {"bounce_rate": 0.01, "defer_rate": 0.02, "duplicate_rate": 0.05, "reorder": 1.0, "seed": 7}


@dataclass(frozen=True, slots=True)
class Leavers:
    """The two parents who leave between the campaigns."""

    by_click: str
    by_stop: str


def demo(
    recipients: Annotated[int, typer.Option(min=60, help="How many made-up parents.")] = 2_000,
    seed: Annotated[int, typer.Option(help="Which made-up parents.")] = 7,
    workers: Annotated[int, typer.Option(min=1, max=8, help="More than one: processes of their own.")] = 1,
    database: Annotated[str, typer.Option(help="An empty PostgreSQL database to use instead of a SQLite file.")] = "",
    serve: Annotated[bool, typer.Option("--serve", help="Leave everything running to look around.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Send two campaigns to made-up families on this machine, and check that nobody was missed or written to twice."""
    started = time.monotonic()
    home = Path(os.environ.get("NOTIFIER_HOME", "var")) / "demo"
    shutil.rmtree(home, ignore_errors=True)
    parts = ("run",) if workers == 1 else ("serve", "schedule", *("work",) * workers)
    installation = Neighbours(home, os.environ, write_secrets=write_secrets, parts=parts, database=database)
    with installation as neighbours, neighbours.house() as opened:
        _prepare(opened, home, recipients, seed)
        neighbours.start()
        neighbours.behave(_BEHAVIOUR)
        first = _send(opened, *CAMPAIGNS[0])
        leavers = _two_parents_leave(opened, neighbours, first)
        second = _send(opened, *CAMPAIGNS[1])
        outcome = compare(opened, neighbours.references(), [first, second])
        outcome = outcome.without(second, (leavers.by_click, leavers.by_stop))
        result = _result(opened, [first, second], outcome, time.monotonic() - started)
        if as_json:
            print_json(result)
        else:
            _print(result, home, neighbours)
        if serve:
            neighbours.wait()
    if outcome.missed or outcome.duplicates or outcome.written_to_after_leaving:
        raise typer.Exit(1)


def _prepare(opened: House, home: Path, recipients: int, seed: int) -> None:
    """Make the database, two users, and the lists of several schools. Raises Conflict if somebody uses it already."""
    migrations.upgrade(opened.database)
    with opened.database.reading() as session:
        if users.everybody(session):
            raise Conflict("The database given with --database is in use; the demo writes only to an empty one")
    with opened.database.transaction() as session:
        users.add(session, email=OFFICER, name="Officer", role=UserRole.OFFICER, now=utc_now())
        users.add(session, email=APPROVER, name="Approver", role=UserRole.APPROVER, now=utc_now())
    say(f"Importing the lists of {len(samples.SCHOOLS)} schools, {recipients} rows …")
    for school, rows in samples.family_lists(recipients, seed):
        path = home / f"{school.code}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            write_csv(file, samples.HEADER, rows)
        new = lists.NewList(
            code=school.code,
            name=school.name,
            region=school.region,
            country=school.country,
            readers=Readers.PARENTS,
            lawful_basis=lists.LawfulBasis.PUBLIC_TASK,
            attested_by=OFFICER,
            language=school.language,
            source="made up for the demo",
        )
        with opened.database.transaction() as session:
            lists.create_list(session, new, actor=OFFICER, now=utc_now())
        import_id = show_import(opened, Upload(school.code, path, ImportMode.MERGE), actor=OFFICER).import_id
        with opened.database.transaction() as session:
            importer.carry_out(session, import_id, importer.ImportSettings(), actor=OFFICER, now=utc_now())


def _send(opened: House, advisory: str, audience: str) -> int:
    """Draft, submit, approve, and wait until every delivery has settled; return the campaign."""
    now = utc_now()
    wish = desk.Draft(advisory, audience, ChannelPolicy.BOTH, schedule.now_schedule())
    with opened.database.transaction() as session:
        officer = users.find(session, OFFICER)
        campaign = desk.draft(session, wish, opened.papers, by=officer, now=now)
        campaign_id = campaign.id
        found = coverage_of(session, campaign, opened.proof, now=now)
        answered = [finding.key for finding in found.acceptable if finding.rule in _ANSWERED_FOR]
        desk.submit(session, campaign_id, opened.proof, accepting=answered, by=officer, now=now)
    with opened.database.transaction() as session:
        seen = desk.look_again(session, campaign_id, opened.proof, now=now)
        by = users.find(session, APPROVER)
        control.approve(session, campaign_id, by=by, fingerprint=seen, zones={}, now=now)
    _wait_until_settled(opened, campaign_id, f"{advisory} → {audience}")
    return campaign_id


def _wait_until_settled(opened: House, campaign_id: int, title: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    with progress() as bar:
        task = bar.add_task(title, total=None)
        while time.monotonic() < deadline:
            with opened.database.reading() as session:
                campaign = lifecycle.find(session, campaign_id)
                summary = reports.campaign_summary(session, campaign_id)
            settled = sum(summary.by_status.get(name, 0) for name in _SETTLED)
            bar.update(task, total=summary.planned or None, completed=settled)
            if campaign.status == "held":
                raise Conflict(f"Campaign {campaign_id} is held: {campaign.status_reason}")
            if campaign.status == "sent" and settled == summary.planned:
                return
            time.sleep(0.2)
    raise Conflict(f"Campaign {campaign_id} has not settled after {PATIENCE_S:.0f} s: {summary.by_status}")


def _two_parents_leave(opened: House, neighbours: Neighbours, campaign_id: int) -> Leavers:
    """One parent presses the mail program's unsubscribe button, one answers STOP."""
    with opened.database.reading() as session:
        emails = reports.deliveries(
            session, campaign_id, status=DeliveryStatus.DELIVERED, channel=Channel.EMAIL, after=0, limit=1
        )
        texts = reports.deliveries(
            session, campaign_id, status=DeliveryStatus.DELIVERED, channel=Channel.SMS, after=0, limit=1
        )
    leavers = Leavers(by_click=str(emails[0].destination), by_stop=str(texts[0].destination))
    neighbours.click_unsubscribe(leavers.by_click)
    neighbours.write_sms(leavers.by_stop, "Stop.")
    _wait_until_suppressed(opened, {Channel.EMAIL: leavers.by_click, Channel.SMS: leavers.by_stop})
    say("One parent has left by one click, one by answering STOP.")
    return leavers


def _wait_until_suppressed(opened: House, left: dict[Channel, str]) -> None:
    """Wait until what two people have decided is known; the next campaign has to respect it."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with opened.database.reading() as session:
            secret = opened.address_secret
            if all(suppressions.is_suppressed(session, secret, channel, value) for channel, value in left.items()):
                return
        time.sleep(0.1)
    raise Conflict("The two parents who left are not suppressed; run.log in var/demo says why")


def _result(opened: House, campaign_ids: list[int], outcome: Comparison, elapsed_s: float) -> dict[str, Any]:
    with opened.database.reading() as session:
        campaigns = []
        for campaign_id in campaign_ids:
            campaign = lifecycle.find(session, campaign_id)
            summary = reports.campaign_summary(session, campaign_id).as_dict()
            campaigns.append({"id": campaign_id, "advisory": campaign.advisory, "status": campaign.status, **summary})
    return {
        "campaigns": campaigns,
        "missed": outcome.missed,
        "duplicates": outcome.duplicates,
        "written_to_after_leaving": outcome.written_to_after_leaving,
        "received": outcome.received,
        "elapsed_s": round(elapsed_s, 1),
    }


def _print(result: dict[str, Any], home: Path, neighbours: Neighbours) -> None:
    rows = [
        [campaign["id"], campaign["advisory"], channel, status, amount]
        for campaign in result["campaigns"]
        for channel, by_status in campaign["by_channel"].items()
        for status, amount in sorted(by_status.items())
    ]
    print_table("Campaigns", ["id", "advisory", "channel", "status", "deliveries"], rows)
    held = [[c["id"], reason, amount] for c in result["campaigns"] for reason, amount in sorted(c["held_back"].items())]
    print_table("Not sent, and why", ["id", "reason", "deliveries"], held)
    spoken = [[c["id"], language, n] for c in result["campaigns"] for language, n in sorted(c["by_language"].items())]
    print_table("Languages", ["id", "language", "deliveries"], spoken)
    verdict = "[green]nobody missed, nobody twice[/green]"
    if result["missed"] or result["duplicates"] or result["written_to_after_leaving"]:
        verdict = "[red]missed or written to twice: see above[/red]"
    console.print(
        f"Ledger against what the sandbox received ({result['received']} messages): {result['missed']} missed, "
        f"{result['duplicates']} duplicates, {result['written_to_after_leaving']} written to after leaving: {verdict}. "
        f"{result['elapsed_s']} s."
    )
    say(f"Sandbox: {neighbours.sandbox_url}/   Web: {neighbours.web_url}/readyz   (with --serve they keep running)")
    say("Next:")
    say(f"  NOTIFIER_HOME={home} notifier campaigns show 1")
    say(f"  NOTIFIER_HOME={home} notifier campaigns deliveries 2 --status held_back")
    say("  notifier advisories preview say-no --readers parents --language el --region GR")
    say("  and the five-minute tour in README.md")
